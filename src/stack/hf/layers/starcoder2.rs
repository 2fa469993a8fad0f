//! StarCoder 2 (`transformers/models/starcoder2/modeling_starcoder2.py`): LayerNorm and an MLP without a gate.

use super::super::model::Layer;
use super::super::rotary::Shared;
use super::llama::attention;
use crate::plan::Plan;
use crate::replay::Tensor;

/// `Starcoder2DecoderLayer.forward`, its dropouts off.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let mut residual = x;
    let mut hidden = layer.norm(plan, "input_layernorm", &residual);
    let _weights;
    (hidden, _weights) = attention(layer, plan, &hidden, shared);
    hidden = residual.add(&hidden);
    residual = hidden;
    hidden = layer.norm(plan, "post_attention_layernorm", &residual);
    hidden = mlp(layer, plan, &hidden);
    hidden = residual.add(&hidden);
    hidden
}

/// `Starcoder2MLP.forward`.
fn mlp<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>) -> Tensor<'t> {
    let mut hidden = layer.linear("mlp.c_fc", x);
    hidden = x
        .tape()
        .within("mlp.act", || hidden.activation(plan.arch.mlp.activation));
    layer.linear("mlp.c_proj", &hidden)
}
