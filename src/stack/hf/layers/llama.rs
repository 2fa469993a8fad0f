//! Llama, Mistral, Qwen2, Qwen3 and SmolLM3 (`transformers/models/llama/modeling_llama.py` and its kin, which differ by
//! biases, norms over heads, windows, and layers without positions).

use super::super::model::Layer;
use super::super::rotary::Shared;
use super::Attended;
use crate::plan::Plan;
use crate::replay::Tensor;

/// `LlamaDecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    with_mlp(layer, plan, x, shared, |x| layer.gated_mlp(plan, x))
}

/// As [`layer`], with another MLP.
pub(super) fn with_mlp<'t>(
    layer: &Layer<'t>,
    plan: &Plan,
    x: Tensor<'t>,
    shared: &Shared<'t>,
    mlp: impl FnOnce(&Tensor<'t>) -> Tensor<'t>,
) -> Tensor<'t> {
    with_modules(layer, plan, x, |x| attention(layer, plan, x, shared), mlp)
}

/// As [`layer`], with another attention and another MLP: a norm before each of both, as most families have it.
pub(super) fn with_modules<'t>(
    layer: &Layer<'t>,
    plan: &Plan,
    x: Tensor<'t>,
    attention: impl FnOnce(&Tensor<'t>) -> Attended<'t>,
    mlp: impl FnOnce(&Tensor<'t>) -> Tensor<'t>,
) -> Tensor<'t> {
    let mut residual = x;
    let mut hidden = layer.norm(plan, "input_layernorm", &residual);
    let _weights;
    (hidden, _weights) = attention(&hidden);
    hidden = residual.add(&hidden);
    residual = hidden;
    hidden = layer.norm(plan, "post_attention_layernorm", &residual);
    hidden = mlp(&hidden);
    hidden = residual.add(&hidden);
    hidden
}

/// `LlamaAttention.forward`; with norms over heads, `Qwen3Attention.forward`.
pub fn attention<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>, shared: &Shared<'t>) -> Attended<'t> {
    let a = &plan.arch.attention;
    let heads = |t: Tensor<'t>, n: u64| t.reshape(&[plan.batch, plan.seq, n, a.head_dim]);
    let mut q = heads(layer.linear("self_attn.q_proj", x), a.heads);
    if a.query_norm.is_some() {
        q = layer.norm(plan, "self_attn.q_norm", &q);
    }
    q = q.transpose(1, 2);
    let mut k = heads(layer.linear("self_attn.k_proj", x), a.kv_heads);
    if a.query_norm.is_some() {
        k = layer.norm(plan, "self_attn.k_norm", &k);
    }
    k = k.transpose(1, 2);
    let v = heads(layer.linear("self_attn.v_proj", x), a.kv_heads).transpose(1, 2);
    if plan.arch.rotates(layer.index.into()) {
        (q, k) = layer.rotated(&q, &k, shared);
    }
    layer.attend(plan, q, k, v, shared)
}
