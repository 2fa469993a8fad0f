//! Does a run fit its card? The verdict alone, at the least cost.

use super::{Estimate, EstimateError, Estimates, Verdict};
use crate::scenario::Scenario;

/// A verdict, and what had to be known for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// As [`Estimate::verdict`](super::Estimate::verdict).
    pub verdict: Verdict,
    /// [`Estimate::headroom_bytes`](super::Estimate::headroom_bytes) is no less than this.
    pub headroom_at_least: i64,
    /// It is no more than this.
    pub headroom_at_most: i64,
}

/// The verdict of [`estimate`](super::estimate()), without what it does not need: a run whose live tensors alone exceed the
/// card is not served at all, and the least capacity is searched only until the verdict is the same for all that it can
/// still be. Without a card there is none.
///
/// ```
/// use plimsoll::estimate::{Verdict, estimate, fit};
/// use plimsoll::scenario::Scenario;
///
/// let scenario = Scenario::default();
/// let fit = fit(&scenario).unwrap().expect("the default scenario names a card");
/// assert_eq!(Some(fit.verdict), estimate(&scenario).unwrap().verdict);
/// ```
///
/// # Errors
/// As [`estimate`](super::estimate()).
pub fn fit(scenario: &Scenario) -> Result<Option<Fit>, EstimateError> {
    Estimates::default().fit(scenario)
}

impl Fit {
    /// What a whole estimate says; nothing without a card.
    pub(super) fn of(estimate: &Estimate) -> Option<Self> {
        let headroom = estimate.headroom_bytes?;
        Some(Fit {
            verdict: estimate.verdict?,
            headroom_at_least: headroom,
            headroom_at_most: headroom,
        })
    }
}
