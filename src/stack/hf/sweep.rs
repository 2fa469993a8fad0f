//! Peaks of runs that differ in their batch and sequence length alone: the model and the optimizer's states are made once.

use super::{bounds_first_layers, first_step, folded, loaded, peak, step};
use crate::plan::Plan;
use crate::replay::Tape;
use crate::scenario::Optimizer;
use crate::stack::Detail;

/// Calls `f` with a function that does what [`peak`] does, at less cost for plans that differ from this one in batch and
/// sequence length alone.
pub fn sweep<T>(plan: &Plan, f: impl FnOnce(&mut dyn FnMut(Plan) -> u64) -> T) -> T {
    let bounds = bounds_first_layers(plan);
    // What a step puts in the place of another tensor is gone when the tape goes back: Adafactor's running means.
    if first_step(plan) == 1 || plan.optimizer == Optimizer::Adafactor {
        return f(&mut |run| peak(&run));
    }
    let tape = Tape::folding(plan.device, plan.workspace_bytes);
    let detail = if bounds { Detail::Kinds } else { Detail::Segments };
    let (model, mut states) = loaded(&tape, plan, detail, true);
    let mark = tape.mark();
    let out = f(&mut |mut run: Plan| {
        let (batch, seq) = (run.batch, run.seq);
        (run.batch, run.seq) = (plan.batch, plan.seq);
        let alike = run == *plan;
        (run.batch, run.seq) = (batch, seq);
        if !alike {
            return peak(&run);
        }
        tape.rewind(&mark);
        tape.logits_are(batch.saturating_mul(seq), run.arch.vocab);
        step::train(&tape, &run, &model, &mut states, 2..=2);
        match tape.sure_peak() {
            Some(peak) if bounds => peak,
            None if bounds => folded(&run, Detail::Segments).peak(),
            _ => tape.peak(),
        }
    });
    tape.stop();
    out
}
