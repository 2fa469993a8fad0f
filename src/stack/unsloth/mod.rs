//! The Unsloth stack: unsloth and unsloth_zoo 2026.10.9, TRL 1.15, transformers 5.17, PEFT 0.21, bitsandbytes 0.50 on
//! torch 2.11. Hand-written layers: Llama, Mistral, Qwen2, Qwen3.

mod attention;
mod batch;
mod checkpoint;
mod compiled;
mod fake;
mod generic;
mod layer;
mod loss;
mod model;
mod past;
mod rope;
mod step;

pub use checkpoint::host_bytes;
pub use loss::{Route, route};

use super::Detail;
use crate::plan::Plan;
use crate::replay::{Phase, Recording, Tape, Turns};
use model::Model;
use std::ops::RangeInclusive;

/// Settles what only a folded first step tells.
#[inline(never)]
fn settle(tape: &Tape, plan: &Plan) {
    if plan.is_compiled() {
        let first = Tape::folding(plan.device, plan.workspace_bytes);
        run(&first, plan, Detail::Segments, 1..=1);
        tape.set_copies(first.copies() == Some(true));
    }
}

/// Records loading and two training steps.
pub fn record(plan: &Plan, detail: Detail) -> Recording {
    let tape = Tape::new(plan.device, plan.workspace_bytes);
    settle(&tape, plan);
    run(&tape, plan, detail, 1..=2);
    Recording {
        expandable_segments: plan.expandable_segments,
        ..tape.finish()
    }
}

/// As [`record`] in full, from one layer of each kind; nothing when the others do not follow from these.
pub fn turns(plan: &Plan) -> Option<Turns> {
    let tape = Tape::new(plan.device, plan.workspace_bytes);
    settle(&tape, plan);
    run(&tape, plan, Detail::Ends, 1..=2);
    tape.finish_expanded(plan.expandable_segments)
}

/// The highest live bytes of the training steps by segments: the second step alone, with everything that the first leaves
/// behind.
pub fn peak(plan: &Plan) -> u64 {
    let tape = Tape::folding(plan.device, plan.workspace_bytes);
    // Compiled layers in fp32 streams may take more in the first step than in the second, and kernels are tuned in it.
    run(
        &tape,
        plan,
        Detail::Segments,
        if plan.is_compiled() { 1..=2 } else { 2..=2 },
    );
    let peak = tape.peak();
    drop(tape);
    let has_tables = !plan.generic && (plan.is_compiled() || rope::are_computed_on_the_gpu(plan));
    match has_tables {
        true => peak.max(peak_of_tables(plan)),
        false => peak,
    }
}

/// The highest live bytes of the first step while it computes its rotary tables.
#[inline(never)]
fn peak_of_tables(plan: &Plan) -> u64 {
    let tape = Tape::folding(plan.device, plan.workspace_bytes);
    tape.phase(Phase::Load, 0, 0);
    let mut model = Model::load(&tape, plan, Detail::Segments);
    model.prepare(&tape, plan);
    step::first_tables(&tape, plan, &model);
    let peak = tape.peak();
    tape.stop();
    drop(model);
    peak
}

// Neither this nor `peak_of_tables` within its callers: by them the page enters the part that it loads later.
#[inline(never)]
fn run(tape: &Tape, plan: &Plan, detail: Detail, steps: RangeInclusive<u8>) {
    tape.logits_are(plan.tokens(), plan.arch.vocab);
    tape.phase(Phase::Load, 0, 0);
    let mut model = Model::load(tape, plan, detail);
    model.prepare(tape, plan);
    if *steps.start() == 1 && !plan.generic && !tape.lists_events() {
        // The first step makes them before the workspaces that a fold finds there from the beginning (`peak_of_tables`).
        model.tables.ensure(tape, plan);
    }
    step::train(tape, plan, &model, steps);
    // What is still alive is not part of the recording: handles may be dropped in any order.
    tape.stop();
    drop(model);
}
