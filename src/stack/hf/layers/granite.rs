//! Granite (`transformers/models/granite/modeling_granite.py`): Llama with multiplied branches, embeddings and logits.

use super::super::model::Layer;
use super::super::rotary::Shared;
use super::llama::attention;
use crate::plan::Plan;
use crate::replay::Tensor;

/// `GraniteDecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let mut residual = x;
    let mut hidden = layer.norm(plan, "input_layernorm", &residual);
    let _weights;
    (hidden, _weights) = attention(layer, plan, &hidden, shared);
    hidden = residual.add(&hidden.scale());
    residual = hidden;
    hidden = layer.norm(plan, "post_attention_layernorm", &residual);
    hidden = layer.gated_mlp(plan, &hidden);
    hidden = residual.add(&hidden.scale());
    hidden
}
