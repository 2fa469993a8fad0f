//! Gemma 3n (`transformers/models/gemma3n/modeling_gemma3n.py`): four residual streams, of which a layer computes one and
//! predicts the others; a residual of low rank; gates cut off below a quantile; last layers that take keys and values
//! from earlier ones, and embeddings of layers.

use super::super::model::Layer;
use super::super::norm::norm_by_power;
use super::super::rotary::Shared;
use super::Attended;
use super::gemma4::rotated;
use crate::plan::Plan;
use crate::replay::{Dtype, Tensor};

/// `Gemma3nTextDecoderLayer.forward`. Its steps keep their names until it returns.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let predictions = predict(layer, plan, &x);
    let active_prediction = predictions.one_of(0);
    let normed = layer.norm(plan, "input_layernorm", &active_prediction);
    let ancestors = x.tape().saved_again();
    let laurel_output = laurel(layer, plan, &normed);
    let (mut attn, _weights) = attention(layer, plan, &normed, shared, ancestors);
    attn = layer.norm(plan, "post_attention_layernorm", &attn);
    let attn_gated = active_prediction.add(&attn);
    let attn_laurel = {
        let both = attn_gated.add(&laurel_output);
        both.scale()
    };
    let attn_norm = layer.norm(plan, "pre_feedforward_layernorm", &attn_laurel);
    let attn_ffw = mlp(layer, plan, &attn_norm);
    let attn_ffw_norm = layer.norm(plan, "post_feedforward_layernorm", &attn_ffw);
    let gated = attn_laurel.add(&attn_ffw_norm);
    let corrected = correct(layer, plan, &predictions, &gated);

    let mut first = corrected.one_of(0).copy();
    if let Some(scale) = layer.weight("altup.correct_output_scale") {
        first = {
            let scaled = {
                let first = first.to(scale.dtype());
                first.mul(scale)
            };
            scaled.to(first.dtype())
        };
    }
    first = layer.linear("per_layer_input_gate", &first);
    first = first.activation(plan.arch.mlp.activation);
    if let Some(of_layer) = &shared.per_layer {
        first = first.mul(of_layer);
    }
    first = layer.linear("per_layer_projection", &first);
    first = layer.norm(plan, "post_per_layer_input_norm", &first);
    corrected.add_to_rest(&first)
}

/// `compute_router_modalities`.
fn modalities<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>) -> Tensor<'t> {
    let inputs = {
        let normed = layer.norm(plan, "altup.router_norm", x);
        match layer.scale() {
            Some(scale) => normed.mul(scale),
            None => normed,
        }
    };
    let routed = layer.linear("altup.modality_router", &inputs);
    let squashed = {
        let routed = routed.to(Dtype::F32);
        routed.squash("tanh")
    };
    squashed.to(x.dtype())
}

/// `Gemma3nTextAltUp.predict`.
fn predict<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>) -> Tensor<'t> {
    let streams = x.layout().shape().first().copied().unwrap_or(1);
    let modalities = modalities(layer, plan, &x.one_of(0));
    let coefficients = layer
        .linear("altup.prediction_coefs", &modalities)
        .reshape(&[plan.batch, plan.seq, streams, streams])
        .transpose(2, 3);
    // hidden_states.permute(1, 2, 3, 0)
    let mut predictions = {
        let last = x.transpose(0, 1).transpose(1, 2).transpose(2, 3);
        last.matmul_heads(&coefficients)
    };
    // predictions.permute(3, 0, 1, 2), to which the input is added in place
    predictions = predictions.add_streams(x);
    predictions.contiguous().to(x.dtype())
}

