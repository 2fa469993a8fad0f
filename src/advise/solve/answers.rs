//! Several inverse questions at once: what `plimsoll solve --json` prints.

use super::{
    CardFit, Largest, ModelFit, Quantity, cards_by, cheapest_card, largest_by, largest_model_by,
    smallest_card,
};
use crate::estimate::EstimateError;
use crate::scenario::{FieldError, Method, ModelRef, Scenario};
use serde::Serialize;
use std::rc::Rc;
use std::str::FromStr;

/// What can be sought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// The longest sequence.
    Seq,
    /// The largest micro-batch.
    Batch,
    /// The largest rank.
    Rank,
    /// The largest model of the family.
    Model,
    /// The smallest and the cheapest card.
    Card,
}

impl FromStr for Sought {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "seq" => Ok(Sought::Seq),
            "batch" => Ok(Sought::Batch),
            "rank" => Ok(Sought::Rank),
            "model" => Ok(Sought::Model),
            "card" => Ok(Sought::Card),
            _ => {
                let known = ["seq", "batch", "rank", "model", "card"].into_iter();
                Err(FieldError::choice("question", text, known))
            }
        }
    }
}

/// The answers; what was not asked for is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct Answers {
    /// The largest values that fit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub largest: Vec<Largest>,
    /// The largest model that fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelFit>,
    /// The card with the least memory that fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smallest_card: Option<CardFit>,
    /// The card that costs least by the hour among those that fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cheapest_card: Option<CardFit>,
}

/// Answers what is asked of a scenario; without any question all that can be asked of it. The largest model is looked
/// for in `family`, without one in that of the scenario's model.
///
/// # Errors
/// As [`largest`](super::largest), [`largest_model`](super::largest_model) and [`cards`](super::cards()): also when a question that was asked by name cannot be asked of this
/// scenario.
pub fn answers(
    scenario: &Scenario,
    sought: &[Sought],
    family: Option<&str>,
) -> Result<Answers, EstimateError> {
    let all = sought.is_empty();
    let on_card = scenario.gpu.is_some();
    // What cannot be asked of this run is left out when everything is asked, and refused when it is asked by name.
    let wants = |one: Sought, possible: bool| sought.contains(&one) || (all && possible);
    let mut answers = Answers::default();
    let estimates = &Rc::default();
    for (one, quantity) in [
        (Sought::Seq, Quantity::Seq),
        (Sought::Batch, Quantity::Batch),
        (Sought::Rank, Quantity::Rank),
    ] {
        let possible = on_card && (quantity != Quantity::Rank || scenario.method != Method::Full);
        if wants(one, possible) {
            answers.largest.push(largest_by(estimates, scenario, quantity)?);
        }
    }
    let of_catalog = matches!(scenario.model, ModelRef::Catalog(_));
    if wants(Sought::Model, on_card && (of_catalog || family.is_some())) {
        answers.model = Some(largest_model_by(estimates, scenario, family)?);
    }
    if wants(Sought::Card, true) {
        let cards = cards_by(estimates, scenario)?;
        answers.smallest_card = smallest_card(&cards).cloned();
        answers.cheapest_card = cheapest_card(&cards).cloned();
    }
    Ok(answers)
}
