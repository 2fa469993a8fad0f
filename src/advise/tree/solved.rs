//! What the tree says where only another sequence length, model or card helps.

use crate::advise::solve::{self, Quantity};
use crate::estimate::EstimateError;
use crate::scenario::{ModelRef, Scenario};

/// Words, and the scenario that they speak of.
type Solved = Result<(String, Option<Scenario>), EstimateError>;

/// The longest sequence that fits.
pub(super) fn longest(run: &Scenario) -> Solved {
    Ok(match solve::largest(run, Quantity::Seq)?.value {
        Some(seq) => (
            format!("sequences of at most {seq} tokens fit"),
            Some(Quantity::Seq.set(run, seq)),
        ),
        None => ("no sequence is short enough with these settings".into(), None),
    })
}

/// The largest model of the family that fits.
pub(super) fn smaller_model(run: &Scenario) -> Solved {
    let answer = solve::largest_model(run, None)?;
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
pub(super) fn larger_card(run: &Scenario) -> Solved {
    let cards = solve::cards(run)?;
    let Some(card) = solve::cheapest_card(&cards).or_else(|| solve::smallest_card(&cards)) else {
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
