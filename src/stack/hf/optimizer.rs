//! Optimizers: the states they make at the first step and the temporaries of every step.

use super::adafactor::{Adafactor, Names};
use super::model::Model;
use crate::estimate::Category;
use crate::plan::Plan;
use crate::replay::{Dtype, Tape, Tensor};
use crate::scenario::{Harness, Optimizer, Stack};

/// States of all trained weights.
#[derive(Debug, Default)]
pub struct States<'t> {
    tensors: Vec<Tensor<'t>>,
    adafactor: Adafactor<'t>,
    created: bool,
    /// bitsandbytes' code tables are there.
    has_tables: bool,
}

/// A parameter group.
#[derive(Clone, Copy, Debug)]
enum Parameters {
    All,
    Decayed,
    Undecayed,
}

impl Parameters {
    fn for_each<'t>(self, tape: &'t Tape, model: &Model<'t>, f: &mut dyn FnMut(&Tensor<'t>)) {
        model.for_each_by_decay(tape, &mut |w, decays| {
            let belongs = match self {
                Parameters::All => true,
                Parameters::Decayed => decays,
                Parameters::Undecayed => !decays,
            };
            if belongs && w.requires_grad() {
                f(w);
            }
        });
    }
}

/// bitsandbytes keeps fp32 states for smaller tensors (`optim/optimizer.py: min_8bit_size`).
const MIN_8BIT_SIZE: u64 = 4096;
/// Elements that share a scale of an 8-bit state (`optim/optimizer.py: Optimizer2State.init_state`).
const BLOCK_8BIT: u64 = 256;
/// Larger states of paged optimizers live in managed memory, outside the allocator (`get_state_buffer`).
const MIN_PAGED_SIZE: u64 = 100_000;

impl<'t> States<'t> {
    /// `optimizer.step()`, one parameter group after another.
    pub fn step(&mut self, tape: &'t Tape, model: &Model<'t>, plan: &Plan) {
        let first = !self.created;
        self.created = true;
        if plan.optimizer == Optimizer::Adafactor {
            return self.step_of_adafactor(tape, model, plan);
        }
        for &group in groups(plan) {
            if first {
                self.create(tape, model, plan, group);
            }
            update(tape, model, plan, group);
        }
    }

    #[inline(never)]
    fn step_of_adafactor(&mut self, tape: &'t Tape, model: &Model<'t>, plan: &Plan) {
        let (mut names, mut number) = (Names::default(), 0);
        for &group in groups(plan) {
            group.for_each(tape, model, &mut |w| {
                self.adafactor.update(tape, number, w, &mut names);
                number += 1;
            });
        }
    }

    /// The states, as after the first step.
    pub fn create_all(&mut self, tape: &'t Tape, model: &Model<'t>, plan: &Plan) {
        self.created = true;
        for &group in groups(plan) {
            self.create(tape, model, plan, group);
            if plan.optimizer == Optimizer::Adafactor {
                group.for_each(tape, model, &mut |w| self.adafactor.create(tape, w, true));
            }
        }
    }

