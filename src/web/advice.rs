//! Advice as it comes from the worker: what [`crate::advise`] found, as far as the page shows it. Scenarios are carried as
//! links.

use crate::advise::{self, Answer, Cost};
use crate::estimate::Verdict;
use crate::scenario::Scenario;
use serde::{Deserialize, Serialize};

/// All advice on one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// Every single change that helps.
    pub levers: Vec<Change>,
    /// The smallest set of changes that fits; nothing when it fits already, or nothing is enough.
    pub remedy: Option<Remedy>,
    /// The decision tree with the scenario's path lit.
    pub tree: Vec<Question>,
}

/// The quantities after a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct After {
    /// Does it fit then? Nothing without a card.
    pub verdict: Option<Verdict>,
    /// Bytes to spare then.
    pub headroom_bytes: Option<i64>,
}

/// What a change does to memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Bytes by which the card may be smaller.
    pub saves_bytes: i64,
    /// The quantities after the change.
    pub after: After,
}

/// A change: a lever, or a tip of the tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Stable name.
    pub id: String,
    /// What one does, in a few words.
    pub label: String,
    /// What it costs.
    pub cost: Cost,
    /// What else it does.
    pub side_effect: String,
    /// Why it helps, and the source; tips leave that to their question.
    pub why: String,
    /// The setting as it is written in a training script.
    pub setting: Option<String>,
    /// The changed scenario: applying the change is taking it.
    pub link: Option<String>,
    /// What it does to memory; nothing when that is not known, or nothing changes.
    pub effect: Option<Effect>,
    /// Why nothing can be said of its effect.
    pub refused: Option<String>,
}

/// A set of changes with which the run fits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remedy {
    /// The changes, in order.
    pub steps: Vec<Step>,
    /// The changed scenario.
    pub link: String,
    /// What all of them do together.
    pub effect: Effect,
}

/// One change of a set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What one does, in a few words.
    pub label: String,
    /// What it costs.
    pub cost: Cost,
}

/// One question of the tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Branch {
    /// Is it on the path?
    pub lit: bool,
    /// What to do.
    pub tips: Vec<Change>,
}

impl From<&advise::Effect> for Effect {
    fn from(effect: &advise::Effect) -> Self {
        Effect {
            saves_bytes: effect.saves_bytes,
            after: After {
                verdict: effect.after.verdict,
                headroom_bytes: effect.after.headroom_bytes,
            },
        }
    }
}

impl From<advise::Lever> for Change {
    fn from(lever: advise::Lever) -> Self {
        Change {
            id: lever.id.into(),
            label: lever.label.into(),
            cost: lever.cost,
            side_effect: lever.side_effect.into(),
            why: lever.why.into(),
            setting: None,
            link: Some(lever.scenario.to_fragment()),
            effect: lever.effect.as_ref().map(Effect::from),
            refused: lever.refused,
        }
    }
}

impl From<advise::Advised> for Change {
    fn from(tip: advise::Advised) -> Self {
        Change {
            id: tip.id.into(),
            label: tip.text,
            cost: tip.cost,
            side_effect: tip.side_effect.into(),
            why: String::new(),
            setting: tip.setting,
            link: tip.scenario.as_ref().map(Scenario::to_fragment),
            effect: tip.effect.as_ref().map(Effect::from),
            refused: tip.refused,
        }
    }
}

impl From<advise::Remedy> for Remedy {
    fn from(remedy: advise::Remedy) -> Self {
        let step = |step: advise::Step| Step {
            label: step.label.into(),
            cost: step.cost,
        };
        Remedy {
            steps: remedy.steps.into_iter().map(step).collect(),
            link: remedy.scenario.to_fragment(),
            effect: Effect::from(&remedy.effect),
        }
    }
}

impl From<advise::Question> for Question {
    fn from(question: advise::Question) -> Self {
        let branch = |branch: advise::Branch| Branch {
            lit: branch.lit,
            tips: branch.tips.into_iter().map(Change::from).collect(),
        };
        Question {
            id: question.id.into(),
            question: question.question.into(),
            lit: question.lit,
            answer: question.answer,
            because: question.because,
            fact: question.fact.into(),
            source: question.source.into(),
            yes: branch(question.yes),
            no: branch(question.no),
        }
    }
}
