//! Training steps as TRL's `SFTTrainer` under Unsloth runs them.

use super::batch::Batch;
use super::model::Model;
use super::{checkpoint, loss, past};
use crate::estimate::Category;
use crate::plan::Plan;
use crate::replay::{Dtype, Group, Phase, Tape, Tensor, Waits};
use crate::scenario::{Checkpointing, Release};
use crate::stack::hf::optimizer::States;
use crate::stack::hf::scaler::Scaler;
use crate::stack::hf::step::clip_gradients;
use std::ops::RangeInclusive;

/// Micro-batches that are replayed of a step: the first makes the gradients, the others add to them alike.
const MICRO_BATCHES: u64 = 2;
/// Micro-batches of ids and labels that are kept one by one; further ones weigh nothing beside a run this long.
const MOST_BATCHES: u64 = 256;

/// Trains these steps: states and buffers are born in the first, the second is the steady state.
pub fn train<'t>(tape: &'t Tape, plan: &Plan, model: &Model<'t>, steps: RangeInclusive<u8>) {
    let mut states = States::default();
    if *steps.start() > 1 {
        states.create_all(tape, &model.base, plan);
        model.settle(tape, plan);
    }
    tape.phase(Phase::Data, *steps.start(), 0);
    let scalar = || tape.temporary(&[], Dtype::F32, "scalar");
    let _total_loss = tape.tensor(&[], Dtype::F32, Category::Other, "tensor");
    let mut batches: Option<(Vec<Batch<'t>>, Tensor<'t>)> = None;
    // `tr_loss_step` and `grad_norm` stay bound until the next ones are made.
    let (mut last_loss, mut last_norm, mut scaler) = (None, None, None);
    if *steps.start() > 1 {
        scaler = Scaler::is_used(plan).then(|| Scaler::new(tape));
        (last_loss, last_norm) = (Some(scalar()), plan.clip.then(scalar));
    }
    for step in steps.clone() {
        // All micro-batches of a step are drawn at once, and those of the step before dropped after that.
        batches = Some(draw(tape, plan));
        let Some((micro_batches, _)) = &batches else {
            return;
        };
        for (micro, batch) in micro_batches.iter().enumerate().take(MICRO_BATCHES as usize) {
            tape.phase(Phase::Forward, step, micro as u8);
            tape.kernels_are_new(step == 1 && micro == 0 && plan.is_compiled());
            tape.set_autocast(plan.autocast);
            let (mut loss, held) = model.forward(tape, plan, batch);
            tape.set_autocast(None);
            drop(held);
            loss = loss.scale();
            tape.phase(Phase::Backward, step, micro as u8);
            if step == 1 && empties_cache(plan) {
                tape.empty_cache();
            }
            let divided = loss.scale();
            match Scaler::is_used(plan) {
                true => {
                    let scaler = scaler.get_or_insert_with(|| Scaler::new(tape));
                    let scaled = scaler.scaled(&divided);
                    model.backward(tape, plan, &scaled);
                }
                false => model.backward(tape, plan, &divided),
            }
            last_loss = Some(divided);
            tape.phase(Phase::Clip, step, micro as u8);
        }
        // `grad_norm = None` before the optimizer's step.
        last_norm = None;
        if plan.clip {
            if let Some(scaler) = &mut scaler {
                scaler.unscale(tape);
            }
            last_norm = Some(clip_gradients(tape, &model.base));
        }
        tape.phase(Phase::Optimizer, step, 0);
        match &mut scaler {
            Some(scaler) => scaler.step(tape, plan, || states.step(tape, &model.base, plan)),
            None => states.step(tape, &model.base, plan),
        }
        tape.phase(Phase::ZeroGrad, step, 0);
        model.base.for_each_trained(tape, |w| w.drop_grad());
        if step < *steps.end() {
            tape.phase(Phase::Data, step + 1, 0);
        }
    }
    drop((batches, last_loss, last_norm, scaler));
}

/// Is the allocator's cache given back before the backward passes of the first step? Unsloth sets
/// `torch_empty_cache_steps=250` (`unsloth/models/rl.py`), and Trainer counts from step 0
/// (`transformers/trainer.py: training_step`); 250 steps later it is given back again.
fn empties_cache(plan: &Plan) -> bool {
    plan.release != Release::AllLogits
}

/// The first step up to its rotary tables, while which small runs take most.
pub fn first_tables<'t>(tape: &'t Tape, plan: &Plan, model: &Model<'t>) {
    tape.phase(Phase::Data, 1, 0);
    let _total_loss = tape.tensor(&[], Dtype::F32, Category::Other, "tensor");
    let (batches, _items) = draw(tape, plan);
    drop(batches.first().map(|batch| model.embed(tape, plan, batch)));
}

