//! Experts by grouped products (`transformers/integrations/moe.py: grouped_mm_experts_forward`): tokens are gathered in
//! the order of their experts, multiplied group by group, and put back.

use super::super::model::Layer;
use super::super::weight_adapter::Wrapped;
use crate::model::{ExpertStorage, Experts};
use crate::plan::Plan;
use crate::replay::{Dtype, Tensor};

/// What a router returns.
pub struct Routing<'t> {
    /// Tokens x experts; returned, and dropped when the block ends.
    pub _logits: Tensor<'t>,
    /// Weights of the chosen experts: tokens x chosen.
    pub weights: Tensor<'t>,
    /// The chosen experts: tokens x chosen.
    pub _experts: Tensor<'t>,
}

/// The tokens in one row each.
pub fn rows<'t>(plan: &Plan, x: &Tensor<'t>) -> Tensor<'t> {
    x.reshape(&[plan.batch * plan.seq, plan.arch.hidden])
}

/// Rows of tokens in the shape of hidden states.
pub fn unrows<'t>(plan: &Plan, x: &Tensor<'t>) -> Tensor<'t> {
    x.reshape(&[plan.batch, plan.seq, plan.arch.hidden])
}

/// A mixture of experts in place of an MLP: the tokens in one row each, routed, computed, and in their shape again.
pub fn sparse_block<'t>(
    layer: &Layer<'t>,
    plan: &Plan,
    experts: &Experts,
    x: &Tensor<'t>,
    route: impl FnOnce(&Tensor<'t>, &Wrapped<'t>) -> Routing<'t>,
) -> Tensor<'t> {
    let rows = rows(plan, x);
    match routed(layer, plan, experts, &rows, route) {
        Some((out, _routing)) => unrows(plan, &out),
        None => x.clone(),
    }
}

/// Rows of tokens routed by the weight of `mlp.gate` and computed by their experts; the routing is held by the caller.
pub fn routed<'t>(
    layer: &Layer<'t>,
    plan: &Plan,
    experts: &Experts,
    rows: &Tensor<'t>,
    route: impl FnOnce(&Tensor<'t>, &Wrapped<'t>) -> Routing<'t>,
) -> Option<(Tensor<'t>, Routing<'t>)> {
    let tape = rows.tape();
    let routing = tape.within("mlp.gate", || {
        Some(route(rows, &layer.wrapped("mlp.gate.weight")?))
    })?;
    let out = tape.within("mlp.experts", || forward(layer, plan, experts, rows, &routing));
    Some((out, routing))
}

/// `router_top_value /= router_top_value.sum(dim=-1, keepdim=True)`.
pub fn normalized<'t>(values: &Tensor<'t>) -> Tensor<'t> {
    let sum = values.sum(1, true);
    values.divide_in_place(&sum)
}

/// `grouped_mm_experts_forward`.
pub fn forward<'t>(
    layer: &Layer<'t>,
    plan: &Plan,
    experts: &Experts,
    x: &Tensor<'t>,
    routing: &Routing<'t>,
) -> Tensor<'t> {
    // The wrapper of what was wrapped last is the outermost.
    let [gate_up, down] = plan.arch.family.expert_paths();
    let down = layer.wrapped(down);
    let gate_up = layer.wrapped(gate_up);
    let (Some(gate_up), Some(down)) = (gate_up, down) else {
        return x.clone();
    };
    let tape = x.tape();
    let tokens = plan.batch * plan.seq;
    let pairs = tokens * experts.per_token;
    let indices = |op| tape.temporary(&[pairs], Dtype::I64, op);

    let sample_weights = routing.weights.reshape(&[pairs]);
    let (sorted, places) = tape.sort_indices(pairs);
    let mut selected = x.pick_rows(&indices("floor_divide"));
    let sample_weights_sorted = sample_weights.pick_rows(&places);
    let _ids = tape.temporary(&[pairs], Dtype::I32, "int");
    let _counts = tape.temporary(&[experts.count], Dtype::I32, "histc");
    let offsets = tape.temporary(&[experts.count], Dtype::I32, "cumsum");
    tape.scratch(SCAN_BYTES, "cumsum");
    let sentinels = tape.temporary(&[pairs], Dtype::Bool, "ge");

    let biases = |path| layer.weight(path).map(|bias| bias.pick_rows(&sorted));
    let mut selected_biases = biases("mlp.experts.gate_up_proj_bias");
    let gate_up = gate_up.get();
    selected = selected.masked_fill_in_place(&sentinels);
    let mut out = grouped_linear(experts, &selected, gate_up, &offsets, selected_biases.as_ref());
    out = out.masked_fill(&sentinels);
    out = match experts.storage {
        ExpertStorage::Concatenated => gated(plan, &out),
        ExpertStorage::Interleaved => gated_in_turns(&out),
    };
    selected_biases = biases("mlp.experts.down_proj_bias");
    out = grouped_linear(experts, &out, down.get(), &offsets, selected_biases.as_ref());
    out = out.masked_fill(&sentinels);

    let mut weighted = out.mul(&sample_weights_sorted.reshape(&[pairs, 1]));
    let inverse = indices("empty_like");
    drop(indices("arange"));
    weighted = weighted.pick_rows(&inverse);
    let summed = weighted
        .reshape(&[tokens, experts.per_token, plan.arch.hidden])
        .sum(1, false);
    summed.to(x.dtype())
}

/// Scratch of CUB's scan of up to a block of 4-byte numbers (`cub::DeviceScan::InclusiveScan`).
const SCAN_BYTES: u64 = 1023;

/// `_grouped_linear`: grouped products know no autocast, so the input comes in the dtype of the weight.
fn grouped_linear<'t>(
    experts: &Experts,
    x: &Tensor<'t>,
    weight: &Tensor<'t>,
    offsets: &Tensor<'t>,
    bias: Option<&Tensor<'t>>,
) -> Tensor<'t> {
    let transposed = experts.storage == ExpertStorage::Concatenated;
    let out = x.to(weight.dtype()).grouped_mm(weight, offsets, transposed);
    match bias {
        Some(bias) => out.add_in_place(bias),
        None => out,
    }
}

/// `_default_apply_gate`.
fn gated<'t>(plan: &Plan, x: &Tensor<'t>) -> Tensor<'t> {
    let (gate, up) = x.halves_last();
    gate.activation(plan.arch.mlp.activation).mul(&up)
}

/// `GptOssExperts._apply_gate`.
fn gated_in_turns<'t>(x: &Tensor<'t>) -> Tensor<'t> {
    let (mut gate, mut up) = (x.every_second_last(), x.every_second_last());
    gate = gate.clamp(1);
    up = up.clamp(2);
    let sigmoid = |gate: &Tensor<'t>| gate.scale().squash("sigmoid");
    let glu = gate.mul(&sigmoid(&gate));
    up.add_number().mul(&glu)
}
