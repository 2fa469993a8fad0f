//! One compiled decoder layer with adapters on frozen weights, packed or not: the buffers of Inductor's generated code
//! (see [`super::full`]). Unpacked weights live for one product.

use super::adapter::{Adapter, Gradients, Spares};
use super::sizes::{Arm, Buffer, Sizes};
use crate::replay::{Dtype, Tensor};

/// The linear layers of a layer: query, key, value, output, gate, up, down.
pub type Arms = [Arm; 7];

/// What a layer keeps for its backward pass.
pub struct Kept<'t> {
    adapters: [Option<Adapter<'t>>; 7],
    first_rstd: Buffer<'t>,
    /// Where an adapter reads it as it is, as the next one and the product.
    first_norm: Option<Buffer<'t>>,
    /// Before their norm, and the norm's reciprocals.
    normed: Option<[Buffer<'t>; 4]>,
    value: Buffer<'t>,
    query: Buffer<'t>,
    key: Buffer<'t>,
    attention: Vec<Buffer<'t>>,
    /// Flex attention's output in the order of tokens.
    copied: Option<Buffer<'t>>,
    output: Buffer<'t>,
    rstds: [Option<Buffer<'t>>; 2],
    second_norm: Option<Buffer<'t>>,
    gate: Buffer<'t>,
    up: Buffer<'t>,
    product: Option<Buffer<'t>>,
    /// The MLP's output before its norm, and that norm's reciprocals.
    down: Option<[Buffer<'t>; 2]>,
}

/// Attention and what its backward pass needs: seed, offset, log-sum-exp, output. Flex attention has row maxima for a
/// moment.
fn attend<'t>(s: &Sizes<'t>) -> Vec<Buffer<'t>> {
    if !s.sandwich {
        let [out, lse, seed, offset] = s.tape.flash(s.attention);
        return vec![offset, seed, lse, out];
    }
    let lse = s.scalars(s.attention.heads);
    let maxima = s.scalars(s.attention.heads);
    let out = s.rows(s.queries);
    drop(maxima);
    vec![lse, out]
}

/// Forward without gradients: Inductor packs what it needs into a few pools.
pub fn forward_only<'t>(s: &Sizes<'t>, arms: &Arms) -> Tensor<'t> {
    let rank = arms.iter().filter_map(|arm| arm.rank).max().unwrap_or(0);
    let narrow = |n: u64| s.buffer(rank.saturating_mul(n), s.dtype);
    let first = s.rows(s.mlp);
    let weight = s.unpacked(&arms[6]);
    let casts = [narrow(s.hidden), narrow(s.mlp), narrow(s.mlp), narrow(s.mlp)];
    let out = s.rows(s.hidden);
    s.touch_workspaces();
    drop(attend(s));
    let normed = s.rows(s.hidden);
    let inner = [s.rows(rank), s.rows(rank)];
    let second = s.rows(s.mlp);
    let dropped = arms.iter().any(|arm| arm.drops).then(|| s.rows(s.mlp));
    drop((normed, inner, casts, dropped));
    drop(first);
    drop(second);
    drop(weight);
    out
}

