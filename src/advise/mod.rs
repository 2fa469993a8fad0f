//! What to do: how far a run can be stretched, which changes help, and which way through the field's decision tree
//! this scenario takes. Every number here is the difference or the verdict of estimates.

pub mod solve;

mod fit;
mod levers;
mod settings;
mod tree;

use levers::{levers_by, remedy_by};

pub use levers::{Cost, Effect, Figures, Lever, Part, Remedy, Step, levers, remedy};
pub use settings::settings;
pub use tree::{Advised, Answer, Branch, Observed, Question, tree};

use crate::estimate::{Estimate, EstimateError, Estimates};
use crate::scenario::{Method, Scenario};
use serde::Serialize;
use solve::{CardFit, Largest, ModelFit, Quantity};
use std::rc::Rc;

/// Everything that can be advised about one scenario.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct Advice {
    /// The quantities as the scenario stands.
    pub now: Figures,
    /// The decision tree with this scenario's path lit.
    pub tree: Vec<Question>,
    /// Every single change that helps.
    pub levers: Vec<Lever>,
    /// The smallest set of changes that fits; nothing when it fits already, or nothing is enough.
    pub remedy: Option<Remedy>,
    /// Settings that fit the card: the run as it is or changed, in fp16 where the card has no bf16; nothing when nothing
    /// is enough.
    pub settings: Option<Scenario>,
    /// The longest sequence, largest micro-batch and largest rank that fit.
    pub largest: Vec<Largest>,
    /// The largest model of the family that fits.
    pub model: Option<ModelFit>,
    /// The card with the least memory that fits.
    pub smallest_card: Option<CardFit>,
    /// The card that costs least by the hour among those that fit.
    pub cheapest_card: Option<CardFit>,
}

/// Advises on one scenario. Without a card, what needs one is left out.
///
/// ```
/// use plimsoll::advise::{Observed, advise};
/// use plimsoll::scenario::Scenario;
/// let run = Scenario { gpu: Some("rtx-3060-12gb".into()), ..Scenario::default() };
/// let advice = advise(&run, Observed::default()).expect("the scenario is sound");
/// let remedy = advice.remedy.expect("QLoRA of an 8B model is brought into 12 GiB");
/// assert!(remedy.effect.after.headroom_bytes > Some(0));
/// ```
///
/// # Errors
/// As [`estimate`](crate::estimate::estimate()) of the scenario.
pub fn advise(scenario: &Scenario, observed: Observed) -> Result<Advice, EstimateError> {
    // Levers, tips and answers ask for many of the same runs.
    let estimates = &Rc::new(Estimates::default());
    let before: Estimate = estimates.estimate(scenario)?;
    let on_card = scenario.card().is_some();
    let remedy = match on_card {
        true => remedy_by(estimates, scenario, &before)?,
        false => None,
    };
    let mut largest = Vec::new();
    for &quantity in Quantity::ALL {
        if on_card && (quantity != Quantity::Rank || scenario.method != Method::Full) {
            largest.push(solve::largest_by(estimates, scenario, quantity)?);
        }
    }
    let cards = solve::cards_by(estimates, scenario)?;
    // A model of its own has no family.
    let model = match on_card {
        true => solve::largest_model_by(estimates, scenario, None).ok(),
        false => None,
    };
    let questions = tree::walk(&tree::Known {
        scenario,
        estimate: &before,
        estimates,
        remedy: remedy.as_ref(),
        observed,
        solved: Some(&tree::Solved {
            largest: &largest,
            model: model.as_ref(),
            cards: &cards,
        }),
    });
    Ok(Advice {
        now: Figures::of(&before),
        tree: questions,
        levers: levers_by(estimates, scenario, &before),
        settings: settings::given(estimates, scenario, &before, remedy.as_ref())?,
        remedy,
        largest,
        model,
        smallest_card: solve::smallest_card(&cards).cloned(),
        cheapest_card: solve::cheapest_card(&cards).cloned(),
    })
}

/// What to change in a run: the part of [`Advice`] without the inverse answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Changes {
    /// Every single change that helps.
    pub levers: Vec<Lever>,
    /// The smallest set of changes that fits; nothing when it fits already, or nothing is enough.
    pub remedy: Option<Remedy>,
    /// The decision tree with the scenario's path lit.
    pub tree: Vec<Question>,
}

/// What to change in a run.
///
/// # Errors
/// As [`estimate`](crate::estimate::estimate()) of the scenario.
pub fn changes(scenario: &Scenario, observed: Observed) -> Result<Changes, EstimateError> {
    let estimates = &Estimates::default();
    let before = estimates.estimate(scenario)?;
    // Without a card there is nothing to fit.
    let remedy = remedy_by(estimates, scenario, &before).unwrap_or_default();
    Ok(Changes {
        levers: levers_by(estimates, scenario, &before),
        tree: tree::walk(&tree::Known {
            scenario,
            estimate: &before,
            estimates,
            remedy: remedy.as_ref(),
            observed,
            solved: None,
        }),
        remedy,
    })
}
