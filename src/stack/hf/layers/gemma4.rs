//! Gemma 4 (`transformers/models/gemma4/modeling_gemma4.py`, `gemma4_unified/modeling_gemma4_unified.py`): Gemma 3 with
//! norms over values, wider heads in full layers, keys that serve as values, last layers that take keys and values from
//! earlier ones, and experts beside the MLP.

use super::super::model::Layer;
use super::super::norm::norm_by_power;
use super::super::rotary::{Shared, rotate_by};
use super::Attended;
use super::experts::{self, Routing, normalized, rows, unrows};
use crate::model::Experts;
use crate::plan::Plan;
use crate::replay::{Dtype, Tensor};

/// `Gemma4TextDecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let mut residual = x;
    let mut hidden = layer.norm(plan, "input_layernorm", &residual);
    let mut _returned;
    (hidden, _returned) = attention(layer, plan, &hidden, shared);
    hidden = layer.norm(plan, "post_attention_layernorm", &hidden);
    hidden = residual.add(&hidden);
    residual = hidden;
    hidden = layer.norm(plan, "pre_feedforward_layernorm", &residual);
    hidden = layer.gated_mlp(plan, &hidden);
    let _branches;
    if let Some(experts) = plan.arch.experts_of(layer.index.into()) {
        let beside = beside_experts(layer, plan, experts, &residual, &hidden);
        hidden = beside.0.add(&beside.1);
        // The weights of eager attention give their name to the router's probabilities.
        _returned = None;
        _branches = beside;
    }
    hidden = layer.norm(plan, "post_feedforward_layernorm", &hidden);
    hidden = residual.add(&hidden);
    if let Some(of_layer) = &shared.per_layer {
        residual = hidden;
        hidden = layer.linear("per_layer_input_gate", &residual);
        hidden = hidden.activation(plan.arch.mlp.activation);
        hidden = hidden.mul(of_layer);
        hidden = layer.linear("per_layer_projection", &hidden);
        hidden = layer.norm(plan, "post_per_layer_input_norm", &hidden);
        hidden = residual.add(&hidden);
    }
    match layer.scale() {
        Some(scale) => hidden.mul_in_place(scale),
        None => hidden,
    }
}

/// `apply_rotary_pos_emb(x, cos, sin, unsqueeze_dim=2)`.
pub(super) fn rotated<'t>(x: &Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    x.tape().within("self_attn", || {
        let table = |table: &Tensor<'t>| table.transpose(1, 2);
        rotate_by(x, &table(&shared.cos), &table(&shared.sin))
    })
}

/// `Gemma4TextAttention.forward`.
fn attention<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>, shared: &Shared<'t>) -> Attended<'t> {
    let (tape, index) = (x.tape(), layer.index.into());
    let a = plan.arch.attention_of(index);
    let heads = |path, n| {
        let shape = [plan.batch, plan.seq, n, a.head_dim];
        layer.linear(path, x).reshape(&shape)
    };
    let normed = tape.saved_again();
    let mut q = heads("self_attn.q_proj", a.heads);
    q = layer.norm(plan, "self_attn.q_norm", &q);
    q = rotated(&q, shared);
    q = q.transpose(1, 2);
    let queried = tape.saved_again();
    let key = u8::from(plan.arch.is_windowed(index));
    let (mut k, mut v);
    if plan.arch.takes_keys(index) {
        let Some(lent) = tape.lent(key) else {
            return (x.clone(), None);
        };
        [k, v] = lent;
    } else {
        k = heads("self_attn.k_proj", a.kv_heads);
        v = match a.keys_are_values {
            true => k.clone(),
            false => heads("self_attn.v_proj", a.kv_heads),
        };
        k = layer.norm(plan, "self_attn.k_norm", &k);
        k = rotated(&k, shared);
        k = k.transpose(1, 2);
        v = tape.within("self_attn.v_norm", || norm_by_power(&v, None));
        v = v.transpose(1, 2);
    }
    if plan.arch.lends_keys(index) {
        tape.lend(key, [&k, &v], &[0..normed, queried..tape.saved_again()]);
    }
    layer.attend(plan, q, k, v, shared)
}

/// The MLP's result and the experts', each behind a norm; and the router's.
fn beside_experts<'t>(
    layer: &Layer<'t>,
    plan: &Plan,
    experts: &Experts,
    residual: &Tensor<'t>,
    from_mlp: &Tensor<'t>,
) -> (Tensor<'t>, Tensor<'t>, Tensor<'t>, Option<Routing<'t>>) {
    let tape = residual.tape();
    let first = layer.norm(plan, "post_feedforward_layernorm_1", from_mlp);
    let flat = rows(plan, residual);
    let routing = tape.within("router", || route(layer, experts, &flat));
    let mut second = layer.norm(plan, "pre_feedforward_layernorm_2", &flat);
    if let Some(routing) = &routing {
        second = tape.within("experts", || {
            experts::forward(layer, plan, experts, &second, routing)
        });
    }
    second = unrows(plan, &second);
    second = layer.norm(plan, "post_feedforward_layernorm_2", &second);
    (first, second, flat, routing)
}

/// `Gemma4TextRouter.forward`.
fn route<'t>(layer: &Layer<'t>, experts: &Experts, x: &Tensor<'t>) -> Option<Routing<'t>> {
    let (scale, by_expert) = (
        layer.weight("router.scale")?,
        layer.weight("router.per_expert_scale")?,
    );
    let mut hidden = x.tape().within("router.norm", || norm_by_power(x, None));
    hidden = hidden.mul(scale).scale();
    let scores = layer.linear("router.proj", &hidden);
    let probabilities = scores.softmax(Dtype::F32);
    let (mut weights, places) = probabilities.top_k(experts.per_token);
    weights = normalized(&weights);
    weights = weights.mul(&by_expert.pick_rows(&places));
    Some(Routing {
        _logits: probabilities,
        weights,
        _experts: places,
    })
}
