//! The questions that solvers and levers ask of the estimate.

use crate::bytes::Bytes;
use crate::catalog::Gpu;
use crate::estimate::{EstimateError, Estimates, Fit, Verdict, peak_allocated};
use crate::scenario::{FieldError, Scenario};

/// The card of a scenario, which every question about fitting needs.
pub(super) fn card(scenario: &Scenario) -> Result<&'static Gpu, EstimateError> {
    scenario.card().ok_or_else(|| {
        let problem = match &scenario.gpu {
            Some(name) => format!("'{name}' is not in the catalog"),
            None => "name a card: without one nothing can be said to fit".into(),
        };
        EstimateError::Invalid(vec![FieldError::new("gpu", problem)])
    })
}

/// The verdict on the card, as far as it has to be known.
pub(super) fn verdict(estimates: &Estimates, scenario: &Scenario) -> Result<Fit, EstimateError> {
    card(scenario)?;
    let fit = estimates.fit(scenario)?;
    fit.ok_or_else(|| EstimateError::NotModelled("there is no verdict without a card".into()))
}

/// Does the run fit its card, also at the upper end of the interval?
pub(super) fn fits(estimates: &Estimates, scenario: &Scenario) -> Result<bool, EstimateError> {
    card(scenario)?;
    estimates.fits(scenario)
}

/// Live tensors at the peak, by segments: a lower bound of what the run needs.
pub(super) fn live_tensors(scenario: &Scenario) -> Result<u64, EstimateError> {
    peak_allocated(scenario)
}

/// A verdict and the room that is left, in a few words.
pub(super) fn words(verdict: Verdict, headroom: i64) -> String {
    let room = Bytes(headroom.unsigned_abs());
    match verdict {
        Verdict::Fits => format!("{room} to spare"),
        Verdict::Tight => format!("{room} to spare, less than runs differ by"),
        Verdict::Exceeds => format!("{room} short"),
    }
}
