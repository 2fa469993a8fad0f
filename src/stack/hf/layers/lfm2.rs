//! LFM2 (`transformers/models/lfm2/modeling_lfm2.py`): most layers have a gated convolution over three tokens.

use super::super::model::Layer;
use super::super::rotary::Shared;
use super::{Attended, convolution};
use crate::plan::Plan;
use crate::replay::Tensor;

/// `Lfm2DecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let residual = x;
    let mut hidden;
    let _weights;
    (hidden, _weights) = {
        let normed = layer.norm(plan, "operator_norm", &residual);
        match plan.arch.attends(layer.index.into()) {
            true => attention(layer, plan, &normed, shared),
            false => (short_convolution(layer, &normed, shared), None),
        }
    };
    hidden = hidden.add(&residual);
    let added = {
        let normed = layer.norm(plan, "ffn_norm", &hidden);
        let paths = ["feed_forward.w1", "feed_forward.w3", "feed_forward.w2"];
        layer.gated_mlp_of(plan, &normed, paths)
    };
    hidden.add(&added)
}

/// `Lfm2Attention.forward`.
fn attention<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>, shared: &Shared<'t>) -> Attended<'t> {
    let a = &plan.arch.attention;
    let heads = |path, n: u64| {
        let shape = [plan.batch, plan.seq, n, a.head_dim];
        layer.linear(path, x).reshape(&shape)
    };
    let mut q = heads("self_attn.q_proj", a.heads);
    q = layer.norm(plan, "self_attn.q_layernorm", &q).transpose(1, 2);
    let mut k = heads("self_attn.k_proj", a.kv_heads);
    k = layer.norm(plan, "self_attn.k_layernorm", &k).transpose(1, 2);
    let v = heads("self_attn.v_proj", a.kv_heads).transpose(1, 2);
    (q, k) = layer.rotated(&q, &k, shared);
    layer.attend(plan, q, k, v, shared)
}

/// `Lfm2ShortConv.forward`.
fn short_convolution<'t>(layer: &Layer<'t>, x: &Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let mut hidden = convolution::unpadded(x, shared);
    let all = layer.linear("conv.in_proj", &hidden).transpose(1, 2);
    let y = x.tape().within("conv", || {
        let [b, c, x] = all.thirds(1);
        hidden = b.mul(&x);
        hidden = convolution::causal(layer, "conv.conv.weight", &hidden, None);
        let mut y = c.mul(&hidden);
        y = y.transpose(1, 2).contiguous();
        // All names live until the function returns.
        let _names = (b, c, x);
        y
    });
    layer.linear("conv.out_proj", &y)
}
