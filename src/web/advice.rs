//! Advice as it comes from the worker: what [`crate::advise`] found, as far as the page shows it.

use crate::advise::{Answer, Cost};
use crate::estimate::Verdict;
use crate::scenario::Scenario;
use serde::Deserialize;

/// All advice on one scenario.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Advice {
    /// Every single change that helps.
    pub levers: Vec<Change>,
    /// The smallest set of changes that fits; nothing when it fits already, or nothing is enough.
    pub remedy: Option<Remedy>,
    /// The decision tree with the scenario's path lit.
    pub tree: Vec<Question>,
}

/// The quantities after a change.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct After {
    /// Does it fit then? Nothing without a card.
    pub verdict: Option<Verdict>,
    /// Bytes to spare then.
    pub headroom_bytes: Option<i64>,
}

/// What a change does to memory.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Effect {
    /// Bytes by which the card may be smaller.
    pub saves_bytes: i64,
    /// The quantities after the change.
    pub after: After,
}

/// A change: a lever, or a tip of the tree.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Change {
    /// Stable name.
    pub id: String,
    /// What one does, in a few words.
    #[serde(alias = "text")]
    pub label: String,
    /// What it costs.
    pub cost: Cost,
    /// What else it does.
    pub side_effect: String,
    /// Why it helps, and the source; tips leave that to their question.
    #[serde(default)]
    pub why: String,
    /// The setting as it is written in a training script.
    #[serde(default)]
    pub setting: Option<String>,
    /// The changed scenario: applying the change is taking it.
    pub scenario: Option<Scenario>,
    /// What it does to memory; nothing when that is not known, or nothing changes.
    pub effect: Option<Effect>,
    /// Why nothing can be said of its effect.
    pub refused: Option<String>,
}

/// A set of changes with which the run fits.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Remedy {
    /// The changes, in order.
    pub steps: Vec<Step>,
    /// The changed scenario.
    pub scenario: Scenario,
    /// What all of them do together.
    pub effect: Effect,
}

/// One change of a set.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Step {
    /// What one does, in a few words.
    pub label: String,
    /// What it costs.
    pub cost: Cost,
}

/// One question of the tree.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Question {
    /// Stable name.
    pub id: String,
    /// The question.
    pub question: String,
    /// Is it on the scenario's path?
    pub lit: bool,
    /// The answer.
    pub answer: Answer,
    /// Why, for this scenario.
    pub because: String,
    /// The fact behind the question.
    pub fact: String,
    /// Whose word the fact is.
    pub source: String,
    /// What follows from yes.
    pub yes: Branch,
    /// What follows from no.
    pub no: Branch,
}

/// What follows from an answer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Branch {
    /// Is it on the path?
    pub lit: bool,
    /// What to do.
    pub tips: Vec<Change>,
}
