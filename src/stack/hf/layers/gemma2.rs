//! Gemma 2 and 3 (`transformers/models/gemma2/modeling_gemma2.py`, `gemma3/modeling_gemma3.py`): a norm before and
//! after attention and MLP.

use super::super::model::Layer;
use super::super::rotary::Shared;
use super::gemma::attention;
use crate::plan::Plan;
use crate::replay::Tensor;

/// `Gemma2DecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let mut residual = x;
    let mut hidden = layer.norm(plan, "input_layernorm", &residual);
    let _weights;
    (hidden, _weights) = attention(layer, plan, &hidden, shared);
    hidden = layer.norm(plan, "post_attention_layernorm", &hidden);
    hidden = residual.add(&hidden);
    residual = hidden;
    hidden = layer.norm(plan, "pre_feedforward_layernorm", &residual);
    hidden = layer.gated_mlp(plan, &hidden);
    hidden = layer.norm(plan, "post_feedforward_layernorm", &hidden);
    hidden = residual.add(&hidden);
    hidden
}
