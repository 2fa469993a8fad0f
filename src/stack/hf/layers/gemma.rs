//! Gemma (`transformers/models/gemma/modeling_gemma.py`): Llama with Gemma's norms.

use super::super::model::Layer;
use super::super::rotary::{Shared, rotate};
use super::Attended;
use crate::plan::Plan;
use crate::replay::Tensor;

/// `GemmaDecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let mut residual = x;
    let mut hidden = layer.zero_centred_norm("input_layernorm", &residual);
    let _weights;
    (hidden, _weights) = attention(layer, plan, &hidden, shared);
    hidden = residual.add(&hidden);
    residual = hidden;
    hidden = layer.zero_centred_norm("post_attention_layernorm", &residual);
    hidden = layer.gated_mlp(plan, &hidden);
    hidden = residual.add(&hidden);
    hidden
}

/// `GemmaAttention.forward`; with norms over heads, `Gemma3Attention.forward`.
pub fn attention<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>, shared: &Shared<'t>) -> Attended<'t> {
    let a = &plan.arch.attention;
    let mut q = layer.heads(plan, "self_attn.q_proj", x, a.heads);
    let mut k = layer.heads(plan, "self_attn.k_proj", x, a.kv_heads);
    let v = layer.heads(plan, "self_attn.v_proj", x, a.kv_heads);
    if a.head_norm {
        q = layer.zero_centred_norm("self_attn.q_norm", &q);
        k = layer.zero_centred_norm("self_attn.k_norm", &k);
    }
    (q, k) = x
        .tape()
        .within("self_attn", || (rotate(&q, shared), rotate(&k, shared)));
    layer.attend(plan, &q, &k, &v, shared)
}