    fn create(&mut self, tape: &'t Tape, model: &Model<'t>, plan: &Plan, group: Parameters) {
        let optimizer = plan.optimizer;
        let mut tables = self.has_tables;
        let mut state = |shape: &[u64], dtype: Dtype, name: &'static str| {
            self.tensors
                .push(tape.tensor(shape, dtype, Category::OptimizerStates, name));
        };
        group.for_each(tape, model, &mut |w| {
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
                // Adafactor makes its states while it updates.
                Optimizer::Sgd | Optimizer::Adafactor => {}
                Optimizer::Adamw8bit | Optimizer::PagedAdamw8bit | Optimizer::Lion8bit => {
                    let names: &[_] = match optimizer {
                        Optimizer::Lion8bit => &[("state1", "absmax1")],
                        _ => &[("state1", "absmax1"), ("state2", "absmax2")],
                    };
                    let wide = keeps_embedding_wide(plan) && std::ptr::eq(w, &model.embed);
                    let eight_bit = n >= MIN_8BIT_SIZE && !wide;
                    if eight_bit && !std::mem::replace(&mut tables, true) {
                        // Code tables, shared by all weights: one for each state.
                        tape.outside_layers(|| {
                            for (name, _) in names {
                                state(&[256], Dtype::F32, name);
                            }
                        });
                    }
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
        self.has_tables = tables;
    }
}

/// Does a temporary of the optimizer live from the weight of one layer to that of the next?
pub fn hands_on_a_temporary(optimizer: Optimizer) -> bool {
    matches!(optimizer, Optimizer::AdamwTorchForloop | Optimizer::Adafactor)
}

/// Trainer does not decay biases and norms: they form a group of their own
/// (`transformers/trainer.py: create_optimizer`, `get_decay_parameter_names`).
fn groups(plan: &Plan) -> &'static [Parameters] {
    match plan.harness {
        Harness::Loop | Harness::StepFunction => &[Parameters::All],
        Harness::Trainer => &[Parameters::Decayed, Parameters::Undecayed],
    }
}

/// The temporaries of one update.
fn update<'t>(tape: &'t Tape, model: &Model<'t>, plan: &Plan, group: Parameters) {
    let list = |op| {
        let mut made = Vec::new();
        group.for_each(tape, model, &mut |w| {
            made.push(tape.temporary(w.layout().shape(), w.dtype(), op));
        });
        // Each is dropped inside the group of layers that it was made in.
        let mut made = made.into_iter();
        group.for_each(tape, model, &mut |_| drop(made.next()));
    };
    match plan.optimizer {
        // `_multi_tensor_adamw`: torch._foreach_sqrt(exp_avg_sqs) makes a list as large as one state.
        Optimizer::AdamwTorch => list("_foreach_sqrt"),
        // `_multi_tensor_sgd`: gradients with the decay of weights, which Unsloth sets (`unsloth/models/rl.py`).
        Optimizer::Sgd | Optimizer::SgdMomentum
            if plan.stack == Stack::Unsloth && matches!(group, Parameters::Decayed) =>
        {
            list("_foreach_add")
        }
        Optimizer::AdamwTorchForloop => {
            // `_single_tensor_adamw`: denom = (exp_avg_sq.sqrt() / bias_correction2_sqrt).add_(eps); the name keeps
            // the last weight's until the next is made.
            let mut denominator = None;
            group.for_each(tape, model, &mut |w| {
                let root = tape.temporary(w.layout().shape(), w.dtype(), "sqrt");
                let next = tape.temporary(w.layout().shape(), w.dtype(), "div");
                drop(root);
                denominator = Some(next);
            });
            drop(denominator);
        }
        _ => {}
    }
}

/// Trainer has bitsandbytes keep the states of embeddings, and so of heads tied to them, in 32 bit
/// (`transformers/trainer.py: create_optimizer`, `register_module_override`; `unsloth/trainer.py` alike).
fn keeps_embedding_wide(plan: &Plan) -> bool {
    plan.harness == Harness::Trainer
}

/// Bytes of optimizer states in managed memory: invisible to PyTorch, on the GPU while there is room.
pub fn managed_bytes(plan: &Plan) -> u64 {
    let per_weight = match plan.optimizer {
        Optimizer::PagedAdamw8bit => 2,
        Optimizer::PagedAdamw32bit => 8,
        _ => return 0,
    };
    let mut bytes = 0u64;
    plan.for_each_parameter(|weight| {
        if weight.trained && weight.elements >= MIN_PAGED_SIZE {
            let elements = weight.elements.saturating_mul(weight.count);
            bytes = bytes.saturating_add(elements.saturating_mul(per_weight));
        }
    });
    let embedding = plan.arch.vocab.saturating_mul(plan.arch.hidden);
    let trained = plan.lora.as_ref().is_none_or(|lora| lora.saves[0]);
    if trained && keeps_embedding_wide(plan) && embedding >= MIN_PAGED_SIZE {
        bytes = bytes.saturating_add(embedding.saturating_mul(8 - per_weight));
    }
    bytes
}
