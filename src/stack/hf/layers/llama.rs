//! Llama, Qwen2, Qwen3 and Mistral (`transformers/models/llama/modeling_llama.py` and its kin, which differ by biases,
//! norms over heads and windows).

use super::super::model::Layer;
use super::super::rotary::{Shared, rotate};
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
    let mut residual = x;
    let mut hidden = layer.rms_norm("input_layernorm", &residual);
    let _weights;
    (hidden, _weights) = attention(layer, plan, &hidden, shared);
    hidden = residual.add(&hidden);
    residual = hidden;
    hidden = layer.rms_norm("post_attention_layernorm", &residual);
    hidden = mlp(&hidden);
    hidden = residual.add(&hidden);
    hidden
}

/// `LlamaAttention.forward`; with norms over heads, `Qwen3Attention.forward`.
pub(super) fn attention<'t>(
    layer: &Layer<'t>,
    plan: &Plan,
    x: &Tensor<'t>,
    shared: &Shared<'t>,
) -> Attended<'t> {
    let a = &plan.arch.attention;
    let heads = |t: Tensor<'t>, n: u64| t.reshape(&[plan.batch, plan.seq, n, a.head_dim]);
    let mut q = heads(layer.linear("self_attn.q_proj", x), a.heads);
    if a.head_norm {
        q = layer.rms_norm("self_attn.q_norm", &q);
    }
    q = q.transpose(1, 2);
    let mut k = heads(layer.linear("self_attn.k_proj", x), a.kv_heads);
    if a.head_norm {
        k = layer.rms_norm("self_attn.k_norm", &k);
    }
    k = k.transpose(1, 2);
    let v = heads(layer.linear("self_attn.v_proj", x), a.kv_heads).transpose(1, 2);
    (q, k) = x
        .tape()
        .within("self_attn", || (rotate(&q, shared), rotate(&k, shared)));
    layer.attend(plan, &q, &k, &v, shared)
}
