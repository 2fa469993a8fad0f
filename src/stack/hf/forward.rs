//! The forward pass of a decoder-only model, up to the hidden states (`LlamaModel.forward`), and its backward pass.

use super::mask::causal_mask;
use super::model::Model;
use super::norm::rms_norm;
use super::rotary::{Shared, rotary_tables};
use crate::estimate::Category;
use crate::plan::Plan;
use crate::replay::{Dtype, Group, Tape, Tensor};
use crate::scenario::Checkpointing;

/// A batch on the GPU.
#[derive(Debug)]
pub struct Batch<'t> {
    /// `input_ids`.
    pub ids: Tensor<'t>,
    /// `labels`, held as long as the batch is.
    pub _labels: Tensor<'t>,
}

impl<'t> Batch<'t> {
    /// Token ids and labels move to the GPU.
    pub fn load(tape: &'t Tape, plan: &Plan) -> Self {
        let move_to = |name| tape.tensor(&[plan.batch, plan.seq], Dtype::I64, Category::Inputs, name);
        Batch {
            ids: move_to("input_ids"),
            _labels: move_to("labels"),
        }
    }
}

impl<'t> Model<'t> {
    /// `LlamaModel.forward`: embedding, layers, norm.
    pub fn hidden_states(&self, tape: &'t Tape, plan: &Plan, batch: &Batch<'t>) -> Tensor<'t> {
        let embeds = tape.within("embed_tokens", || self.embed.embedding(&batch.ids));
        if self.input_requires_grad {
            embeds.set_requires_grad(true);
        }
        let positions = {
            let _range = tape.temporary(&[plan.seq], Dtype::I64, "arange");
            tape.temporary(&[plan.seq], Dtype::I64, "add")
        };
        let mask = causal_mask(tape, plan, embeds.dtype());
        let (cos, sin) = rotary_tables(tape, plan, embeds.dtype());
        let shared = Shared {
            cos,
            sin,
            positions,
            mask,
        };
        let held = shared.tensors();
        let mut hidden = embeds.clone();
        for layer in &self.layers {
            tape.enter_group(layer.group);
            hidden = match plan.checkpointing {
                Checkpointing::None | Checkpointing::Unsloth => layer.forward(plan, hidden.clone(), &shared),
                Checkpointing::Hf => {
                    tape.checkpoint(layer.index, &hidden, &held, |x| layer.forward(plan, x, &shared))
                }
                Checkpointing::HfReentrant => tape
                    .checkpoint_reentrant(layer.index, &hidden, &held, |x| layer.forward(plan, x, &shared)),
            };
        }
        tape.enter_group(Group::default());
        hidden = tape.within("norm", || rms_norm(&hidden, &self.norm));
        drop(embeds);
        hidden
    }

    /// `loss.backward()`.
    pub fn backward(&self, tape: &'t Tape, plan: &Plan, loss: &Tensor<'t>) {
        tape.backward(loss, &|index, x, held| match (
            self.layers.iter().find(|l| l.index == index),
            Shared::from_tensors(held),
        ) {
            (Some(layer), Some(shared)) => layer.forward(plan, x, &shared),
            _ => x,
        });
    }
}
