//! The field's decision tree, walked for one scenario.

mod ask;
mod nodes;
mod solved;
mod tips;
mod words;

pub use ask::Answer;
pub use tips::Advised;

use super::levers::Remedy;
use crate::estimate::{Estimate, Estimates};
use crate::scenario::Scenario;
pub(super) use ask::Known;
use nodes::{NODES, Way};
use serde::Serialize;
pub(super) use solved::Solved;

/// What only the user can see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Is accuracy worse than it should be? Nothing: not known.
    pub accuracy_drops: Option<bool>,
}

/// One question of the tree, answered for a scenario.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct Question {
    /// Stable name.
    pub id: &'static str,
    /// The question.
    pub question: &'static str,
    /// Is it on this scenario's path?
    pub lit: bool,
    /// The answer.
    pub answer: Answer,
    /// Why, for this scenario.
    pub because: String,
    /// The fact behind the question.
    pub fact: &'static str,
    /// Whose word the fact is.
    pub source: &'static str,
    /// What follows from yes.
    pub yes: Branch,
    /// What follows from no.
    pub no: Branch,
}

/// What follows from an answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct Branch {
    /// Is it on the path? An open question has both ways dark.
    pub lit: bool,
    /// What to do. Effects are estimated for what is on the path, and for both ways of an open question.
    pub tips: Vec<Advised>,
    /// The next question.
    pub next: Option<&'static str>,
}

/// Every question of the tree, in order, with this scenario's path lit. The first is the root.
///
/// ```
/// use plimsoll::advise::{Observed, tree};
/// use plimsoll::estimate::estimate;
/// use plimsoll::scenario::Scenario;
/// let run = Scenario::default();
/// let before = estimate(&run).expect("sound");
/// let questions = tree(&run, &before, None, Observed::default());
/// let path: Vec<_> = questions.iter().filter(|question| question.lit).map(|question| question.id).collect();
/// assert_eq!(path, ["fp8-card", "memory", "accuracy"]);
/// ```
pub fn tree(
    scenario: &Scenario,
    estimate: &Estimate,
    remedy: Option<&Remedy>,
    observed: Observed,
) -> Vec<Question> {
    walk(&Known {
        scenario,
        estimate,
        estimates: &Estimates::default(),
        remedy,
        observed,
        solved: None,
    })
}

/// As [`tree`], with what may be solved already.
pub(super) fn walk(known: &Known) -> Vec<Question> {
    let answers: Vec<(Answer, String)> = NODES.iter().map(|node| node.ask.answer(known)).collect();
    let path = path(&answers);
    let question = |(index, (node, (answer, because))): (usize, (&nodes::Node, (Answer, String)))| {
        let lit = path.contains(&index);
        let branch = |way: &Way, on: Answer| Branch {
            lit: lit && answer == on,
            tips: match lit && (answer == on || answer == Answer::Open) {
                true => way.tips.iter().map(|tip| tip.advised(known)).collect(),
                false => way.tips.iter().map(|tip| tip.named()).collect(),
            },
            next: way.next,
        };
        Question {
            id: node.id,
            question: node.question,
            lit,
            answer,
            because,
            fact: node.fact,
            source: node.source,
            yes: branch(&node.yes, Answer::Yes),
            no: branch(&node.no, Answer::No),
        }
    };
    NODES.iter().zip(answers).enumerate().map(question).collect()
}

/// The nodes on the way from the root. An open question is passed where both answers lead to the same next one, or by its
/// no.
fn path(answers: &[(Answer, String)]) -> Vec<usize> {
    let mut path = Vec::new();
    let mut here = Some(0);
    while let Some(index) = here.filter(|index| !path.contains(index)) {
        path.push(index);
        let node = &NODES[index];
        let next = match answers[index].0 {
            Answer::Yes => node.yes.next,
            Answer::No | Answer::Open => node.no.next,
        };
        here = next.and_then(|id| NODES.iter().position(|node| node.id == id));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_leads_to_a_later_node_and_every_node_is_reached() {
        for (index, node) in NODES.iter().enumerate() {
            for id in [node.yes.next, node.no.next].into_iter().flatten() {
                let to = NODES.iter().position(|node| node.id == id);
                assert!(to.is_some_and(|to| to > index), "{} leads to {id}", node.id);
            }
            let reached = |other: &nodes::Node| [other.yes.next, other.no.next].contains(&Some(node.id));
            assert!(index == 0 || NODES.iter().any(reached), "{}", node.id);
        }
    }
}
