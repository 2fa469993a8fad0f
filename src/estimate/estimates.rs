//! Estimates of many scenarios that are asked for in no order, some more than once: none is computed twice.

use super::capacity::Bracket;
use super::fit::Fit;
use super::verdict::judge;
use super::{Estimate, EstimateError, Run, Verdict, process, resolve};
use crate::catalog;
use crate::scenario::Scenario;
use crate::stack;
use std::cell::RefCell;
use std::rc::Rc;

/// Replays that are kept whole: a verdict is often followed by the estimate of the same scenario.
const RUNS: usize = 4;

/// Estimates and verdicts, as [`estimate`](super::estimate()) and [`fit`](super::fit()) give them, remembered.
#[derive(Debug, Default)]
pub struct Estimates {
    whole: RefCell<Vec<(Scenario, Result<Estimate, EstimateError>)>>,
    fits: RefCell<Vec<(Scenario, Option<Fit>)>>,
    /// The latest replays, the oldest first.
    runs: RefCell<Vec<(Scenario, Rc<Run>)>>,
}

/// The value of a scenario, when it is among these.
fn known<T: Clone>(values: &RefCell<Vec<(Scenario, T)>>, scenario: &Scenario) -> Option<T> {
    let values = values.borrow();
    let found = values.iter().find(|(other, _)| other == scenario)?;
    Some(found.1.clone())
}

impl Estimates {
    /// As [`estimate`](super::estimate()).
    ///
    /// # Errors
    /// As [`estimate`](super::estimate()).
    pub fn estimate(&self, scenario: &Scenario) -> Result<Estimate, EstimateError> {
        if let Some(known) = known(&self.whole, scenario) {
            return known;
        }
        let estimate = self.run(scenario).map(|run| run.estimate(scenario));
        self.whole.borrow_mut().push((scenario.clone(), estimate.clone()));
        estimate
    }

    /// As [`fit`](super::fit()).
    ///
    /// # Errors
    /// As [`fit`](super::fit()).
    pub fn fit(&self, scenario: &Scenario) -> Result<Option<Fit>, EstimateError> {
        if let Some(Ok(estimate)) = known(&self.whole, scenario) {
            return Ok(Fit::of(&estimate));
        }
        if let Some(fit) = known(&self.fits, scenario) {
            return Ok(fit);
        }
        let fit = self.judge(scenario)?;
        self.fits.borrow_mut().push((scenario.clone(), fit));
        Ok(fit)
    }

    /// Does the run fit its card? No answer is yes without a card.
    ///
    /// # Errors
    /// As [`fit`](super::fit()).
    pub fn fits(&self, scenario: &Scenario) -> Result<bool, EstimateError> {
        let plan = resolve(scenario)?;
        let context = process::context(plan.device.capability, scenario.stack);
        let gpu = scenario.gpu.as_deref().and_then(catalog::gpu);
        let live_fits = |gpu: &catalog::Gpu| {
            judge(stack::peak(&plan), &context, gpu.usable_bytes()).verdict == Verdict::Fits
        };
        // The least capacity is no less than the live tensors.
        if !gpu.is_some_and(live_fits) {
            return Ok(false);
        }
        Ok(self
            .fit(scenario)?
            .is_some_and(|fit| fit.verdict == Verdict::Fits))
    }

    fn judge(&self, scenario: &Scenario) -> Result<Option<Fit>, EstimateError> {
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
        let bracket = self
            .run(scenario)?
            .bracket(|bracket| judge(bracket.at_least).verdict == judge(bracket.at_most).verdict);
        Ok(Some(of(bracket)))
    }

    /// The scenario's replay.
    pub(crate) fn run(&self, scenario: &Scenario) -> Result<Rc<Run>, EstimateError> {
        if let Some(known) = known(&self.runs, scenario) {
            return Ok(known);
        }
        let run = Rc::new(Run::of(resolve(scenario)?)?);
        let mut runs = self.runs.borrow_mut();
        if runs.len() == RUNS {
            runs.remove(0);
        }
        runs.push((scenario.clone(), run.clone()));
        Ok(run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::{estimate, fit};

    #[test]
    fn what_is_remembered_is_what_is_computed_anew() {
        let estimates = Estimates::default();
        let other = Scenario {
            gpu: Some("rtx-3060-12gb".into()),
            seq: 512,
            ..Scenario::default()
        };
        for run in [&Scenario::default(), &other, &Scenario::default(), &other] {
            assert_eq!(estimates.fit(run), Ok(fit(run).unwrap()));
        }
        for run in [&other, &Scenario::default(), &other] {
            assert_eq!(estimates.estimate(run), estimate(run));
            let headroom = estimate(run).unwrap().headroom_bytes;
            let fit = estimates.fit(run).unwrap().unwrap();
            assert_eq!(
                (Some(fit.headroom_at_least), Some(fit.headroom_at_most)),
                (headroom, headroom)
            );
        }
        let unsound = Scenario { batch: 0, ..other };
        assert_eq!(estimates.estimate(&unsound), estimate(&unsound));
        assert_eq!(estimates.fit(&unsound), fit(&unsound));
    }
}
