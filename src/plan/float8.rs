//! What products of 8-bit floats ask for (`aten/src/ATen/native/cuda/ScaledBlas.cpp: _scaled_mm_out_cuda`).

use super::{Storage, not_modelled};
use crate::estimate::EstimateError;
use crate::model::{Architecture, PartKind};
use crate::scenario::Scenario;

/// Trailing dimensions must be multiples of this.
const ALIGNMENT: u64 = 16;
/// The first cards with such products.
const FIRST: (u32, u32) = (8, 9);

/// # Errors
/// When the products asked for cannot run, or are not modelled.
#[inline(never)]
pub fn check(
    s: &Scenario,
    arch: &Architecture,
    storage: Storage,
    capability: (u32, u32),
) -> Result<(), EstimateError> {
    if storage != Storage::Plain {
        return not_modelled("float8 products of quantized weights are not modelled");
    }
    if arch.family.routes_by_a_linear_layer() {
        return not_modelled(
            "torchao's float8 layers in place of a router that returns more than one tensor: such a model fails",
        );
    }
    if capability < FIRST {
        return not_modelled("float8 products need compute capability 8.9");
    }
    let tokens = s.batch.saturating_mul(s.seq);
    if !tokens.is_multiple_of(ALIGNMENT) {
        return not_modelled(format!(
            "float8 products need tokens in multiples of {ALIGNMENT}, not {tokens}"
        ));
    }
    for (_, _, part) in arch.parts() {
        if let PartKind::Linear { inputs, outputs, .. } = part.kind
            && !(inputs.is_multiple_of(ALIGNMENT) && outputs.is_multiple_of(ALIGNMENT))
        {
            return not_modelled(format!(
                "float8 products need widths in multiples of {ALIGNMENT}; {} has {inputs} and {outputs}",
                part.path
            ));
        }
    }
    Ok(())
}
