//! EXAONE 4 (`transformers/models/exaone4/modeling_exaone4.py`): norms behind attention and MLP and over heads, no
//! positions in full layers of models that also have windows.

use super::super::model::Layer;
use super::super::rotary::Shared;
use super::Attended;
use super::olmo2::with_attention;
use crate::plan::Plan;
use crate::replay::Tensor;

/// `Exaone4DecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    with_attention(layer, plan, x, |x| attention(layer, plan, x, shared))
}

/// `Exaone4Attention.forward`.
fn attention<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>, shared: &Shared<'t>) -> Attended<'t> {
    let a = &plan.arch.attention;
    let mut q = layer.heads(plan, "self_attn.q_proj", x, a.heads);
    let mut k = layer.heads(plan, "self_attn.k_proj", x, a.kv_heads);
    let v = layer.heads(plan, "self_attn.v_proj", x, a.kv_heads);
    q = layer.norm(plan, "self_attn.q_norm", &q);
    k = layer.norm(plan, "self_attn.k_norm", &k);
    if plan.arch.rotates(layer.index.into()) {
        (q, k) = layer.rotated(&q, &k, shared);
    }
    layer.attend(plan, q, k, v, shared)
}