/// Forward with what backward needs; the second result is the layer's output.
pub fn forward<'t>(s: &Sizes<'t>, arms: &Arms) -> (Kept<'t>, Tensor<'t>) {
    let [
        query_arm,
        key_arm,
        value_arm,
        output_arm,
        gate_arm,
        up_arm,
        down_arm,
    ] = arms;
    let seeds = s.seeds(arms);
    let first_rstd = s.scalars(1);
    let first_norm = s.rows(s.hidden);
    let [query_input, key_input, value_input] = [query_arm, key_arm, value_arm].map(|arm| s.dropped(arm));
    let query_weight = s.unpacked(query_arm);
    let base = s.rows(s.queries);
    s.touch_workspaces();
    let (query_adapter, plain_query, query_spare) = s.adapted(query_arm, base, query_input);
    let key_weight = s.unpacked(key_arm);
    let base = s.rows(s.keys);
    let (key_adapter, plain_key, key_spare) = s.adapted(key_arm, base, key_input);
    let value_weight = s.unpacked_in(key_weight, value_arm);
    let base = s.rows_in(key_spare, s.keys);
    drop(value_weight);
    let (value_adapter, value, value_spare) = s.adapted(value_arm, base, value_input);
    let first_norm = read_by(&[query_arm, key_arm, value_arm]).then_some(first_norm);
    let reciprocals = s
        .query_norm
        .then(|| [s.scalars(s.attention.heads), s.scalars(s.attention.kv_heads)]);
    let query = s.rows_in(query_spare, s.queries);
    let key = s.rows_in(value_spare, s.keys);
    let (normed, spare) = match reciprocals {
        Some([of_query, of_key]) => (Some([plain_query, plain_key, of_query, of_key]), None),
        None => {
            drop(plain_key);
            (None, Some(plain_query))
        }
    };
    let attention = attend(s);
    let output_weight = s.unpacked_in(query_weight, output_arm);
    let copied = s.sandwich.then(|| s.rows(s.queries));
    let output_input = s.dropped(output_arm);
    let base = s.rows_in(spare, s.hidden);
    drop(output_weight);
    let (output_adapter, output, output_spare) = s.adapted(output_arm, base, output_input);
    let copied = copied.filter(|_| output_arm.reads_input());
    let rstds = [Some(s.scalars(1)), s.sandwich.then(|| s.scalars(1))];
    let second_norm = s.rows_in(output_spare, s.hidden);
    let [gate_input, up_input] = [gate_arm, up_arm].map(|arm| s.dropped(arm));
    // Memory of the MLP's products is used again where sizes are not fixed while compiling: not by flex attention.
    let reusable = |spare: Option<Buffer<'t>>| spare.filter(|_| !s.sandwich);
    let base = with_weight(s, gate_arm, None);
    let (gate_adapter, gate, spare) = s.adapted(gate_arm, base, gate_input);
    let base = with_weight(s, up_arm, reusable(spare));
    let (up_adapter, up, spare) = s.adapted(up_arm, base, up_input);
    let second_norm = read_by(&[gate_arm, up_arm]).then_some(second_norm);
    let weight = s.unpacked(down_arm);
    let product = s.rows_in(reusable(spare), s.mlp);
    let down_input = s.dropped(down_arm);
    s.tape.kernel_of_recomputation();
    drop(seeds);
    let base = s.rows(s.hidden);
    drop(weight);
    let product = read_by(&[down_arm]).then_some(product);
    let (down_adapter, mut out, spare) = s.adapted(down_arm, base, down_input);
    let down = s.sandwich.then(|| {
        let rstd = s.scalars(1);
        let normed = s.rows_in(spare, s.hidden);
        [std::mem::replace(&mut out, normed), rstd]
    });
    let kept = Kept {
        adapters: [
            query_adapter,
            key_adapter,
            value_adapter,
            output_adapter,
            gate_adapter,
            up_adapter,
            down_adapter,
        ],
        first_rstd,
        first_norm,
        normed,
        value,
        query,
        key,
        attention,
        copied,
        output,
        rstds,
        second_norm,
        gate,
        up,
        product,
        down,
    };
    (kept, out)
}

/// Does the adapter of one of these read their input as it is?
fn read_by(arms: &[&Arm]) -> bool {
    arms.iter().any(|arm| arm.reads_input())
}

/// A product with a weight that is unpacked for it.
fn with_weight<'t>(s: &Sizes<'t>, arm: &Arm, spare: Option<Buffer<'t>>) -> Buffer<'t> {
    let weight = s.unpacked(arm);
    let base = s.rows_in(spare, arm.outputs);
    drop(weight);
    base
}

