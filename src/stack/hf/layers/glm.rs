//! GLM 4 (`transformers/models/glm/modeling_glm.py`, `glm4/modeling_glm4.py`): rotary positions interleaved in a part of
//! each head, gate and up by one projection; the later ones have norms behind attention and MLP too.

use super::super::model::Layer;
use super::super::rotary::{Shared, rotate_by};
use super::Attended;
use super::llama::with_modules;
use crate::plan::Plan;
use crate::replay::Tensor;

/// `GlmDecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let attention = |x: &Tensor<'t>| attention(layer, plan, x, shared);
    with_modules(layer, plan, x, attention, |x| layer.fused_mlp(plan, x))
}

/// `Glm4DecoderLayer.forward`.
pub fn layer4<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let mut residual = x;
    let mut hidden = layer.norm(plan, "input_layernorm", &residual);
    let _weights;
    (hidden, _weights) = attention(layer, plan, &hidden, shared);
    hidden = layer.norm(plan, "post_self_attn_layernorm", &hidden);
    hidden = residual.add(&hidden);
    residual = hidden;
    hidden = layer.norm(plan, "post_attention_layernorm", &residual);
    hidden = layer.fused_mlp(plan, &hidden);
    hidden = layer.norm(plan, "post_mlp_layernorm", &hidden);
    hidden = residual.add(&hidden);
    hidden
}

/// `GlmAttention.forward`.
fn attention<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>, shared: &Shared<'t>) -> Attended<'t> {
    let a = &plan.arch.attention;
    let mut q = layer.heads(plan, "self_attn.q_proj", x, a.heads);
    let mut k = layer.heads(plan, "self_attn.k_proj", x, a.kv_heads);
    let v = layer.heads(plan, "self_attn.v_proj", x, a.kv_heads);
    (q, k) = x.tape().within("self_attn", || {
        // `cos[..., : d // 2].repeat_interleave(2, dim=-1)`: new tables in every layer.
        let table = || {
            let layout = shared.cos.layout();
            x.tape()
                .temporary(layout.shape(), shared.cos.dtype(), "repeat_interleave")
        };
        let (cos, sin) = (table(), table());
        let parts = |t: &Tensor<'t>| {
            let rest = a.head_dim - a.rotary_dim;
            (t.narrow_last(a.rotary_dim), t.narrow_last(rest))
        };
        let ((q_rot, q_pass), (k_rot, k_pass)) = (parts(&q), parts(&k));
        let (mut q, mut k) = (rotate_by(&q_rot, &cos, &sin), rotate_by(&k_rot, &cos, &sin));
        q = q.cat_last(&q_pass);
        k = k.cat_last(&k_pass);
        (q, k)
    });
    layer.attend(plan, q, k, v, shared)
}
