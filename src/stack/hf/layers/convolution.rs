//! Causal convolutions of a few tokens, as transformers computes them without causal-conv1d (`causal_conv1d_fn`), and the
//! padding that is hidden from them.

use super::super::model::Layer;
use super::super::rotary::Shared;
use crate::replay::Tensor;

/// `apply_mask_to_padding_states`: the mask is one of whole numbers, batch x sequence.
pub fn unpadded<'t>(x: &Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    match &shared.mask {
        Some(mask) => x.mul(&mask.unsqueeze(2)).to(x.dtype()),
        None => x.clone(),
    }
}

/// `causal_conv1d_fn(hidden_states, self.conv1d.weight.squeeze(1), None, activation)`: of batch x channels x sequence.
pub fn causal<'t>(
    layer: &Layer<'t>,
    weight: &'static str,
    x: &Tensor<'t>,
    activation: Option<&'static str>,
) -> Tensor<'t> {
    let Some(weight) = layer.weight(weight) else {
        return x.clone();
    };
    let (layout, seq) = (weight.layout(), x.layout().last());
    let weight = weight.reshape(&[layout.shape()[0], layout.last()]);
    let mut out = {
        let x = x.to(weight.dtype());
        x.convolve_channels(&weight.unsqueeze(1))
    };
    out = out.narrow(2, seq);
    if let Some(activation) = activation {
        out = out.activation(activation);
    }
    out.to(x.dtype())
}
