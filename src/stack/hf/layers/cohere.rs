//! Command R and Aya (`transformers/models/cohere/modeling_cohere.py`, `cohere2/modeling_cohere2.py`): attention and MLP
//! side by side behind one norm, positions rotated in fp32; full layers of Command R7B have no positions.

use super::super::model::Layer;
use super::super::rotary::{Shared, rotate};
use super::Attended;
use crate::plan::Plan;
use crate::replay::{Dtype, Tensor};

/// `CohereDecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let residual = x;
    let mut hidden = layer.norm(plan, "input_layernorm", &residual);
    let (attended, _weights) = attention(layer, plan, &hidden, shared);
    let from_mlp = layer.gated_mlp(plan, &hidden);
    hidden = residual.add(&attended).add(&from_mlp);
    hidden
}

/// `CohereAttention.forward`.
fn attention<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>, shared: &Shared<'t>) -> Attended<'t> {
    let a = &plan.arch.attention;
    let mut q = layer.heads(plan, "self_attn.q_proj", x, a.heads);
    let mut k = layer.heads(plan, "self_attn.k_proj", x, a.kv_heads);
    let v = layer.heads(plan, "self_attn.v_proj", x, a.kv_heads);
    if plan.arch.rotates(layer.index.into()) {
        (q, k) = x.tape().within("self_attn", || rotated(&q, &k, shared));
    }
    layer.attend(plan, q, k, v, shared)
}

/// `apply_rotary_pos_emb`. Its halves are interleaved, which costs the same.
fn rotated<'t>(q: &Tensor<'t>, k: &Tensor<'t>, shared: &Shared<'t>) -> (Tensor<'t>, Tensor<'t>) {
    let dtype = q.dtype();
    let (q, k) = (q.to(Dtype::F32), k.to(Dtype::F32));
    let (q_embed, k_embed) = (rotate(&q, shared), rotate(&k, shared));
    (q_embed.to(dtype), k_embed.to(dtype))
}
