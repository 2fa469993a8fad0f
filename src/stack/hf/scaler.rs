//! The gradient scaler of fp16 training (`torch/amp/grad_scaler.py: GradScaler`), as Trainer runs it.

use crate::estimate::Category;
use crate::plan::Plan;
use crate::replay::{Dtype, Tape, Tensor};
use crate::scenario::{Harness, Optimizer};

/// The scaler's tensors.
#[derive(Debug)]
pub struct Scaler<'t> {
    scale: Tensor<'t>,
    _growth_tracker: Tensor<'t>,
    found_inf: Option<Tensor<'t>>,
}

impl<'t> Scaler<'t> {
    /// Is the loss scaled?
    pub fn is_used(plan: &Plan) -> bool {
        plan.harness == Harness::Trainer && plan.autocast == Some(Dtype::F16)
    }

    /// `_lazy_init_scale_growth_tracker`.
    pub fn new(tape: &'t Tape) -> Self {
        let full = |dtype| tape.tensor(&[], dtype, Category::Other, "full");
        Scaler {
            scale: full(Dtype::F32),
            _growth_tracker: full(Dtype::I32),
            found_inf: None,
        }
    }

    /// `scale(loss)`.
    pub fn scaled(&self, loss: &Tensor<'t>) -> Tensor<'t> {
        loss.mul(&self.scale)
    }

    /// `unscale_(optimizer)`: gradients are divided where they are.
    pub fn unscale(&mut self, tape: &'t Tape) {
        let double = tape.temporary(&[2], Dtype::F32, "double");
        let reciprocal = tape.temporary(&[2], Dtype::F32, "reciprocal");
        drop(double);
        let _inverse = tape.temporary(&[], Dtype::F32, "float");
        drop(reciprocal);
        let _found = tape.temporary(&[], Dtype::F32, "full");
        self.found_inf = Some(tape.temporary(&[], Dtype::F32, "to"));
        drop(tape.temporary(&[], Dtype::F32, "to"));
    }

    /// `step(optimizer)` and `update()` around the optimizer's own step. Fused optimizers are handed the sum of what was
    /// found.
    pub fn step(&mut self, tape: &'t Tape, plan: &Plan, step: impl FnOnce()) {
        let fused = plan.optimizer == Optimizer::AdamwTorchFused;
        if !plan.clip && !fused {
            self.unscale(tape);
        }
        let sum = fused.then(|| tape.temporary(&[], Dtype::F32, "add"));
        step();
        drop(sum);
        self.found_inf = None;
    }
}
