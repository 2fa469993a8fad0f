//! Does a run fit its card? The verdict alone, at the least cost.

use super::capacity::{self, Bracket};
use super::verdict::judge;
use super::{EstimateError, Verdict, process, resolve};
use crate::catalog;
use crate::replay::serve::serve;
use crate::scenario::Scenario;
use crate::stack::{self, Detail, record};

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
    let plan = resolve(scenario)?;
    let Some(gpu) = scenario.gpu.as_deref().and_then(catalog::gpu) else {
        return Ok(None);
    };
    let context = process::context(plan.device.capability, scenario.stack);
    let judge = |bytes: u64| judge(bytes, &context, gpu.usable_bytes());
    let of = |bracket: Bracket| Fit {
        verdict: judge(bracket.at_most).verdict,
        headroom_at_least: judge(bracket.at_most).headroom,
        headroom_at_most: judge(bracket.at_least).headroom,
    };
    let live = stack::peak(&plan);
    if judge(live).verdict == Verdict::Exceeds {
        // The least capacity is no less than what is allocated, which is no less than this.
        return Ok(Some(Fit {
            headroom_at_least: i64::MIN,
            ..of(Bracket {
                at_least: live,
                at_most: live,
            })
        }));
    }
    let recording = record(&plan, Detail::Full);
    let served =
        serve(&recording, None).map_err(|_| EstimateError::NotModelled("the run is endless".into()))?;
    let bracket = capacity::bisect(&recording, &served, |bracket| {
        judge(bracket.at_least).verdict == judge(bracket.at_most).verdict
    });
    Ok(Some(of(bracket)))
}
