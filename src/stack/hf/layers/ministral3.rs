//! Ministral 3 (`transformers/models/ministral3/modeling_ministral3.py`): Mistral with queries scaled by position.

use super::super::model::Layer;
use super::super::rotary::Shared;
use super::Attended;
use super::llama::with_modules;
use crate::plan::Plan;
use crate::replay::{Dtype, Tensor};

/// `Ministral3DecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let attention = |x: &Tensor<'t>| attention(layer, plan, x, shared);
    with_modules(layer, plan, x, attention, |x| layer.gated_mlp(plan, x))
}

/// `Ministral3Attention.forward`.
fn attention<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>, shared: &Shared<'t>) -> Attended<'t> {
    let a = &plan.arch.attention;
    let mut q = layer.heads(plan, "self_attn.q_proj", x, a.heads);
    let mut k = layer.heads(plan, "self_attn.k_proj", x, a.kv_heads);
    let v = layer.heads(plan, "self_attn.v_proj", x, a.kv_heads);
    (q, k) = layer.rotated(&q, &k, shared);
    q = {
        let scale = attention_scale(plan, &shared.positions, q.dtype());
        x.tape().within("self_attn", || q.mul(&scale))
    };
    layer.attend(plan, q, k, v, shared)
}

/// `get_llama_4_attn_scale(position_ids, ...).to(dtype)`.
pub(super) fn attention_scale<'t>(plan: &Plan, positions: &Tensor<'t>, dtype: Dtype) -> Tensor<'t> {
    let tape = positions.tape();
    tape.within("self_attn", || {
        let step = |op| tape.temporary(&[1, 1, plan.seq, 1], Dtype::F32, op);
        let mut scale = step("div");
        for op in ["floor", "add", "log", "mul", "add"] {
            scale = step(op);
        }
        scale.to(dtype)
    })
}
