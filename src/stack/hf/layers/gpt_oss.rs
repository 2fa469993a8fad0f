//! GPT-OSS (`transformers/models/gpt_oss/modeling_gpt_oss.py`).

use super::super::model::Layer;
use super::super::rotary::{Shared, rotate_halves};
use super::Attended;
use super::experts::{self, Routing};
use crate::plan::Plan;
use crate::replay::Tensor;

/// `GptOssDecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let mut residual = x;
    let mut hidden = layer.norm(plan, "input_layernorm", &residual);
    let mut _returned;
    (hidden, _returned) = attention(layer, plan, &hidden, shared);
    hidden = residual.add(&hidden);
    residual = hidden;
    hidden = layer.norm(plan, "post_attention_layernorm", &residual);
    (hidden, _returned) = mlp(layer, plan, &hidden);
    hidden = residual.add(&hidden);
    hidden
}

/// `GptOssAttention.forward`.
fn attention<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>, shared: &Shared<'t>) -> Attended<'t> {
    let a = &plan.arch.attention;
    let mut q = layer.heads(plan, "self_attn.q_proj", x, a.heads);
    let mut k = layer.heads(plan, "self_attn.k_proj", x, a.kv_heads);
    let mut v = layer.heads(plan, "self_attn.v_proj", x, a.kv_heads);
    let (out, weights) = x.tape().within("self_attn", || {
        (q, k) = (rotate_halves(&q, shared), rotate_halves(&k, shared));
        if let Some(cache) = &shared.cache {
            (k, v) = cache.update(&k, &v, plan.arch.is_windowed(layer.index.into()));
        }
        let (mut out, weights) = attend(layer, plan, &q, &k, &v, shared);
        out = out.reshape(&[plan.batch, plan.seq, a.heads * a.head_dim]);
        (out, weights)
    });
    (layer.linear("self_attn.o_proj", &out), Some(weights))
}

/// `eager_attention_forward`: every head has a sink, a further column of the softmax.
fn attend<'t>(
    layer: &Layer<'t>,
    plan: &Plan,
    q: &Tensor<'t>,
    k: &Tensor<'t>,
    v: &Tensor<'t>,
    shared: &Shared<'t>,
) -> (Tensor<'t>, Tensor<'t>) {
    let a = &plan.arch.attention;
    let times = a.heads / a.kv_heads;
    let (k, v) = (k.repeat_heads(times), v.repeat_heads(times));
    let mut weights = q.matmul_heads(&k.transpose(2, 3)).scale();
    if let Some(mask) = &shared.mask {
        weights = weights.add(mask);
    }
    let mut logits = match layer.weight("self_attn.sinks") {
        Some(sinks) => weights.cat_last(&sinks.as_columns(plan.batch, plan.seq)),
        None => weights.clone(),
    };
    logits = {
        let largest = logits.max_last().0;
        logits.sub(&largest)
    };
    let probabilities = logits.softmax(logits.dtype());
    weights = probabilities.narrow_last(plan.seq).to(v.dtype());
    let mut out = weights.matmul_heads(&v);
    out = out.transpose(1, 2).contiguous();
    (out, weights)
}

/// `GptOssMLP.forward`: the result, and the weights of the chosen experts.
fn mlp<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>) -> Attended<'t> {
    let (Some(weight), Some(experts)) = (layer.weight("mlp.router.weight"), &plan.arch.experts) else {
        return (x.clone(), None);
    };
    let rows = x.reshape(&[plan.batch * plan.seq, plan.arch.hidden]);
    // `GptOssTopKRouter.forward`.
    let routing = x.tape().within("mlp.router", || {
        let logits = rows.linear(weight, layer.weight("mlp.router.bias"));
        let (values, places) = logits.top_k(experts.per_token);
        Routing {
            weights: values.softmax(values.dtype()),
            _logits: logits,
            _experts: places,
        }
    });
    let out = x.tape().within("mlp.experts", || {
        experts::forward(layer, plan, experts, &rows, &routing)
    });
    let out = out.reshape(&[plan.batch, plan.seq, plan.arch.hidden]);
    (out, Some(routing.weights))
}
