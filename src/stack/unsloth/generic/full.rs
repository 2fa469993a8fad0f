//! One compiled decoder layer whose weights are trained: the buffers of Inductor's generated code, forward without
//! gradients, forward with what backward needs, and backward
//! (`torch/_inductor/codegen/wrapper.py` on transformers' layer as `unsloth/models/_block_compile.py` compiles it).

use super::sizes::{Buffer, Sizes};
use crate::replay::{Dtype, Tensor};

/// Rows that a kernel with both orders of reduction sums at once.
const MIXED_ROWS: u64 = 16;

/// What a layer keeps for its backward pass.
pub struct Kept<'t> {
    first_rstd: Buffer<'t>,
    first_norm: Buffer<'t>,
    /// Before their norm, and the norm's reciprocals.
    normed: Option<[Buffer<'t>; 4]>,
    value: Buffer<'t>,
    query: Buffer<'t>,
    key: Buffer<'t>,
    attention: [Buffer<'t>; 4],
    output: Buffer<'t>,
    second_rstd: Buffer<'t>,
    second_norm: Buffer<'t>,
    gate: Buffer<'t>,
    up: Buffer<'t>,
    product: Buffer<'t>,
}

/// Gradients of a layer's weights.
pub struct Gradients<'t> {
    /// Of the norms' weights, in fp32.
    pub norms: [Buffer<'t>; 2],
    /// Of the linear layers' weights: query, key, value, output, gate, up, down.
    pub linears: [Buffer<'t>; 7],
}

/// Forward without gradients: Inductor packs what it needs into a few pools.
pub fn forward_only<'t>(s: &Sizes<'t>) -> Tensor<'t> {
    let first = s.rows(s.mlp.max(3 * s.hidden));
    let out = s.rows(s.hidden);
    let second = s.rows(s.mlp.max(s.hidden).max(2 * s.keys));
    {
        let [attended, lse, seed, offset] = s.tape.flash(s.attention);
        s.touch_workspaces();
        drop((offset, seed, lse));
        drop(attended);
    }
    drop(s.rows(s.hidden));
    drop(first);
    drop(second);
    out
}

/// Forward with what backward needs; the second result is the layer's output.
pub fn forward<'t>(s: &Sizes<'t>) -> (Kept<'t>, Tensor<'t>) {
    let first_rstd = s.scalars(1);
    let first_norm = s.rows(s.hidden);
    let plain_query = s.rows(s.queries);
    s.touch_workspaces();
    let plain_key = s.rows(s.keys);
    let value = s.rows(s.keys);
    let reciprocals = s
        .query_norm
        .then(|| [s.scalars(s.attention.heads), s.scalars(s.attention.kv_heads)]);
    let query = s.rows(s.queries);
    let key = s.rows(s.keys);
    let (normed, spare) = match reciprocals {
        Some([of_query, of_key]) => (Some([plain_query, plain_key, of_query, of_key]), None),
        None => {
            drop(plain_key);
            (None, Some(plain_query))
        }
    };
    let attention = s.tape.flash(s.attention);
    let output = s.rows_in(spare, s.hidden);
    let second_rstd = s.scalars(1);
    let second_norm = s.rows(s.hidden);
    let gate = s.rows(s.mlp);
    let up = s.rows(s.mlp);
    let product = s.rows(s.mlp);
    s.tape.kernel_of_recomputation();
    let out = s.rows(s.hidden);
    let kept = Kept {
        first_rstd,
        first_norm,
        normed,
        value,
        query,
        key,
        attention,
        output,
        second_rstd,
        second_norm,
        gate,
        up,
        product,
    };
    (kept, out)
}

/// Backward: the gradient of the input, and those of the weights. `incoming` is given where nothing else holds it.
///
/// Inductor takes the order with the least peak (`torch/_inductor/memory.py: reorder_for_peak_memory`). Where there are more
/// tokens than columns, a weight's gradient is smaller than what it is made of, and comes as soon as it can.
pub fn backward<'t>(
    s: &Sizes<'t>,
    kept: Kept<'t>,
    incoming: Option<Tensor<'t>>,
) -> (Tensor<'t>, Gradients<'t>) {
    match s.tokens > s.hidden {
        true => backward_of_many(s, kept, incoming),
        false => backward_of_few(s, kept, incoming),
    }
}

