//! Optimizers: the states they make at the first step and the temporaries of every step.

use super::model::Model;
use crate::estimate::Category;
use crate::replay::{Dtype, Tape, Tensor};
use crate::scenario::Optimizer;

/// States of all trained weights.
#[derive(Debug, Default)]
pub struct States<'t> {
    tensors: Vec<Tensor<'t>>,
}

/// bitsandbytes keeps fp32 states for smaller tensors (`optim/optimizer.py: min_8bit_size`).
const MIN_8BIT_SIZE: u64 = 4096;
/// Elements that share a scale of an 8-bit state (`optim/optimizer.py: Optimizer2State.init_state`).
const BLOCK_8BIT: u64 = 256;
/// Larger states of paged optimizers live in managed memory, outside the allocator (`get_state_buffer`).
const MIN_PAGED_SIZE: u64 = 100_000;

impl<'t> States<'t> {
    /// `optimizer.step()`.
    pub fn step(&mut self, tape: &'t Tape, model: &Model<'t>, optimizer: Optimizer) {
        if self.tensors.is_empty() {
            self.create(tape, model, optimizer);
        }
        match optimizer {
            Optimizer::AdamwTorch => {
                // `_multi_tensor_adamw`: torch._foreach_sqrt(exp_avg_sqs) makes a list as large as one state.
                let mut roots = Vec::new();
                model.for_each_trained(tape, |w| roots.push(tape.temporary(w.layout().shape(), w.dtype(), "_foreach_sqrt")));
                drop_in_groups(tape, model, roots);
            }
            Optimizer::AdamwTorchForloop => model.for_each_trained(tape, |w| {
                // `_single_tensor_adamw`: (exp_avg_sq.sqrt() / bias_correction2_sqrt).add_(eps)
                let root = tape.temporary(w.layout().shape(), w.dtype(), "sqrt");
                let _denominator = tape.temporary(w.layout().shape(), w.dtype(), "div");
                drop(root);
            }),
            Optimizer::Adafactor => model.for_each_trained(tape, |w| adafactor_temporaries(tape, w)),
            _ => {}
        }
    }

    fn create(&mut self, tape: &'t Tape, model: &Model<'t>, optimizer: Optimizer) {
        let mut state = |shape: &[u64], dtype: Dtype, name: &'static str| {
            self.tensors.push(tape.tensor(shape, dtype, Category::OptimizerStates, name));
        };
        if matches!(optimizer, Optimizer::Adamw8bit | Optimizer::PagedAdamw8bit | Optimizer::Lion8bit) {
            // Code tables, shared by all weights: one for each state.
            for name in ["qmap1", "qmap2"] {
                state(&[256], Dtype::F32, name);
            }
        }
        model.for_each_trained(tape, |w| {
            let layout = w.layout();
            let (shape, n) = (layout.shape(), layout.numel());
            match optimizer {
                Optimizer::AdamwTorchFused => {
                    state(&[], Dtype::F32, "step");
                    state(shape, w.dtype(), "exp_avg");
                    state(shape, w.dtype(), "exp_avg_sq");
                }
                Optimizer::AdamwTorch | Optimizer::AdamwTorchForloop => {
                    state(shape, w.dtype(), "exp_avg");
                    state(shape, w.dtype(), "exp_avg_sq");
                }
                Optimizer::SgdMomentum => state(shape, w.dtype(), "momentum_buffer"),
                Optimizer::Sgd => {}
                Optimizer::Adafactor => match shape {
                    [rows, columns] => {
                        state(&[*rows], Dtype::F32, "exp_avg_sq_row");
                        state(&[*columns], Dtype::F32, "exp_avg_sq_col");
                    }
                    _ => state(shape, Dtype::F32, "exp_avg_sq"),
                },
                Optimizer::Adamw8bit | Optimizer::PagedAdamw8bit | Optimizer::Lion8bit => {
                    let names: &[_] = match optimizer {
                        Optimizer::Lion8bit => &[("state1", "absmax1")],
                        _ => &[("state1", "absmax1"), ("state2", "absmax2")],
                    };
                    let eight_bit = n >= MIN_8BIT_SIZE;
                    let paged = optimizer == Optimizer::PagedAdamw8bit && n >= MIN_PAGED_SIZE;
                    for (name, _) in names {
                        if !paged {
                            state(shape, if eight_bit { Dtype::U8 } else { Dtype::F32 }, name);
                        }
                    }
                    if eight_bit {
                        for (_, name) in names {
                            state(&[n.div_ceil(BLOCK_8BIT)], Dtype::F32, name);
                        }
                    }
                }
                Optimizer::PagedAdamw32bit => {
                    if n < MIN_PAGED_SIZE {
                        state(shape, Dtype::F32, "state1");
                        state(shape, Dtype::F32, "state2");
                    }
                }
            }
        });
    }
}

/// Bytes of optimizer states in managed memory (host memory that moves to the GPU while it is used).
pub fn managed_bytes(optimizer: Optimizer, weights: impl Iterator<Item = u64>) -> u64 {
    let per_weight = match optimizer {
        Optimizer::PagedAdamw8bit => 2,
        Optimizer::PagedAdamw32bit => 8,
        _ => return 0,
    };
    weights.filter(|&n| n >= MIN_PAGED_SIZE).map(|n| n.saturating_mul(per_weight)).fold(0, u64::saturating_add)
}

/// Drops one tensor a trained weight, each inside the group that it was made in.
fn drop_in_groups<'t>(tape: &'t Tape, model: &Model<'t>, tensors: Vec<Tensor<'t>>) {
    let mut tensors = tensors.into_iter();
    model.for_each_trained(tape, |_| drop(tensors.next()));
}

/// `transformers.optimization.Adafactor.step` with factored second moments and no first moment.
fn adafactor_temporaries<'t>(tape: &'t Tape, w: &Tensor<'t>) {
    let layout = w.layout();
    let shape = layout.shape();
    let full = |op| tape.temporary(shape, Dtype::F32, op);
    let narrow = w.dtype() != Dtype::F32;
    // grad.float(), p.float()
    let _grad = narrow.then(|| full("to"));
    let _copy = narrow.then(|| full("to"));
    let update = {
        let _squared = full("pow");
        full("add")
    };
    let _update = update;
    if shape.len() == 2 {
        let _factors = full("mul");
    }
}
