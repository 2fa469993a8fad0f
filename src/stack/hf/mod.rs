//! The Hugging Face stack: transformers 5.17, PEFT 0.21, accelerate 1.15, bitsandbytes 0.50 on torch 2.11.

mod adafactor;
mod attention;
mod biases;
mod cache;
mod dora;
mod forward;
mod layers;
pub(super) mod linear;
mod loss;
mod mask;
pub(super) mod model;
mod norm;
pub(super) mod optimizer;
mod prepare;
mod quantize;
mod rotary;
pub(super) mod scaler;
pub(super) mod step;
mod streams;
mod sweep;
mod weight_adapter;

use super::Detail;
use crate::plan::Plan;
use crate::replay::{Phase, Recording, Tape, Turns};
use crate::scenario::Checkpointing;
use model::Model;
use optimizer::States;
use std::ops::RangeInclusive;

pub use layers::is_common as has_common_layers;
pub use optimizer::{hands_on_a_temporary, managed_bytes};
pub use sweep::sweep;

/// Records loading and two training steps.
pub fn record(plan: &Plan, detail: Detail) -> Recording {
    let tape = Tape::new(plan.device, plan.workspace_bytes);
    run(&tape, plan, detail, 1..=2);
    Recording {
        expandable_segments: plan.expandable_segments,
        ..tape.finish()
    }
}

/// As [`record`] in full, from one layer of each kind; nothing when the others do not follow from these.
pub fn turns(plan: &Plan) -> Option<Turns> {
    let tape = Tape::new(plan.device, plan.workspace_bytes);
    run(&tape, plan, Detail::Ends, 1..=2);
    tape.finish_expanded(plan.expandable_segments)
}

/// The highest live bytes of the training steps by segments. The first step is like the second with less alive, so the
/// second alone is replayed, with everything that the first leaves behind; but for a cache that is kept with the outputs, and
/// for biases that become smaller in the first step.
pub fn peak(plan: &Plan) -> u64 {
    if bounds_first_layers(plan) {
        let tape = folded(plan, Detail::Kinds);
        if let Some(peak) = tape.sure_peak() {
            return peak;
        }
    }
    folded(plan, Detail::Segments).peak()
}

fn folded(plan: &Plan, detail: Detail) -> Tape {
    let tape = Tape::folding(plan.device, plan.workspace_bytes);
    run(&tape, plan, detail, first_step(plan)..=2);
    tape
}

fn first_step(plan: &Plan) -> u8 {
    let both = (plan.keep_outputs && (plan.use_cache || plan.arch.shared_keys.is_some()))
        || biases::may_raise_the_first_step(plan);
    if both { 1 } else { 2 }
}

/// Can one layer of a kind stand for the first as well? Inputs must need gradients from the first layer on, nothing may hold
/// the graph's leaf, and no temporary of the optimizer may live from the weight of one layer to that of the next.
fn bounds_first_layers(plan: &Plan) -> bool {
    plan.checkpointing != Checkpointing::None
        && !plan.keep_outputs
        // The first layer's checkpoint is the last to hold what layers leave to others.
        && plan.arch.shared_keys.is_none()
        && !biases::may_raise_the_first_step(plan)
        && !hands_on_a_temporary(plan.optimizer)
}

fn run(tape: &Tape, plan: &Plan, detail: Detail, steps: RangeInclusive<u8>) {
    tape.logits_are(plan.batch.saturating_mul(plan.seq), plan.arch.vocab);
    let (model, mut states) = loaded(tape, plan, detail, *steps.start() > 1);
    step::train(tape, plan, &model, &mut states, steps);
    drop(states);
    // What is still alive is not part of the recording: handles may be dropped in any order.
    tape.stop();
}

/// The model, ready for training; the optimizer's states, when a first step has made them.
fn loaded<'t>(tape: &'t Tape, plan: &Plan, detail: Detail, trained: bool) -> (Model<'t>, States<'t>) {
    tape.phase(Phase::Load, 0, 0);
    let mut model = Model::load(tape, plan, detail);
    model.prepare(tape, plan);
    let mut states = States::default();
    if trained {
        states.create_all(tape, &model, plan);
    }
    (model, states)
}
