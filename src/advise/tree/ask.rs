//! How a scenario answers the tree's questions.

use super::{Observed, Solved};
use crate::advise::fit;
use crate::advise::levers::Remedy;
use crate::estimate::{Estimate, Estimates, Verdict};
use crate::scenario::{Checkpointing, Optimizer, Scenario, Stack};
use serde::{Deserialize, Serialize};

/// What a scenario answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub enum Answer {
    /// Yes.
    Yes,
    /// No.
    No,
    /// The scenario cannot know; the user does.
    Open,
}

/// A question's meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    ComputesFp8,
    ComputesBf16,
    Fits,
    FourBit,
    SmallStates,
    SmallestBatch,
    Checkpointed,
    FitsTogether,
    AccuracyDrops,
}

/// What is known when a question is answered.
pub(in crate::advise) struct Known<'a> {
    pub scenario: &'a Scenario,
    pub estimate: &'a Estimate,
    /// Estimates of other runs.
    pub estimates: &'a Estimates,
    pub remedy: Option<&'a Remedy>,
    pub observed: Observed,
    /// Inverse answers, where they are known already.
    pub solved: Option<&'a Solved<'a>>,
}

impl Ask {
    /// The answer, and why, for this scenario.
    pub fn answer(self, known: &Known) -> (Answer, String) {
        let run = known.scenario;
        let yes = |yes| if yes { Answer::Yes } else { Answer::No };
        match self {
            Ask::ComputesFp8 => self.capability(run, (8, 9)),
            Ask::ComputesBf16 => self.capability(run, (8, 0)),
            Ask::Fits => match (known.estimate.verdict, known.estimate.headroom_bytes) {
                (Some(verdict), Some(headroom)) => {
                    (yes(verdict == Verdict::Fits), fit::words(verdict, headroom))
                }
                _ => (Answer::Open, "no card is named".into()),
            },
            Ask::FourBit => (
                yes(run.weights.is_4bit()),
                format!("it is loaded as {}", run.weights.label()),
            ),
            Ask::SmallStates => {
                use Optimizer::{AdamwTorch, AdamwTorchForloop, AdamwTorchFused, PagedAdamw32bit};
                let large = matches!(
                    run.optimizer,
                    AdamwTorch | AdamwTorchForloop | AdamwTorchFused | PagedAdamw32bit
                );
                let words = format!("{}: {}", run.optimizer, run.optimizer.note());
                (yes(!large), words)
            }
            Ask::SmallestBatch => (
                yes(run.batch == 1),
                format!("{} sequences of {} tokens at once", run.batch, run.seq),
            ),
            Ask::Checkpointed => {
                let best = match run.stack {
                    Stack::Unsloth => run.checkpointing == Checkpointing::Unsloth,
                    Stack::Hf => run.checkpointing != Checkpointing::None,
                };
                (
                    yes(best),
                    format!("checkpointing is {}", run.checkpointing.label()),
                )
            }
            Ask::FitsTogether => match known.remedy {
                Some(remedy) => {
                    let steps: Vec<_> = remedy.steps.iter().map(|step| step.label).collect();
                    (Answer::Yes, format!("with {}", steps.join(", ")))
                }
                None => (
                    Answer::No,
                    "no set of known changes is enough on this card".into(),
                ),
            },
            Ask::AccuracyDrops => match known.observed.accuracy_drops {
                Some(drops) => (yes(drops), "as you say".into()),
                None => (Answer::Open, "only a validation run can tell".into()),
            },
        }
    }

    fn capability(self, run: &Scenario, least: (u32, u32)) -> (Answer, String) {
        let name = run.card().map_or("the card", |card| card.name.as_str());
        match run.capability() {
            Some(own) => {
                let answer = if own >= least { Answer::Yes } else { Answer::No };
                let than = if own >= least { "at least" } else { "below" };
                let words = format!(
                    "{name} has compute capability {}.{}, {than} {}.{}",
                    own.0, own.1, least.0, least.1
                );
                (answer, words)
            }
            None if run.card().is_some() => (Answer::No, format!("{name} is no CUDA card")),
            None => (Answer::Open, "no card is named".into()),
        }
    }
}
