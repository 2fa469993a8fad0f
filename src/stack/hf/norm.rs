//! Norms.

use crate::model::Norm;
use crate::replay::{Dtype, Tensor};

/// The norm of an architecture.
pub fn norm<'t>(kind: Norm, x: &Tensor<'t>, weight: &Tensor<'t>, bias: Option<&Tensor<'t>>) -> Tensor<'t> {
    match kind {
        Norm::Rms => rms_norm(x, weight),
        _ => other_norm(kind, x, weight, bias),
    }
}

#[inline(never)]
fn other_norm<'t>(kind: Norm, x: &Tensor<'t>, weight: &Tensor<'t>, bias: Option<&Tensor<'t>>) -> Tensor<'t> {
    match kind {
        Norm::RmsInFp32 => rms_norm_in_fp32(x, weight),
        Norm::Centred => centred_norm(x, weight),
        Norm::Layer => x.layer_norm(weight, bias),
        Norm::Rms => rms_norm(x, weight),
        Norm::RmsThenWeight => l2_norm(x).mul(weight),
        Norm::ZeroCentred => zero_centred_norm(x, weight),
        Norm::ByPower => norm_by_power(x, Some(weight)),
    }
}

/// `LlamaRMSNorm.forward`.
pub fn rms_norm<'t>(x: &Tensor<'t>, weight: &Tensor<'t>) -> Tensor<'t> {
    let dtype = x.dtype();
    let mut hidden = x.to(Dtype::F32);
    let variance = hidden.square().mean_last();
    let scale = variance.add_number().rsqrt();
    hidden = hidden.mul(&scale);
    drop(scale);
    weight.mul(&hidden.to(dtype))
}

/// `GemmaRMSNorm.forward`.
pub fn zero_centred_norm<'t>(x: &Tensor<'t>, weight: &Tensor<'t>) -> Tensor<'t> {
    let mut output = {
        let hidden = x.to(Dtype::F32);
        let mut scale = hidden.square();
        scale = scale.mean_last();
        scale = scale.add_number();
        scale = scale.rsqrt();
        hidden.mul(&scale)
    };
    let factor = weight.to(Dtype::F32).add_number();
    output = output.mul(&factor);
    drop(factor);
    output.to(x.dtype())
}

/// `Llama4TextL2Norm.forward`.
pub fn l2_norm<'t>(x: &Tensor<'t>) -> Tensor<'t> {
    let normed = {
        let hidden = x.to(Dtype::F32);
        let mut scale = hidden.square();
        scale = scale.mean_last();
        scale = scale.add_number();
        scale = scale.rsqrt();
        hidden.mul(&scale)
    };
    normed.to(x.dtype())
}

/// `Gemma4RMSNorm.forward`, with its weight or `with_scale=False`.
pub fn norm_by_power<'t>(x: &Tensor<'t>, weight: Option<&Tensor<'t>>) -> Tensor<'t> {
    let mut output = {
        let hidden = x.to(Dtype::F32);
        let mean_squared = {
            let mean = hidden.square().mean_last();
            mean.add_number()
        };
        // torch.pow(mean_squared, -0.5), which takes as much as a square
        hidden.mul(&mean_squared.square())
    };
    if let Some(weight) = weight {
        output = output.mul(&weight.to(Dtype::F32));
    }
    output.to(x.dtype())
}

/// `Olmo2RMSNorm.forward`, `GptOssRMSNorm.forward`.
fn rms_norm_in_fp32<'t>(x: &Tensor<'t>, weight: &Tensor<'t>) -> Tensor<'t> {
    let mut hidden = x.to(Dtype::F32);
    let variance = hidden.square().mean_last();
    let scale = variance.add_number().rsqrt();
    hidden = hidden.mul(&scale);
    drop(scale);
    weight.mul(&hidden).to(x.dtype())
}

/// `CohereLayerNorm.forward`.
fn centred_norm<'t>(x: &Tensor<'t>, weight: &Tensor<'t>) -> Tensor<'t> {
    let mut hidden = x.to(Dtype::F32);
    let mean = hidden.mean_last();
    let variance = {
        let mut squares = hidden.sub(&mean);
        squares = squares.square();
        squares.mean_last()
    };
    hidden = {
        let centred = hidden.sub(&mean);
        let mut scale = variance.add_number();
        scale = scale.rsqrt();
        centred.mul(&scale)
    };
    hidden = {
        let weight = weight.to(Dtype::F32);
        weight.mul(&hidden)
    };
    hidden.to(x.dtype())
}
