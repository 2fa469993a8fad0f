//! HunYuan dense (`transformers/models/hunyuan_v1_dense/modeling_hunyuan_v1_dense.py`): Llama with norms over heads
//! behind the rotation.

use super::super::model::Layer;
use super::super::rotary::Shared;
use super::Attended;
use super::llama::with_modules;
use crate::plan::Plan;
use crate::replay::Tensor;

/// `HunYuanDenseV1DecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let attention = |x: &Tensor<'t>| attention(layer, plan, x, shared);
    with_modules(layer, plan, x, attention, |x| layer.gated_mlp(plan, x))
}

/// `HunYuanDenseV1Attention.forward`.
fn attention<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>, shared: &Shared<'t>) -> Attended<'t> {
    let a = &plan.arch.attention;
    let mut q = layer.heads(plan, "self_attn.q_proj", x, a.heads);
    let mut k = layer.heads(plan, "self_attn.k_proj", x, a.kv_heads);
    let v = layer.heads(plan, "self_attn.v_proj", x, a.kv_heads);
    (q, k) = layer.rotated(&q, &k, shared);
    q = layer.norm(plan, "self_attn.query_layernorm", &q);
    k = layer.norm(plan, "self_attn.key_layernorm", &k);
    layer.attend(plan, q, k, v, shared)
}
