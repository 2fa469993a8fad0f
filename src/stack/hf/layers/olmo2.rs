//! OLMo 2 and 3 (`transformers/models/olmo2/modeling_olmo2.py`, `olmo3/modeling_olmo3.py`): norms behind attention and
//! MLP, over whole queries and keys, and rotary tables in fp32.

use super::super::model::Layer;
use super::super::rotary::{Shared, rotate_in_fp32};
use super::Attended;
use crate::plan::Plan;
use crate::replay::Tensor;

/// `Olmo2DecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    with_attention(layer, plan, x, |x| attention(layer, plan, x, shared))
}

/// As [`layer`], with another attention.
pub(super) fn with_attention<'t>(
    layer: &Layer<'t>,
    plan: &Plan,
    x: Tensor<'t>,
    attention: impl FnOnce(&Tensor<'t>) -> Attended<'t>,
) -> Tensor<'t> {
    let mut residual = x;
    let (mut hidden, _weights) = attention(&residual);
    hidden = layer.norm(plan, "post_attention_layernorm", &hidden);
    hidden = residual.add(&hidden);
    residual = hidden;
    hidden = layer.gated_mlp(plan, &residual);
    hidden = layer.norm(plan, "post_feedforward_layernorm", &hidden);
    hidden = residual.add(&hidden);
    hidden
}

/// `Olmo2Attention.forward`.
fn attention<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>, shared: &Shared<'t>) -> Attended<'t> {
    let a = &plan.arch.attention;
    let mut q = layer.norm(plan, "self_attn.q_norm", &layer.linear("self_attn.q_proj", x));
    let mut k = layer.norm(plan, "self_attn.k_norm", &layer.linear("self_attn.k_proj", x));
    let mut v = layer.linear("self_attn.v_proj", x);
    let heads = |t: &Tensor<'t>, n: u64| t.reshape(&[plan.batch, plan.seq, n, a.head_dim]).transpose(1, 2);
    q = heads(&q, a.heads);
    k = heads(&k, a.kv_heads);
    v = heads(&v, a.kv_heads);
    (q, k) = x.tape().within("self_attn", || rotate_in_fp32(&q, &k, shared));
    layer.attend(plan, q, k, v, shared)
}