/// With more tokens than columns.
fn backward_of_many<'t>(
    s: &Sizes<'t>,
    kept: Kept<'t>,
    incoming: Option<Tensor<'t>>,
) -> (Tensor<'t>, Gradients<'t>) {
    let (h, f, q, k) = (s.hidden, s.mlp, s.queries, s.keys);
    let weight = |inputs: u64, outputs: u64| s.buffer(inputs.saturating_mul(outputs), s.dtype);
    let [attended, lse, seed, offset] = kept.attention;
    let down_weight = weight(f, h);
    s.tape.touch_workspace();
    drop(kept.product);
    let for_product = s.rows(f);
    let for_up = s.rows(f);
    s.tape.kernel_in_place(&kept.up);
    drop((for_product, kept.gate));
    let for_gate = kept.up;
    let up_weight = weight(h, f);
    let through_up = s.rows(h);
    drop(for_up);
    let gate_weight = weight(h, f);
    drop(kept.second_norm);
    let through_gate = s.rows(h);
    drop(for_gate);
    let residual = s.rows(h);
    drop(incoming);
    let for_attended = s.rows(q);
    let [for_query, for_key, for_value] = s.tape.flash_backward(s.attention);
    drop((kept.query, kept.key, lse, seed, offset));
    drop(kept.value);
    let through_value = s.rows_in(Some(for_attended), h);
    let unrotated_key = s.rows(k);
    drop(for_key);
    let through_key = s.rows(h);
    let unrotated_query = s.rows(q);
    drop(kept.normed);
    let through_query = s.rows_in(Some(for_query), h);
    let gradient = s.rows(h);
    // Both norms' weights in one kernel (`torch/_inductor/codegen/triton.py`, mixed orders of reduction).
    let sums = s.buffer(s.tokens.div_ceil(MIXED_ROWS).saturating_mul(2 * h), Dtype::F32);
    let norms = [0, 1].map(|_| s.buffer(h, Dtype::F32));
    drop((sums, through_value, through_key, through_query));
    drop((through_up, through_gate, kept.output));
    drop((kept.first_rstd, kept.second_rstd));
    let output_weight = weight(q, h);
    drop((residual, attended));
    let value_weight = weight(h, k);
    drop(for_value);
    let key_weight = weight(h, k);
    drop(unrotated_key);
    let query_weight = weight(h, q);
    drop((unrotated_query, kept.first_norm));
    let gradients = Gradients {
        norms,
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
    (gradient, gradients)
}

/// With no more tokens than columns.
fn backward_of_few<'t>(
    s: &Sizes<'t>,
    kept: Kept<'t>,
    incoming: Option<Tensor<'t>>,
) -> (Tensor<'t>, Gradients<'t>) {
    let (h, f, q, k) = (s.hidden, s.mlp, s.queries, s.keys);
    let [attended, lse, seed, offset] = kept.attention;
    let for_product = s.rows(f);
    s.tape.touch_workspace();
    let for_up = s.rows(f);
    s.tape.kernel_in_place(&kept.up);
    drop(for_product);
    drop(kept.gate);
    let for_gate = kept.up;
    let through_up = s.rows(h);
    let through_gate = s.rows(h);
    let residual = s.rows(h);
    let for_attended = s.rows(q);
    let [for_query, for_key, for_value] = s.tape.flash_backward(s.attention);
    drop((kept.query, kept.key, lse, seed, offset));
    drop(kept.value);
    let through_value = s.rows_in(Some(for_attended), h);
    let unrotated_key = s.rows(k);
    drop(for_key);
    let through_key = s.rows(h);
    let unrotated_query = s.rows(q);
    drop(kept.normed);
    let through_query = s.rows_in(Some(for_query), h);
    let sums = || s.buffer(s.parts(h).saturating_mul(h), Dtype::F32);
    let (second_sums, first_sums) = (sums(), sums());
    drop((through_up, through_gate, kept.output, kept.second_rstd));
    let second_weight = s.buffer(h, Dtype::F32);
    drop(second_sums);
    let first_weight = s.buffer(h, Dtype::F32);
    drop(first_sums);
    let weight = |inputs: u64, outputs: u64| s.buffer(inputs.saturating_mul(outputs), s.dtype);
    let value_weight = weight(h, k);
    drop(for_value);
    let key_weight = weight(h, k);
    drop(unrotated_key);
    let output_weight = weight(q, h);
    drop(attended);
    let query_weight = weight(h, q);
    drop((unrotated_query, kept.first_norm));
    drop((through_value, through_key, through_query, kept.first_rstd));
    let down_weight = weight(f, h);
    drop((kept.product, incoming));
    let up_weight = weight(h, f);
    drop(for_up);
    let gate_weight = weight(h, f);
    drop((for_gate, kept.second_norm));
    let gradients = Gradients {
        norms: [first_weight, second_weight],
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
    (residual, gradients)
}
