//! The questions that solvers and levers ask of the estimate.

use crate::catalog::Gpu;
use crate::estimate::{EstimateError, Verdict, estimate, peak_allocated};
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

/// Does the run fit its card, also at the upper end of the interval?
pub(super) fn fits(scenario: &Scenario) -> Result<bool, EstimateError> {
    card(scenario)?;
    Ok(estimate(scenario)?.verdict == Some(Verdict::Fits))
}

/// Live tensors at the peak, by segments: a lower bound of what the run needs.
pub(super) fn live_tensors(scenario: &Scenario) -> Result<u64, EstimateError> {
    peak_allocated(scenario)
}

/// Can it be ruled out at once? Live tensors alone, which the allocator must hold, are more than the card has.
pub(super) fn cannot_fit(scenario: &Scenario) -> Result<bool, EstimateError> {
    Ok(live_tensors(scenario)? > card(scenario)?.usable_bytes())
}
