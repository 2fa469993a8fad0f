//! Granite 4 without Mamba layers or experts (`transformers/models/granitemoehybrid/modeling_granitemoehybrid.py`).

use super::super::model::Layer;
use super::super::rotary::Shared;
use super::llama::attention;
use crate::plan::Plan;
use crate::replay::Tensor;

/// `GraniteMoeHybridDecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let mut residual = x;
    let mut hidden = layer.norm(plan, "input_layernorm", &residual);
    let _weights;
    (hidden, _weights) = attention(layer, plan, &hidden, shared);
    hidden = residual.add(&hidden.scale());
    residual = hidden;
    hidden = layer.norm(plan, "post_attention_layernorm", &residual);
    hidden = mlp(layer, plan, &hidden);
    hidden = residual.add(&hidden.scale());
    hidden
}

/// `GraniteMoeHybridMLP.forward`.
fn mlp<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>) -> Tensor<'t> {
    let mut hidden = layer.linear("shared_mlp.input_linear", x);
    let (gate, up) = hidden.halves_last();
    hidden = x.tape().within("shared_mlp", || {
        let active = gate.activation(plan.arch.mlp.activation);
        active.mul(&up)
    });
    layer.linear("shared_mlp.output_linear", &hidden)
}
