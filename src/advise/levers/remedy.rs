//! The smallest set of changes with which the run fits its card.

use super::Cost;
use super::ladder::{LADDERS, Ladder};
use super::lever::Effect;
use crate::advise::fit;
use crate::estimate::{Estimate, EstimateError, Estimates};
use crate::scenario::{Difference, Scenario};
use crate::sort::sort_by_key;
use serde::Serialize;

/// One change of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct Step {
    /// The lever's name, such as `batch`.
    pub id: &'static str,
    /// What one does, in a few words.
    pub label: &'static str,
    /// What it costs.
    pub cost: Cost,
    /// What else it does.
    pub side_effect: &'static str,
    /// The fields that change by this step, each in one step only.
    pub changes: Vec<Difference>,
}

/// A set of changes with which the run fits, of which none can be left out.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct Remedy {
    /// The changes, in the order in which they are applied.
    pub steps: Vec<Step>,
    /// The dearest cost among them: no set of cheaper changes fits.
    pub cost: Cost,
    /// The changed scenario.
    pub scenario: Scenario,
    /// What all of them do together.
    pub effect: Effect,
}

/// The smallest set of changes with which the run fits its card. Nothing when it fits already, or when no set of known
/// changes is enough.
///
/// Changes of higher cost are considered only when all of lower cost together are not enough. Of those considered, the
/// dearest are left out first as long as the run still fits, then each that remains is taken as gently as will do. In the
/// end none can be left out: without any one of them the run does not fit, by a whole estimate.
///
/// # Errors
/// As [`estimate`](crate::estimate::estimate()); and when no card is named.
pub fn remedy(scenario: &Scenario, before: &Estimate) -> Result<Option<Remedy>, EstimateError> {
    remedy_by(&Estimates::default(), scenario, before)
}

/// As [`remedy`], by estimates of which some are known.
pub(in crate::advise) fn remedy_by(
    estimates: &Estimates,
    scenario: &Scenario,
    before: &Estimate,
) -> Result<Option<Remedy>, EstimateError> {
    if fit::fits(estimates, scenario)? {
        return Ok(None);
    }
    for &ceiling in Cost::ALL {
        let mut choice = Choice::all(estimates, scenario, ceiling);
        if !choice.is_empty() && choice.fits()? {
            choice.reduce()?;
            return Ok(Some(choice.remedy(before, ceiling)?));
        }
    }
    Ok(None)
}

/// Ladders that are taken, each up to a rung.
struct Choice<'a> {
    estimates: &'a Estimates,
    scenario: &'a Scenario,
    /// Rungs are counted from the gentlest; beyond the last means the last.
    taken: Vec<(&'static Ladder, usize)>,
}

impl<'a> Choice<'a> {
    /// All ladders up to a cost, each at its strongest rung; those after which the run is not modelled, or needs more,
    /// are left out.
    fn all(estimates: &'a Estimates, scenario: &'a Scenario, ceiling: Cost) -> Self {
        let mut run = scenario.clone();
        let mut live = fit::live_tensors(scenario).unwrap_or(u64::MAX);
        let mut taken = Vec::new();
        for ladder in LADDERS.iter().filter(|ladder| ladder.cost <= ceiling) {
            let rungs = (ladder.rungs)(&run);
            let strongest = rungs.len().saturating_sub(1);
            if let Some(next) = rungs.into_iter().next_back()
                && let Ok(bytes) = fit::live_tensors(&next)
                && bytes <= live
            {
                taken.push((ladder, strongest));
                (run, live) = (next, bytes);
            }
        }
        Choice {
            estimates,
            scenario,
            taken,
        }
    }

    fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    /// The runs after each step.
    fn runs(&self) -> Vec<Scenario> {
        let mut runs: Vec<Scenario> = Vec::new();
        for (ladder, rung) in &self.taken {
            let last = runs.last().unwrap_or(self.scenario);
            let mut rungs = (ladder.rungs)(last);
            let index = (*rung).min(rungs.len().saturating_sub(1));
            let next = if rungs.is_empty() {
                last.clone()
            } else {
                rungs.swap_remove(index)
            };
            runs.push(next);
        }
        runs
    }

    fn run(&self) -> Scenario {
        self.runs().pop().unwrap_or_else(|| self.scenario.clone())
    }

    fn fits(&self) -> Result<bool, EstimateError> {
        match fit::fits(self.estimates, &self.run()) {
            Err(EstimateError::NotModelled(_)) => Ok(false),
            known => known,
        }
    }

    /// Leaves out what can be left out and takes the rest as gently as will do, until nothing more can be left out.
    fn reduce(&mut self) -> Result<(), EstimateError> {
        loop {
            self.leave_out()?;
            if !self.soften()? {
                return Ok(());
            }
        }
    }

    /// Tries to do without each change, the dearest first and, of equal cost, the later in the table first.
    fn leave_out(&mut self) -> Result<(), EstimateError> {
        let mut again = true;
        while again {
            again = false;
            let mut order: Vec<usize> = (0..self.taken.len()).collect();
            sort_by_key(&mut order, |&index| {
                std::cmp::Reverse((self.taken[index].0.cost, index))
            });
            for index in order {
                let without = self.without(index);
                if without.fits()? {
                    *self = without;
                    again = true;
                    break;
                }
            }
        }
        Ok(())
    }

    fn without(&self, index: usize) -> Choice<'a> {
        let mut taken = self.taken.clone();
        taken.remove(index);
        Choice {
            estimates: self.estimates,
            scenario: self.scenario,
            taken,
        }
    }

    /// Takes each change at its gentlest rung that still fits. Was any softened?
    fn soften(&mut self) -> Result<bool, EstimateError> {
        let mut softened = false;
        for index in 0..self.taken.len() {
            let strongest = self.taken[index].1;
            for rung in 0..strongest {
                self.taken[index].1 = rung;
                if self.fits()? {
                    softened = true;
                    break;
                }
                self.taken[index].1 = strongest;
            }
        }
        Ok(softened)
    }

    fn remedy(&self, before: &Estimate, cost: Cost) -> Result<Remedy, EstimateError> {
        let runs = self.runs();
        let befores = std::iter::once(self.scenario).chain(&runs);
        let steps = self.taken.iter().zip(befores.zip(&runs));
        let step = |((ladder, _), (from, to)): (&(&'static Ladder, usize), (&Scenario, &Scenario))| Step {
            id: ladder.id,
            label: ladder.label,
            cost: ladder.cost,
            side_effect: ladder.side_effect,
            changes: from.differences(to),
        };
        let scenario = self.run();
        Ok(Remedy {
            steps: last_words(steps.map(step).collect(), &self.scenario.differences(&scenario)),
            cost: self
                .taken
                .iter()
                .map(|(ladder, _)| ladder.cost)
                .max()
                .unwrap_or(cost),
            effect: Effect::between(before, &self.estimates.estimate(&scenario)?),
            scenario,
        })
    }
}

/// Every difference in the step that has the last word on it: an 8-bit optimizer on the way to a paged 8-bit one is no
/// step of its own.
fn last_words(mut steps: Vec<Step>, differences: &[Difference]) -> Vec<Step> {
    let mut left = differences.to_vec();
    for step in steps.iter_mut().rev() {
        let changes = std::mem::take(&mut step.changes);
        let named = |field| changes.iter().any(|change| change.field == field);
        (step.changes, left) = left.into_iter().partition(|difference| named(difference.field));
    }
    steps.retain(|step| !step.changes.is_empty());
    steps
}