/// `Gemma3nTextAltUp.correct`.
fn correct<'t>(
    layer: &Layer<'t>,
    plan: &Plan,
    predictions: &Tensor<'t>,
    activated: &Tensor<'t>,
) -> Tensor<'t> {
    let streams = predictions.layout().shape().first().copied().unwrap_or(1);
    let modalities = modalities(layer, plan, activated);
    let mut innovation = activated.sub(&predictions.one_of(0));
    innovation = innovation.repeat_streams(streams);
    // The weight is clamped, so that an adapter of the layer is not asked.
    let weight = layer
        .base_weight("altup.correction_coefs")
        .map(|weight| weight.clamp(2));
    let Some(weight) = weight else {
        return predictions.clone();
    };
    let coefficients = {
        let product = modalities.linear(&weight, None);
        product.add_number()
    };
    // all_coefs.permute(2, 0, 1).unsqueeze(-1)
    let coefficients = coefficients.transpose(1, 2).transpose(0, 1);
    let coefficients = coefficients.reshape(&[streams, plan.batch, plan.seq, 1]);
    let corrected = innovation.mul(&coefficients);
    corrected.add_in_place(predictions).to(activated.dtype())
}

/// `Gemma3nTextLaurelBlock.forward`.
fn laurel<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>) -> Tensor<'t> {
    let mut hidden = layer.linear("laurel.linear_left", x);
    hidden = layer.linear("laurel.linear_right", &hidden);
    let normed = layer.norm(plan, "laurel.post_laurel_norm", &hidden);
    x.add(&normed)
}

/// `Gemma3nTextMLP.forward`.
fn mlp<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>) -> Tensor<'t> {
    let mut gate = layer.linear("mlp.gate_proj", x);
    if plan.arch.cuts_gates(layer.index.into()) {
        gate = x.tape().within("mlp", || above_quantile(&gate));
    }
    let active = gate.activation(plan.arch.mlp.activation);
    let up = layer.linear("mlp.up_proj", x);
    let product = active.mul(&up);
    layer.linear("mlp.down_proj", &product)
}

/// `_gaussian_topk`.
fn above_quantile<'t>(x: &Tensor<'t>) -> Tensor<'t> {
    let tape = x.tape();
    let number = |dtype, op| tape.temporary(&[], dtype, op);
    let _target = number(Dtype::F32, "tensor");
    // `Normal.icdf`
    let mut multiplier = number(Dtype::F32, "mul");
    for op in ["sub", "erfinv", "mul", "mul", "add"] {
        multiplier = number(Dtype::F32, op);
    }
    if x.dtype() != Dtype::F32 {
        multiplier = number(x.dtype(), "type");
    }
    let mean = x.mean_last();
    let deviation = x.std_last();
    let cutoff = {
        let distance = deviation.mul(&multiplier);
        mean.add(&distance)
    };
    let above = x.sub(&cutoff);
    above.squash("relu")
}

/// `Gemma3nTextAttention.forward`; `ancestors`: what the layer has saved for its input.
fn attention<'t>(
    layer: &Layer<'t>,
    plan: &Plan,
    x: &Tensor<'t>,
    shared: &Shared<'t>,
    ancestors: usize,
) -> Attended<'t> {
    let (tape, index) = (x.tape(), layer.index.into());
    let a = &plan.arch.attention;
    let heads = |path, n| {
        let shape = [plan.batch, plan.seq, n, a.head_dim];
        layer.linear(path, x).reshape(&shape)
    };
    let mut q = heads("self_attn.q_proj", a.heads);
    q = layer.norm(plan, "self_attn.q_norm", &q);
    q = rotated(&q, shared);
    q = q.transpose(1, 2);
    let queried = tape.saved_again();
    let key = u8::from(plan.arch.is_windowed(index));
    let (mut k, mut v);
    if plan.arch.takes_keys(index) {
        let Some(lent) = tape.lent(key) else {
            return (x.clone(), None);
        };
        [k, v] = lent;
    } else {
        k = heads("self_attn.k_proj", a.kv_heads);
        k = layer.norm(plan, "self_attn.k_norm", &k);
        k = rotated(&k, shared);
        k = k.transpose(1, 2);
        v = heads("self_attn.v_proj", a.kv_heads);
        v = tape.within("self_attn.v_norm", || norm_by_power(&v, None));
        v = v.transpose(1, 2);
    }
    if plan.arch.lends_keys(index) {
        tape.lend(key, [&k, &v], &[0..ancestors, queried..tape.saved_again()]);
    }
    layer.attend(plan, q, k, v, shared)
}
