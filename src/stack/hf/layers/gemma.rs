//! Gemma (`transformers/models/gemma/modeling_gemma.py`): Llama with Gemma's norms.

use super::super::model::Layer;
use super::super::rotary::Shared;
use super::Attended;
use super::llama::with_modules;
use crate::plan::Plan;
use crate::replay::Tensor;

/// `GemmaDecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let attention = |x: &Tensor<'t>| attention(layer, plan, x, shared);
    with_modules(layer, plan, x, attention, |x| layer.gated_mlp(plan, x))
}

/// `GemmaAttention.forward`; with norms over heads, `Gemma3Attention.forward`.
pub fn attention<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>, shared: &Shared<'t>) -> Attended<'t> {
    let a = &plan.arch.attention;
    let mut q = layer.heads(plan, "self_attn.q_proj", x, a.heads);
    let mut k = layer.heads(plan, "self_attn.k_proj", x, a.kv_heads);
    let v = layer.heads(plan, "self_attn.v_proj", x, a.kv_heads);
    if a.query_norm.is_some() {
        q = layer.norm(plan, "self_attn.q_norm", &q);
        k = layer.norm(plan, "self_attn.k_norm", &k);
    }
    (q, k) = layer.rotated(&q, &k, shared);
    layer.attend(plan, q, k, v, shared)
}
