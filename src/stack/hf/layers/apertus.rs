//! Apertus (`transformers/models/apertus/modeling_apertus.py`): Llama with norms over heads and an MLP without a gate,
//! whose activation has two trained numbers.

use super::super::model::Layer;
use super::super::rotary::Shared;
use super::gemma::attention;
use crate::plan::Plan;
use crate::replay::Tensor;

/// `ApertusDecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let mut residual = x;
    let mut hidden = layer.norm(plan, "attention_layernorm", &residual);
    let _weights;
    (hidden, _weights) = attention(layer, plan, &hidden, shared);
    hidden = residual.add(&hidden);
    residual = hidden;
    hidden = layer.norm(plan, "feedforward_layernorm", &residual);
    hidden = mlp(layer, &hidden);
    hidden = residual.add(&hidden);
    hidden
}

/// `ApertusMLP.forward`.
fn mlp<'t>(layer: &Layer<'t>, x: &Tensor<'t>) -> Tensor<'t> {
    let mut hidden = layer.linear("mlp.up_proj", x);
    hidden = x.tape().within("mlp.act_fn", || xielu(layer, &hidden));
    layer.linear("mlp.down_proj", &hidden)
}

/// `XIELUActivation._xielu_python` (`transformers/activations.py`): without its wheel of kernels, step by step.
fn xielu<'t>(layer: &Layer<'t>, x: &Tensor<'t>) -> Tensor<'t> {
    let weights = [
        layer.weight("mlp.act_fn.alpha_p"),
        layer.weight("mlp.act_fn.alpha_n"),
    ];
    let ([Some(alpha_p), Some(alpha_n)], [Some(beta), Some(eps)]) = (weights, layer.numbers()) else {
        return x.clone();
    };
    let alpha_p = alpha_p.softplus();
    let alpha_n = {
        let positive = alpha_n.softplus();
        beta.add(&positive)
    };
    let is_positive = x.greater_than_number();
    let above = {
        let square = alpha_p.mul(x).mul(x);
        square.add(&beta.mul(x))
    };
    let below = {
        let curve = {
            let grown = {
                let least = x.minimum(eps);
                least.expm1()
            };
            let bent = grown.sub(x);
            drop(grown);
            bent.mul(&alpha_n)
        };
        curve.add(&beta.mul(x))
    };
    is_positive.choose(&above, &below)
}
