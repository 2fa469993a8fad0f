//! OLMoE (`transformers/models/olmoe/modeling_olmoe.py`): norms over whole queries and keys.

use super::super::model::Layer;
use super::super::rotary::Shared;
use super::experts::sparse_block;
use super::{Attended, llama, qwen3_moe};
use crate::plan::Plan;
use crate::replay::Tensor;

/// `OlmoeDecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    llama::with_modules(
        layer,
        plan,
        x,
        |x| attention(layer, plan, x, shared, |q, k| layer.rotated(q, k, shared)),
        |x| match &plan.arch.experts {
            Some(experts) => sparse_block(layer, plan, experts, x, |x, router| {
                qwen3_moe::route(x, router, experts.per_token, experts.normalize)
            }),
            None => x.clone(),
        },
    )
}

/// `OlmoeAttention.forward`, without `clip_qkv`.
pub(super) fn attention<'t>(
    layer: &Layer<'t>,
    plan: &Plan,
    x: &Tensor<'t>,
    shared: &Shared<'t>,
    rotate: impl FnOnce(&Tensor<'t>, &Tensor<'t>) -> (Tensor<'t>, Tensor<'t>),
) -> Attended<'t> {
    let a = &plan.arch.attention;
    let heads = |t: &Tensor<'t>, n: u64| t.reshape(&[plan.batch, plan.seq, n, a.head_dim]).transpose(1, 2);
    let mut q = layer.norm(plan, "self_attn.q_norm", &layer.linear("self_attn.q_proj", x));
    let mut k = layer.norm(plan, "self_attn.k_norm", &layer.linear("self_attn.k_proj", x));
    let mut v = layer.linear("self_attn.v_proj", x);
    q = heads(&q, a.heads);
    k = heads(&k, a.kv_heads);
    v = heads(&v, a.kv_heads);
    (q, k) = rotate(&q, &k);
    layer.attend(plan, q, k, v, shared)
}
