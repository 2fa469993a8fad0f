//! What the tree says where only another sequence length, model or card helps.

use crate::advise::solve::{self, CardFit, Largest, ModelFit, Quantity};
use crate::estimate::{EstimateError, Estimates};
use crate::scenario::{ModelRef, Scenario};

/// Inverse answers of a scenario.
pub(in crate::advise) struct Solved<'a> {
    pub largest: &'a [Largest],
    pub model: Option<&'a ModelFit>,
    pub cards: &'a [CardFit],
}

/// Words, and the scenario that they speak of.
type Said = Result<(String, Option<Scenario>), EstimateError>;

/// The longest sequence that fits.
pub(super) fn longest(estimates: &Estimates, run: &Scenario, solved: Option<&Solved>) -> Said {
    let known = solved.and_then(|solved| {
        let mut answers = solved.largest.iter();
        answers.find(|answer| answer.quantity == Quantity::Seq)
    });
    let value = match known {
        Some(answer) => answer.value,
        None => solve::largest_by(estimates, run, Quantity::Seq)?.value,
    };
    Ok(match value {
        Some(seq) => (
            format!("sequences of at most {seq} tokens fit"),
            Some(Quantity::Seq.set(run, seq)),
        ),
        None => ("no sequence is short enough with these settings".into(), None),
    })
}

/// The largest model of the family that fits.
pub(super) fn smaller_model(estimates: &Estimates, run: &Scenario, solved: Option<&Solved>) -> Said {
    let answer = match solved.and_then(|solved| solved.model) {
        Some(answer) => answer.clone(),
        None => solve::largest_model_by(estimates, run, None)?,
    };
    Ok(match answer.model {
        Some(model) => {
            let scenario = Scenario {
                model: ModelRef::Catalog(model.into()),
                ..run.clone()
            };
            (format!("{model} fits with these settings"), Some(scenario))
        }
        None => (
            format!("no model of {} fits with these settings", answer.family),
            None,
        ),
    })
}

/// The cheapest card that fits.
pub(super) fn larger_card(run: &Scenario, solved: Option<&Solved>) -> Said {
    let computed;
    let cards = match solved {
        Some(solved) => solved.cards,
        None => {
            computed = solve::cards(run)?;
            &computed
        }
    };
    let Some(card) = solve::cheapest_card(cards).or_else(|| solve::smallest_card(cards)) else {
        return Ok((
            "no card of the catalog is large enough with these settings".into(),
            None,
        ));
    };
    let price = card.offer.as_ref().map_or_else(String::new, |offer| {
        format!(", ${:.2} an hour at {}", offer.usd_per_hour, offer.cloud)
    });
    let scenario = Scenario {
        gpu: Some(card.gpu.into()),
        compute_capability: None,
        ..run.clone()
    };
    Ok((format!("{} fits{price}", card.name), Some(scenario)))
}