/// Backward: the gradient of the input, and those of the adapters. `incoming` is given where nothing else holds it.
pub fn backward<'t>(
    s: &Sizes<'t>,
    arms: &Arms,
    kept: Kept<'t>,
    incoming: Option<Tensor<'t>>,
) -> (Tensor<'t>, [Gradients<'t>; 7]) {
    let h = s.hidden;
    let [
        query_arm,
        key_arm,
        value_arm,
        output_arm,
        gate_arm,
        up_arm,
        down_arm,
    ] = arms;
    let [
        query_adapter,
        key_adapter,
        value_adapter,
        output_adapter,
        gate_adapter,
        up_adapter,
        down_adapter,
    ] = kept.adapters;

    // MLP
    let through_norm = kept.down.map(|[down, rstd]| {
        drop(rstd);
        down
    });
    let mut spares = Spares::default();
    let (down, through_down) = spares.through(s, down_arm, down_adapter, kept.product, None);
    let mask = std::mem::take(&mut spares.masks);
    drop(spares);
    let mut spares = Spares::default();
    let weight = s.unpacked(down_arm);
    let for_product = s.rows(s.mlp);
    s.tape.touch_workspace();
    drop(through_norm);
    // Without an adapter nothing comes before the next product, whose weight is then unpacked ahead.
    let ahead = match up_arm.rank {
        None => s.unpacked_in(weight, up_arm),
        Some(_) => {
            drop(weight);
            None
        }
    };
    let for_up = s.rows(s.mlp);
    let own = s.sandwich.then(|| s.rows(s.mlp));
    match own {
        Some(_) => s.tape.generated_kernel(),
        None => s.tape.kernel_in_place(&kept.up),
    }
    drop(kept.gate);
    let for_gate = own.unwrap_or(kept.up);
    drop((through_down, for_product, mask));
    let (up, through_up) = spares.through(s, up_arm, up_adapter, None, None);
    let weight = s.unpacked_in(ahead, up_arm);
    let from_up = s.rows(h);
    drop(for_up);
    let (gate, through_gate) = spares.through(s, gate_arm, gate_adapter, kept.second_norm, None);
    spares.second = None;
    let weight = s.unpacked_in(weight, gate_arm);
    let from_gate = s.rows(h);
    drop((for_gate, weight));

    // Attention
    let residual = s.buffer(s.tokens.saturating_mul(h), Dtype::F32);
    let own = s.sandwich.then(|| s.rows(h));
    drop(kept.rstds);
    spares.masks.clear();
    let (spare_gate, spare_output) = if s.sandwich {
        (None, None)
    } else {
        (Some(from_gate), through_gate)
    };
    let (output, through_output) = spares.through(s, output_arm, output_adapter, None, spare_gate);
    let output_weight = s.unpacked(output_arm);
    let for_attended = s.rows_in(spare_output, s.queries);
    spares.masks.clear();
    let (for_query, for_key, for_value, spare_output);
    if s.sandwich {
        let delta = s.scalars(s.attention.heads);
        for_value = s.rows(s.keys);
        for_key = s.rows(s.keys);
        drop((kept.query, kept.key, through_output, delta, kept.copied));
        drop((kept.attention, kept.value));
        (for_query, spare_output) = (for_attended, [None, None]);
    } else {
        [for_query, for_key, for_value] = s.tape.flash_backward(s.attention);
        drop((kept.query, kept.key, kept.attention, kept.value));
        spare_output = [through_output, Some(for_attended)];
    }
    // With a norm of their own, the gradients of queries and keys take the memory of what was normed.
    let (for_query, for_key) = match kept.normed {
        Some([query, key, of_query, of_key]) => {
            drop((for_key, of_key));
            drop((for_query, of_query));
            (query, key)
        }
        None => (for_query, for_key),
    };
    let [spare_a, spare_b] = spare_output;
    let (value, through_value) = spares.through(s, value_arm, value_adapter, None, spare_a);
    let weight = s.unpacked(value_arm);
    let from_value = s.rows_in(spare_b, h);
    drop(for_value);
    let (key, through_key) = spares.through(s, key_arm, key_adapter, None, Some(from_up));
    spares.second = None;
    let weight = s.unpacked_in(weight, key_arm);
    let from_key = s.rows_in(through_up, h);
    drop((for_key, weight));
    let (query, through_query) = spares.through(s, query_arm, query_adapter, kept.first_norm, None);
    drop(spares);
    let weight = s.unpacked_in(output_weight, query_arm);
    let from_query = s.rows(h);
    drop((for_query, weight));
    drop((
        through_value,
        from_value,
        through_key,
        from_key,
        through_query,
        from_query,
    ));
    let gradient = own.unwrap_or(kept.output);
    drop((residual, kept.first_rstd, incoming));
    (gradient, [query, key, value, output, gate, up, down])
}
