//! The weights of a plan, kind by kind: what is stored, what is trained.

use super::Plan;
use crate::scenario::{Checkpointing, Release, Stack};

/// Weights of one kind: how many elements, how many such tensors, are they trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Elements of one tensor.
    pub elements: u64,
    /// Tensors of this kind.
    pub count: u64,
    /// Are they trained?
    pub trained: bool,
}

impl Plan {
    /// Calls `f` with every kind of weight of the model, adapters included.
    pub fn for_each_parameter(&self, mut f: impl FnMut(Parameter)) {
        let full = self.lora.is_none();
        if self.towers > 0 {
            f(Parameter {
                elements: self.towers,
                count: 1,
                trained: false,
            });
        }
        for (elements, count) in self.arch.outside_layers() {
            f(Parameter {
                elements,
                count,
                trained: full,
            });
        }
        let saves = self.lora.as_ref().map_or([false; 2], |lora| lora.saves);
        let copies = match self.trains_tied_weight() {
            true => 1,
            false => saves.into_iter().filter(|&saved| saved).count(),
        };
        for _ in 0..copies {
            f(Parameter {
                elements: self.arch.vocab.saturating_mul(self.arch.hidden),
                count: 1,
                trained: true,
            });
        }
        for (index, count) in self.arch.kinds() {
            let buffers = self.arch.buffers(index);
            if buffers > 0 {
                f(Parameter {
                    elements: buffers,
                    count,
                    trained: false,
                });
            }
        }
        for (index, count, part) in self.arch.parts() {
            let passed_by = index.is_some_and(|index| self.arch.is_skipped(index));
            let full = full && !passed_by;
            let (weight, bias) = part.elements();
            f(Parameter {
                elements: weight,
                count,
                trained: full,
            });
            if bias > 0 {
                f(Parameter {
                    elements: bias,
                    count,
                    trained: full,
                });
            }
            let Some(lora) = &self.lora else { continue };
            let Some(adapter) = lora.adapter_of(&part) else {
                continue;
            };
            let widths = [adapter.inputs, adapter.outputs].map(|width| width.saturating_mul(adapter.rank));
            let magnitudes = lora.dora.then_some(adapter.outputs);
            for elements in widths.into_iter().chain(magnitudes) {
                f(Parameter {
                    elements,
                    count,
                    trained: !passed_by,
                });
            }
        }
    }

    /// Unsloth: is the weight that embedding and head share trained whole? It stays one weight.
    pub fn trains_tied_weight(&self) -> bool {
        let both = self.lora.as_ref().is_some_and(|lora| lora.saves == [true; 2]);
        both && self.arch.tied && self.stack == Stack::Unsloth
    }

    /// Unsloth's own checkpointing: are the originals of a trained embedding and head put on the disk, where their copies
    /// are read from (`unsloth/models/llama.py: get_peft_model, offload_output_embeddings`)?
    pub fn saves_on_disk(&self) -> bool {
        let any = self.lora.as_ref().is_some_and(|lora| lora.saves != [false; 2]);
        any && self.stack == Stack::Unsloth
            && !self.generic
            && self.release == Release::Current
            && self.checkpointing == Checkpointing::Unsloth
    }

    /// Weights of the model with its adapters.
    pub fn parameters(&self) -> u64 {
        let mut sum = 0u64;
        self.for_each_parameter(|p| sum = sum.saturating_add(p.elements.saturating_mul(p.count)));
        sum
    }

    /// Weights that are trained.
    pub fn trained_parameters(&self) -> u64 {
        let mut sum = 0u64;
        self.for_each_parameter(|p| {
            if p.trained {
                sum = sum.saturating_add(p.elements.saturating_mul(p.count));
            }
        });
        sum
    }
}
