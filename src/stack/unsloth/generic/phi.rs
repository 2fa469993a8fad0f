//! One compiled decoder layer of Phi-3, whose projections of queries, keys and values, and of gate and up, are one
//! matrix each: the buffers of Inductor's generated code (see [`super::full`]). Adapters are on the projections of
//! attention's output and of the MLP's, the only ones that Unsloth's usual names find here.

use super::adapter::{Adapter, Gradients, Spares};
use super::sizes::{Arm, Buffer, Sizes};
use crate::replay::Tensor;

/// The linear layers of a layer.
pub const LINEARS: [&str; 4] = [
    "self_attn.qkv_proj",
    "self_attn.o_proj",
    "mlp.gate_up_proj",
    "mlp.down_proj",
];

/// Those linear layers, as compiled code sees them.
pub type Arms = [Arm; 4];

/// What a layer keeps for its backward pass.
pub struct Kept<'t> {
    rstds: [Buffer<'t>; 2],
    /// Rotated, in the memory of the norm's output where that is as wide.
    query: Buffer<'t>,
    key: Buffer<'t>,
    /// The values are a part of it.
    projected: Buffer<'t>,
    attention: [Buffer<'t>; 4],
    output: Buffer<'t>,
    gate_up: Buffer<'t>,
    product: Option<Buffer<'t>>,
    adapters: [Option<Adapter<'t>>; 2],
}

/// Forward without gradients: Inductor packs what it needs into a few pools.
pub fn forward_only<'t>(s: &Sizes<'t>, arms: &Arms) -> Tensor<'t> {
    let weight = s.unpacked(&arms[2]);
    let out = s.rows(s.hidden);
    let [attended, lse, seed, offset] = s.tape.flash(s.attention);
    s.tape.touch_workspace();
    drop((offset, seed, lse));
    let wide = s.rows(2 * s.mlp);
    drop(attended);
    drop(s.rows(s.hidden));
    drop((wide, weight));
    out
}

/// Forward with what backward needs; the second result is the layer's output.
pub fn forward<'t>(s: &Sizes<'t>, arms: &Arms) -> (Kept<'t>, Tensor<'t>) {
    let [joined, output_arm, gate_up_arm, down_arm] = arms;
    let seeds = s.seeds(arms);
    let first_rstd = s.scalars(1);
    let normed = s.rows(s.hidden);
    let weight = s.unpacked(joined);
    let projected = s.rows(joined.outputs);
    s.tape.touch_workspace();
    drop(weight);
    let query = s.rows_in(Some(normed).filter(|_| s.queries == s.hidden), s.queries);
    let key = s.rows(s.keys);
    let attention = s.tape.flash(s.attention);
    let weight = s.unpacked(output_arm);
    let output_input = s.dropped(output_arm);
    let base = s.rows(s.hidden);
    drop(weight);
    let (output_adapter, output, spare) = s.adapted(output_arm, base, output_input);
    let second_rstd = s.scalars(1);
    let normed = s.rows_in(spare, s.hidden);
    let weight = s.unpacked(gate_up_arm);
    let gate_up = s.rows(gate_up_arm.outputs);
    drop(weight);
    let weight = s.unpacked(down_arm);
    let product = s.rows(s.mlp);
    let down_input = s.dropped(down_arm);
    drop(seeds);
    let base = s.rows_in(Some(normed), s.hidden);
    drop(weight);
    let product = down_arm.reads_input().then_some(product);
    let (down_adapter, out, spare) = s.adapted(down_arm, base, down_input);
    drop(spare);
    let kept = Kept {
        rstds: [first_rstd, second_rstd],
        query,
        key,
        projected,
        attention,
        output,
        gate_up,
        product,
        adapters: [output_adapter, down_adapter],
    };
    (kept, out)
}

/// Backward: the gradient of the input, and those of the adapters on attention's output and the MLP's. `incoming` is
/// given where nothing else holds it.
pub fn backward<'t>(
    s: &Sizes<'t>,
    arms: &Arms,
    kept: Kept<'t>,
    incoming: Option<Tensor<'t>>,
) -> (Tensor<'t>, [Gradients<'t>; 2]) {
    let h = s.hidden;
    let [joined, output_arm, gate_up_arm, down_arm] = arms;
    let [output_adapter, down_adapter] = kept.adapters;
    let [first_rstd, second_rstd] = kept.rstds;

    // MLP
    let through = |arm: &Arm, adapter, input| {
        let mut spares = Spares::default();
        let (gradients, through) = spares.through(s, arm, adapter, input, None);
        (gradients, (through, spares.masks))
    };
    let (down, through_down) = through(down_arm, down_adapter, kept.product);
    let weight = s.unpacked(down_arm);
    let for_product = s.rows(s.mlp);
    s.tape.touch_workspace();
    drop(weight);
    let for_gate_up = s.rows(gate_up_arm.outputs);
    s.tape.generated_kernel();
    drop((through_down, for_product, kept.gate_up));
    let weight = s.unpacked(gate_up_arm);
    let gradient = s.rows(h);
    drop(weight);
    drop((for_gate_up, kept.output, second_rstd));

    // Attention
    let (output, through_output) = through(output_arm, output_adapter, None);
    let weight = s.unpacked(output_arm);
    let for_attended = s.rows(s.queries);
    drop((weight, for_attended));
    let [for_query, for_key, for_value] = s.tape.flash_backward(s.attention);
    drop((
        kept.query,
        kept.key,
        through_output,
        kept.attention,
        kept.projected,
    ));
    let for_projected = s.rows(joined.outputs);
    drop((for_key, for_value));
    let weight = s.unpacked(joined);
    let by_projected = s.rows_in(Some(for_query).filter(|_| s.queries == h), h);
    drop((weight, for_projected, by_projected, first_rstd, incoming));
    (gradient, [output, down])
}
