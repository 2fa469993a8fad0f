//! One compiled decoder layer of Phi-3 whose weights are trained: joined projections, norms on both sides of attention (see
//! [`super::full`]). Gradients of weights come as soon as they can.

use super::phi::Arms;
use super::sizes::{Buffer, Sizes};
use crate::replay::{Dtype, Tensor};

/// What a layer keeps for its backward pass.
pub struct Kept<'t> {
    rstds: [Buffer<'t>; 2],
    first_norm: Buffer<'t>,
    /// The values are a part of it.
    projected: Buffer<'t>,
    query: Buffer<'t>,
    key: Buffer<'t>,
    attention: [Buffer<'t>; 4],
    output: Buffer<'t>,
    second_norm: Buffer<'t>,
    gate_up: Buffer<'t>,
    product: Buffer<'t>,
}

/// Gradients of a layer's weights.
pub struct Gradients<'t> {
    /// Of the norms' weights, in fp32.
    pub norms: [Buffer<'t>; 2],
    /// Of the linear layers' weights: queries with keys and values, output, gate with up, down.
    pub linears: [Buffer<'t>; 4],
}

/// Sums over all tokens are taken in this many parts.
const PARTS: u64 = 16;

/// Forward without gradients: Inductor packs what it needs into a few pools.
pub fn forward_only<'t>(s: &Sizes<'t>, arms: &Arms) -> Tensor<'t> {
    let out = s.rows(s.hidden);
    let wide = s.rows(arms[2].outputs);
    s.tape.touch_workspace();
    drop(s.tape.flash(s.attention));
    drop(s.rows(s.mlp));
    drop(wide);
    out
}

/// Forward with what backward needs; the second result is the layer's output.
pub fn forward<'t>(s: &Sizes<'t>, arms: &Arms) -> (Kept<'t>, Tensor<'t>) {
    let first_rstd = s.scalars(1);
    let first_norm = s.rows(s.hidden);
    let projected = s.rows(arms[0].outputs);
    s.tape.touch_workspace();
    let query = s.rows(s.queries);
    let key = s.rows(s.keys);
    let attention = s.tape.flash(s.attention);
    let output = s.rows(s.hidden);
    let second_rstd = s.scalars(1);
    let second_norm = s.rows(s.hidden);
    let gate_up = s.rows(arms[2].outputs);
    let product = s.rows(s.mlp);
    s.tape.kernel_of_recomputation();
    let out = s.rows(s.hidden);
    let kept = Kept {
        rstds: [first_rstd, second_rstd],
        first_norm,
        projected,
        query,
        key,
        attention,
        output,
        second_norm,
        gate_up,
        product,
    };
    (kept, out)
}

/// Backward: the gradient of the input, and those of the weights. `incoming` is given where nothing else holds it.
pub fn backward<'t>(
    s: &Sizes<'t>,
    arms: &Arms,
    kept: Kept<'t>,
    incoming: Option<Tensor<'t>>,
) -> (Tensor<'t>, Gradients<'t>) {
    let h = s.hidden;
    let [joined, output_arm, gate_up_arm, down_arm] = arms;
    let [first_rstd, second_rstd] = kept.rstds;
    let weight = |inputs: u64, outputs: u64| s.buffer(inputs.saturating_mul(outputs), s.dtype);
    let [attended, lse, seed, offset] = kept.attention;
    let down_weight = weight(down_arm.inputs, h);
    s.tape.touch_workspace();
    drop(kept.product);
    let for_product = s.rows(s.mlp);
    let for_gate_up = s.rows(gate_up_arm.outputs);
    s.tape.generated_kernel();
    drop((for_product, kept.gate_up));
    let gate_up_weight = weight(h, gate_up_arm.outputs);
    drop(kept.second_norm);
    let through_norm = s.rows(h);
    drop(for_gate_up);
    let gradient = s.rows(h);
    drop(incoming);
    let for_attended = s.rows(s.queries);
    let [for_query, for_key, for_value] = s.tape.flash_backward(s.attention);
    drop((
        kept.query,
        kept.key,
        for_attended,
        lse,
        seed,
        offset,
        kept.projected,
    ));
    let for_projected = s.rows(joined.outputs);
    drop((for_key, for_value));
    let by_projected = s.rows_in(Some(for_query), h);
    let sums = [0, 1].map(|_| s.buffer(h.saturating_mul(PARTS), Dtype::F32));
    drop((through_norm, kept.output, second_rstd));
    let [second_sums, first_sums] = sums;
    let second_norm = s.buffer(h, Dtype::F32);
    drop(second_sums);
    let output_weight = weight(output_arm.inputs, h);
    drop(attended);
    let joined_weight = weight(h, joined.outputs);
    drop((for_projected, kept.first_norm));
    let first_norm = s.buffer(h, Dtype::F32);
    drop((first_sums, by_projected, first_rstd));
    let gradients = Gradients {
        norms: [first_norm, second_norm],
        linears: [joined_weight, output_weight, gate_up_weight, down_weight],
    };
    (gradient, gradients)
}
