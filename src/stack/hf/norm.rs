//! Norms.

use crate::replay::{Dtype, Tensor};

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
