//! Phi-3 and Phi-4 (`transformers/models/phi3/modeling_phi3.py`): queries, keys and values by one projection, gate and
//! up by another, and rotary positions in a part of each head.

use super::super::model::Layer;
use super::super::rotary::{Shared, rotate};
use super::Attended;
use super::llama::with_modules;
use crate::plan::Plan;
use crate::replay::Tensor;

/// `Phi3DecoderLayer.forward`, its dropouts off.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let attention = |x: &Tensor<'t>| attention(layer, plan, x, shared);
    with_modules(layer, plan, x, attention, |x| layer.fused_mlp(plan, x))
}

/// `Phi3Attention.forward`.
fn attention<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>, shared: &Shared<'t>) -> Attended<'t> {
    let a = &plan.arch.attention;
    let qkv = layer.linear("self_attn.qkv_proj", x);
    let part = |heads: u64| qkv.narrow_last(heads * a.head_dim);
    let (mut q, mut k, mut v) = (part(a.heads), part(a.kv_heads), part(a.kv_heads));
    let heads = |t: &Tensor<'t>, n: u64| t.reshape(&[plan.batch, plan.seq, n, a.head_dim]).transpose(1, 2);
    q = heads(&q, a.heads);
    k = heads(&k, a.kv_heads);
    v = heads(&v, a.kv_heads);
    (q, k) = x.tape().within("self_attn", || {
        if layer.liger {
            return q.liger_rope(&k, &shared.cos, &shared.sin);
        }
        let rotary_dim = shared.cos.layout().last();
        let parts = |t: &Tensor<'t>| (t.narrow_last(rotary_dim), t.narrow_last(a.head_dim - rotary_dim));
        let ((q_rot, q_pass), (k_rot, k_pass)) = (parts(&q), parts(&k));
        // What is not rotated is put beside what is, even if it is empty.
        let q = rotate(&q_rot, shared).cat_last(&q_pass);
        let k = rotate(&k_rot, shared).cat_last(&k_pass);
        (q, k)
    });
    layer.attend(plan, q, k, v, shared)
}
