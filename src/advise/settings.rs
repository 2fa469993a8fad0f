//! From "this card, this model" to settings that run: the dtype that the card computes in, then the smallest set of
//! changes that fits.

use super::levers::{Remedy, remedy_by};
use crate::estimate::{Estimate, EstimateError, Estimates, Verdict};
use crate::scenario::{Autocast, Scenario, WeightFormat};

/// The scenario with what it takes to run on its card: fp16 where the card has no bf16, and the smallest set of changes
/// with which it fits. Nothing when no set of known changes is enough, or no card is named.
///
/// ```
/// use plimsoll::advise::settings;
/// use plimsoll::estimate::{Verdict, estimate};
/// use plimsoll::scenario::{Autocast, Scenario};
/// let run = Scenario { gpu: Some("t4".into()), ..Scenario::default() };
/// let settings = settings(&run).expect("sound").expect("QLoRA of an 8B model is brought into 15 GiB");
/// assert_eq!(settings.autocast, Autocast::Fp16);
/// assert_eq!(estimate(&settings).map(|estimate| estimate.verdict), Ok(Some(Verdict::Fits)));
/// ```
///
/// # Errors
/// As [`estimate`](crate::estimate::estimate()) of the scenario.
pub fn settings(scenario: &Scenario) -> Result<Option<Scenario>, EstimateError> {
    settings_by(&Estimates::default(), scenario)
}

fn settings_by(estimates: &Estimates, scenario: &Scenario) -> Result<Option<Scenario>, EstimateError> {
    let run = in_the_cards_dtype(scenario);
    let before = estimates.estimate(&run)?;
    match before.verdict {
        None => Ok(None),
        Some(Verdict::Fits) => Ok(Some(run)),
        Some(_) => Ok(remedy_by(estimates, &run, &before)?.map(|remedy| remedy.scenario)),
    }
}

/// The same, where the scenario's own estimate and remedy are known.
pub(super) fn given(
    estimates: &Estimates,
    scenario: &Scenario,
    before: &Estimate,
    known: Option<&Remedy>,
) -> Result<Option<Scenario>, EstimateError> {
    let run = in_the_cards_dtype(scenario);
    match before.verdict {
        _ if run != *scenario => settings_by(estimates, scenario),
        None => Ok(None),
        Some(Verdict::Fits) => Ok(Some(run)),
        Some(_) => Ok(known.map(|remedy| remedy.scenario.clone())),
    }
}

/// bf16 becomes fp16 on cards that do not compute in it.
fn in_the_cards_dtype(scenario: &Scenario) -> Scenario {
    let mut run = scenario.clone();
    if run.card().is_some_and(|card| !card.bf16) {
        if run.weights == WeightFormat::Bf16 {
            run.weights = WeightFormat::Fp16;
        }
        if run.autocast == Autocast::Bf16 {
            run.autocast = Autocast::Fp16;
        }
    }
    run
}
