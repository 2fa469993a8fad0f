//! One compiled decoder layer whose weights are trained and that norms behind attention and MLP too, with flex attention
//! (Gemma 3): the buffers of Inductor's generated code (see [`super::full`]).

use super::sizes::{Buffer, Sizes};
use crate::replay::{Dtype, Tensor};

/// What a layer keeps for its backward pass.
pub struct Kept<'t> {
    first_rstd: Buffer<'t>,
    first_norm: Buffer<'t>,
    /// Before their norm, and the norm's reciprocals.
    normed: [Buffer<'t>; 4],
    value: Buffer<'t>,
    query: Buffer<'t>,
    key: Buffer<'t>,
    /// Flex attention's log-sum-exp and output, and that in the order of tokens.
    attention: [Buffer<'t>; 3],
    output: Buffer<'t>,
    rstds: [Buffer<'t>; 2],
    second_norm: Buffer<'t>,
    gate: Buffer<'t>,
    up: Buffer<'t>,
    product: Buffer<'t>,
    down: Buffer<'t>,
    last_rstd: Buffer<'t>,
}

/// Gradients of a layer's weights.
pub struct Gradients<'t> {
    /// Of the norms' weights, in fp32: before attention, behind it, before the MLP, behind it.
    pub norms: [Buffer<'t>; 4],
    /// Of the linear layers' weights: query, key, value, output, gate, up, down.
    pub linears: [Buffer<'t>; 7],
}

/// Forward without gradients: Inductor packs what it needs into a few pools.
pub fn forward_only<'t>(s: &Sizes<'t>) -> Tensor<'t> {
    let out = s.rows(s.hidden);
    let first = s.rows(s.mlp.max(2 * s.queries + 2 * s.keys));
    s.tape.touch_workspace();
    let rstd = s.scalars(1);
    let normed = s.rows(s.hidden);
    let second = s.rows(s.mlp);
    drop((normed, first, rstd, second));
    out
}

/// Forward with what backward needs; the second result is the layer's output.
pub fn forward<'t>(s: &Sizes<'t>) -> (Kept<'t>, Tensor<'t>) {
    let heads = s.attention.heads;
    let first_rstd = s.scalars(1);
    let first_norm = s.rows(s.hidden);
    let plain_query = s.rows(s.queries);
    s.tape.touch_workspace();
    let plain_key = s.rows(s.keys);
    let value = s.rows(s.keys);
    let of_query = s.scalars(heads);
    let of_key = s.scalars(s.attention.kv_heads);
    let key = s.rows(s.keys);
    let query = s.rows(s.queries);
    let lse = s.scalars(heads);
    let maxima = s.scalars(heads);
    let attended = s.rows(s.queries);
    drop(maxima);
    let copied = s.rows(s.queries);
    let output = s.rows(s.hidden);
    let rstds = [s.scalars(1), s.scalars(1)];
    let second_norm = s.rows(s.hidden);
    let [gate, up, product] = [0, 1, 2].map(|_| s.rows(s.mlp));
    s.tape.kernel_of_recomputation();
    let down = s.rows(s.hidden);
    let last_rstd = s.scalars(1);
    let out = s.rows(s.hidden);
    let kept = Kept {
        first_rstd,
        first_norm,
        normed: [plain_query, plain_key, of_query, of_key],
        value,
        query,
        key,
        attention: [lse, attended, copied],
        output,
        rstds,
        second_norm,
        gate,
        up,
        product,
        down,
        last_rstd,
    };
    (kept, out)
}

/// Backward: the gradient of the input, and those of the weights. `incoming` is given where nothing else holds it.
pub fn backward<'t>(
    s: &Sizes<'t>,
    kept: Kept<'t>,
    incoming: Option<Tensor<'t>>,
) -> (Tensor<'t>, Gradients<'t>) {
    let (h, f, q, k) = (s.hidden, s.mlp, s.queries, s.keys);
    let single = |width: u64| s.buffer(s.tokens.saturating_mul(width), Dtype::F32);
    let weight = |inputs: u64, outputs: u64| s.buffer(inputs.saturating_mul(outputs), s.dtype);
    let [lse, attended, copied] = kept.attention;
    let [plain_query, plain_key, of_query, of_key] = kept.normed;

    // MLP
    let through_norm = s.rows(h);
    let for_product = s.rows(f);
    s.tape.touch_workspace();
    let for_up = s.rows(f);
    s.tape.kernel_in_place(&kept.up);
    drop((for_product, kept.gate));
    let for_gate = kept.up;
    let from_halves = [s.rows(h), s.rows(h)];
    let residual = single(h);
    let through_second = s.rows(h);

    // Attention
    let for_attended = s.rows(q);
    let delta = s.scalars(s.attention.heads);
    drop(attended);
    let [for_query, for_value, for_key] = [q, k, k].map(|width| s.rows(width));
    drop((kept.key, delta, kept.query, lse, kept.value));
    let from_value = s.rows(h);
    let wide_key = single(k);
    let unrotated_key = s.rows(k);
    drop(for_key);
    let from_key = s.rows(h);
    let wide_query = single(q);
    drop(for_query);
    let from_query = s.rows(h);

    // Weights
    let sums = [0, 1, 2, 3].map(|_| s.buffer(s.parts(h).saturating_mul(h), Dtype::F32));
    drop((from_halves, kept.output, kept.down, kept.rstds, kept.last_rstd));
    let [last_sums, third_sums, second_sums, first_sums] = sums;
    let last_norm = s.buffer(h, Dtype::F32);
    drop(last_sums);
    let down_weight = weight(f, h);
    drop((kept.product, through_norm));
    let up_weight = weight(h, f);
    drop(for_up);
    let gate_weight = weight(h, f);
    drop((for_gate, kept.second_norm));
    let third_norm = s.buffer(h, Dtype::F32);
    drop(third_sums);
    let second_norm = s.buffer(h, Dtype::F32);
    drop(second_sums);
    let output_weight = weight(q, h);
    drop((copied, through_second));
    drop((wide_key, plain_key, of_key));
    drop((wide_query, plain_query, of_query));
    let value_weight = weight(h, k);
    drop(for_value);
    let key_weight = weight(h, k);
    drop(unrotated_key);
    let query_weight = weight(h, q);
    drop((for_attended, kept.first_norm));
    let first_norm = s.buffer(h, Dtype::F32);
    drop((
        first_sums,
        residual,
        from_key,
        from_query,
        kept.first_rstd,
        incoming,
    ));
    let gradients = Gradients {
        norms: [first_norm, second_norm, third_norm, last_norm],
        linears: [
            query_weight,
            key_weight,
            value_weight,
            output_weight,
            gate_weight,
            up_weight,
            down_weight,
        ],
    };
    // The first that is made takes the sum of all.
    (from_value, gradients)
}