/// The micro-batches of a step and their number of labelled tokens.
fn draw<'t>(tape: &'t Tape, plan: &Plan) -> (Vec<Batch<'t>>, Tensor<'t>) {
    let batches: Vec<_> = (0..plan.grad_accum.clamp(1, MOST_BATCHES))
        .map(|_| Batch::load(tape, plan))
        .collect();
    let _sum = tape.temporary(&[], Dtype::I64, "sum");
    let items = tape.temporary(&[], Dtype::I64, "to");
    (batches, items)
}

impl<'t> Model<'t> {
    /// Positions and embedded tokens, and the tables when there are none yet.
    fn embed(&self, tape: &'t Tape, plan: &Plan, batch: &Batch<'t>) -> (Option<Tensor<'t>>, Tensor<'t>) {
        let positions = plan
            .padding_free
            .then(|| tape.temporary(&plan.rows(), Dtype::I32, "to"));
        let embeds = tape.within("embed_tokens", || self.embedded(&batch.ids));
        // An embedding that is trained in fp32 beside an fp16 model.
        let embeds = match embeds.dtype() == plan.dtype {
            true => embeds,
            false => tape.within("embed_tokens", || embeds.to(plan.dtype)),
        };
        if self.base.input_requires_grad {
            embeds.set_requires_grad(true);
        }
        tape.within("rotary_emb", || self.tables.ensure(tape, plan));
        (positions, embeds)
    }

    /// `LlamaForCausalLM.forward` with labels: the loss, and what lives until the call returns: the embedded tokens where
    /// they are a leaf, the logits where they are made.
    fn forward(&self, tape: &'t Tape, plan: &Plan, batch: &Batch<'t>) -> (Tensor<'t>, Vec<Tensor<'t>>) {
        if let Some(generic) = &self.generic {
            return (
                generic.forward(tape, plan, &self.base, &self.staging, batch),
                Vec::new(),
            );
        }
        let (positions, mut hidden) = self.embed(tape, plan, batch);
        let leaf = self.base.has_leaf().then(|| hidden.clone());
        for (position, layer) in self.base.layers.iter().enumerate() {
            tape.enter_group(layer.group);
            let first = (position == 0).then_some(batch);
            let run = |x| self.layer_of(plan, position, x, positions.as_ref(), first);
            hidden = match plan.checkpointing {
                Checkpointing::None => run(hidden),
                _ => {
                    let staging = self.staging.of(tape, plan, layer.index);
                    let waits = match &staging {
                        Some(buffer) => Waits::Staged(buffer),
                        None if checkpoint::waits_on_the_host(plan) => Waits::OnTheHost,
                        None => Waits::Here,
                    };
                    let others: Vec<_> = positions.iter().collect();
                    tape.checkpoint_in(layer.index, &hidden, waits, &others, run)
                }
            };
        }
        tape.enter_group(Group::default());
        hidden = tape.within("norm", || hidden.fast_rms_norm(&self.base.norm, true));
        let head = self.base.head_weight();
        let mut held: Vec<_> = leaf.into_iter().collect();
        let (hidden, fake) = tape.within("lm_head", || self.fake_head(hidden));
        let loss = tape.within("loss", || match plan.release {
            Release::Current => loss::loss(tape, plan, hidden, fake.as_ref().unwrap_or(head), batch),
            _ => past::loss(tape, plan, hidden, head, batch, &mut held),
        });
        (loss, held)
    }

    /// The layer as it runs for this kind of batch.
    fn layer_of(
        &self,
        plan: &Plan,
        position: usize,
        x: Tensor<'t>,
        positions: Option<&Tensor<'t>>,
        first: Option<&Batch<'t>>,
    ) -> Tensor<'t> {
        match plan.runs_eagerly() {
            true => self.layer(plan, position, x, positions, first),
            false => self.compiled(plan, position, x),
        }
    }

    /// `loss.backward()`.
    fn backward(&self, tape: &'t Tape, plan: &Plan, loss: &Tensor<'t>) {
        if let Some(generic) = &self.generic {
            generic.backward(tape, plan, &self.base);
            return self.staging.after_backward();
        }
        tape.backward(loss, &|index, x, mut held| {
            let at = self.base.layers.iter().position(|layer| layer.index == index);
            match at {
                Some(position) => self.layer_of(plan, position, x, held.pop().as_ref(), None),
                None => x,
            }
        });
        self.staging.after_backward();
    }
}
