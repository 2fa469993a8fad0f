//! Peaks of runs that differ in their batch and sequence length alone: the model and the optimizer's states are made once,
//! and of the runs that differ in their batch few are replayed.

use super::model::Model;
use super::optimizer::States;
use super::{bounds_first_layers, first_step, folded, loaded, peak, step};
use crate::plan::Plan;
use crate::replay::{Mark, Script, Tape};
use crate::scenario::Optimizer;
use crate::stack::{Detail, Row, each};

/// Calls `f` with a function that gives rows of peaks.
pub fn sweep<T>(plan: &Plan, f: impl FnOnce(&mut Row) -> T) -> T {
    // What a step puts in the place of another tensor is gone when the tape goes back: Adafactor's running means.
    if first_step(plan) == 1 || plan.optimizer == Optimizer::Adafactor {
        return f(&mut each);
    }
    let bounds = bounds_first_layers(plan);
    let tape = Tape::folding(plan.device, plan.workspace_bytes);
    let detail = if bounds { Detail::Kinds } else { Detail::Segments };
    let (model, mut states) = loaded(&tape, plan, detail, true);
    let mark = tape.mark();
    let mut sweep = Sweep {
        tape: &tape,
        plan,
        mark,
        model: &model,
        states: &mut states,
        bounds,
    };
    let out = f(&mut |batches, plan| sweep.row(batches, plan));
    tape.stop();
    out
}

struct Sweep<'a, 't> {
    tape: &'t Tape,
    /// What the model was loaded for.
    plan: &'a Plan,
    /// Where the step begins.
    mark: Mark,
    model: &'a Model<'t>,
    states: &'a mut States<'t>,
    /// Does one layer of a kind stand for the first as well?
    bounds: bool,
}

/// A run that was replayed: its peak, and what it did, where that can be played again.
#[derive(Clone, Debug)]
struct Replayed {
    peak: u64,
    script: Option<Script>,
}

impl Sweep<'_, '_> {
    /// Does a run differ from what the model was loaded for in batch and sequence length alone?
    fn is_alike(&self, run: &mut Plan) -> bool {
        let (batch, seq) = (run.batch, run.seq);
        (run.batch, run.seq) = (self.plan.batch, self.plan.seq);
        let alike = run == self.plan;
        (run.batch, run.seq) = (batch, seq);
        alike
    }

    fn replay(&mut self, run: &mut Plan) -> Replayed {
        if !self.is_alike(run) {
            return Replayed {
                peak: peak(run),
                script: None,
            };
        }
        let tape = self.tape;
        tape.rewind(&self.mark);
        tape.logits_are(run.batch.saturating_mul(run.seq), run.arch.vocab);
        tape.write_script();
        step::train(tape, run, self.model, self.states, 2..=2);
        let script = tape.take_script();
        match tape.sure_peak() {
            None if self.bounds => Replayed {
                peak: folded(run, Detail::Segments).peak(),
                script,
            },
            sure => Replayed {
                peak: sure.unwrap_or_else(|| tape.peak()),
                script,
            },
        }
    }

    /// The peaks at these batches, which ascend. A stretch whose runs all do the same takes three of them; one that changes
    /// on the way is halved.
    fn row(&mut self, batches: &[u64], plan: &mut dyn FnMut(u64) -> Option<Plan>) -> Vec<Option<u64>> {
        let mut plans: Vec<Option<Plan>> = batches.iter().map(|&batch| plan(batch)).collect();
        let mut peaks = vec![None; batches.len()];
        let mut replayed: Vec<Option<Replayed>> = vec![None; batches.len()];
        let mut stretches = Vec::new();
        if let Some(last) = batches.len().checked_sub(1) {
            // A single row is a view where several are copied.
            let first = usize::from(batches[0] == 1).min(last);
            stretches.extend([(0, first), (first, last)]);
        }
        while let Some((first, last)) = stretches.pop() {
            for at in [first, last] {
                if replayed[at].is_none() {
                    replayed[at] = plans[at].as_mut().map(|run| self.replay(run));
                    peaks[at] = replayed[at].as_ref().map(|run| run.peak);
                }
            }
            if last - first < 2 {
                continue;
            }
            let apart = batches[last] - batches[first];
            let adjoins = batches[first + 1] == batches[first] + 1;
            let next = match adjoins.then(|| replayed[first + 1].take()).flatten() {
                Some(known) => Some(known),
                None => plan(batches[first] + 1).map(|mut run| self.replay(&mut run)),
            };
            let three = [&replayed[first], &next, &replayed[last]];
            let play = match three.map(|run| run.as_ref()?.script.as_ref()) {
                [Some(first), Some(next), Some(last)] => self.mark.play([first, next, last], apart),
                _ => None,
            };
            if adjoins {
                peaks[first + 1] = next.as_ref().map(|run| run.peak);
                replayed[first + 1] = next;
            }
            let Some(play) = play else {
                let middle = first + (last - first) / 2;
                stretches.extend([(first, middle), (middle, last)]);
                continue;
            };
            for at in first + 1..last {
                peaks[at] = plans[at].as_mut().map(|run| {
                    let played = self
                        .is_alike(run)
                        .then(|| play.peak(batches[at] - batches[first]));
                    played.flatten().unwrap_or_else(|| self.replay(run).peak)
                });
            }
        }
        peaks
    }
}
