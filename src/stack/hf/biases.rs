//! Biases of 4-bit layers: loaded in fp32, they become 16 bit at the layer's first call
//! ([`Linear::convert_bias`](super::linear::Linear::convert_bias)).

use super::model::Model;
use crate::model::PartKind;
use crate::plan::{Plan, Storage};
use crate::replay::segment::rounded;
use crate::replay::{Dtype, Group, Tape};
use crate::scenario::{Optimizer, Stack};

impl<'t> Model<'t> {
    /// Converts all biases ahead of the first step, where one step stands for all.
    pub fn convert_biases(&mut self, tape: &'t Tape) {
        for layer in &mut self.layers {
            tape.enter_group(layer.group);
            for (_, linear) in layer.linears_mut() {
                linear.convert_bias();
            }
        }
        tape.enter_group(Group::default());
    }
}

/// Are biases converted while the first step runs?
pub fn are_converted_late(tape: &Tape, plan: &Plan) -> bool {
    plan.stack == Stack::Hf && (tape.lists_events() || may_raise_the_first_step(plan))
}

/// May biases in fp32 make the first step's peak higher than the second's? Not where the optimizer states that the second
/// step has in addition are larger.
pub fn may_raise_the_first_step(plan: &Plan) -> bool {
    let a = &plan.arch;
    let biased = a.attention.qkv_bias || a.attention.output_bias || a.mlp.bias;
    if !biased || plan.stack != Stack::Hf || !matches!(plan.storage, Storage::FourBit { .. }) {
        return false;
    }
    // At least a byte for each trained element.
    let has_states = matches!(
        plan.optimizer,
        Optimizer::AdamwTorchFused
            | Optimizer::AdamwTorch
            | Optimizer::AdamwTorchForloop
            | Optimizer::SgdMomentum
            | Optimizer::Adamw8bit
            | Optimizer::Lion8bit
    );
    if !has_states {
        return true;
    }
    let mut states = 0u64;
    plan.for_each_parameter(|weight| {
        if weight.trained {
            states = states.saturating_add(weight.elements.saturating_mul(weight.count));
        }
    });
    let mut excess = 0u64;
    for (index, count) in a.kinds() {
        for part in a.layer(index) {
            if let PartKind::Linear {
                outputs, bias: true, ..
            } = part.kind
            {
                let bytes = |dtype: Dtype| rounded(outputs.saturating_mul(dtype.size()));
                let saved = bytes(Dtype::F32) - bytes(Dtype::Bf16);
                excess = excess.saturating_add(saved.saturating_mul(count));
            }
        }
    }
    states < excess
}
