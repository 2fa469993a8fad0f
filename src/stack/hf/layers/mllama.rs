//! Llama 3.2 Vision (`transformers/models/mllama/modeling_mllama.py`), its layers of text: Llama, all three projections
//! before any of them is seen as heads.

use super::super::model::Layer;
use super::super::rotary::Shared;
use super::Attended;
use super::llama::with_modules;
use crate::plan::Plan;
use crate::replay::Tensor;

/// `MllamaSelfAttentionDecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let attention = |x: &Tensor<'t>| attention(layer, plan, x, shared);
    with_modules(layer, plan, x, attention, |x| layer.gated_mlp(plan, x))
}

/// `MllamaTextSelfAttention.forward`.
fn attention<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>, shared: &Shared<'t>) -> Attended<'t> {
    let a = &plan.arch.attention;
    let mut q = layer.linear("self_attn.q_proj", x);
    let mut k = layer.linear("self_attn.k_proj", x);
    let mut v = layer.linear("self_attn.v_proj", x);
    let heads = |t: &Tensor<'t>, n: u64| t.reshape(&[plan.batch, plan.seq, n, a.head_dim]).transpose(1, 2);
    q = heads(&q, a.heads);
    k = heads(&k, a.kv_heads);
    v = heads(&v, a.kv_heads);
    (q, k) = layer.rotated(&q, &k, shared);
    layer.attend(plan, q, k, v, shared)
}
