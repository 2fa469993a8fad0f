//! The last good answer, which stays while the next one is computed, and while the user types something that has none.

use crate::estimate::{Estimate, EstimateError, estimate, peak_allocated};
use crate::scenario::Scenario;
use crate::web::later::{SecondPart, is_awaited_by, second_part};
use std::rc::Rc;

/// How the answer stands to the scenario on screen.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// It answers it.
    Current,
    /// It answers an earlier one; the answer to this one is computed as soon as what was typed is painted.
    Awaited,
    /// It answers an earlier one: a field has a problem.
    Overtaken,
    /// It answers an earlier one: this one is not modelled, for this reason.
    Refused(String),
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The last good estimate with its scenario.
    pub last: Option<Rc<(Scenario, Estimate)>>,
    /// How it stands to the scenario on screen.
    pub standing: Standing,
    /// Peak of live tensors of the scenario on screen while its answer is awaited.
    soon: Option<u64>,
}

impl Default for Answer {
    fn default() -> Self {
        Answer {
            last: None,
            standing: Standing::Overtaken,
            soon: None,
        }
    }
}

impl Answer {
    /// Does it stay only because there is none to the scenario on screen?
    pub fn is_old(&self) -> bool {
        matches!(self.standing, Standing::Overtaken | Standing::Refused(_))
    }

    /// Peak of live tensors: while an answer is awaited already that of the scenario on screen.
    pub fn allocated_bytes(&self, estimate: &Estimate) -> u64 {
        self.soon.unwrap_or(estimate.allocated_bytes)
    }

    /// The answer until a scenario is answered: the last one, with what is known at once.
    pub(super) fn before(&self, scenario: &Scenario) -> Answer {
        match &self.last {
            Some(last) if last.0 == *scenario => self.standing(Standing::Current),
            _ if is_awaited_by(scenario) => self.standing(Standing::Awaited),
            Some(_) => Answer {
                soon: peak_allocated(scenario).ok(),
                ..self.standing(Standing::Awaited)
            },
            // The first answer has none to stand in its place.
            None => self.next(scenario),
        }
    }

    /// The answer to a scenario.
    pub(super) fn next(&self, scenario: &Scenario) -> Answer {
        if is_awaited_by(scenario) {
            return self.standing(match second_part() {
                SecondPart::Missing => Standing::Refused(
                    "this needs a part of the page that cannot be loaded without a network".into(),
                ),
                _ => Standing::Awaited,
            });
        }
        match estimate(scenario) {
            Ok(estimate) => Answer {
                last: Some(Rc::new((scenario.clone(), estimate))),
                standing: Standing::Current,
                soon: None,
            },
            Err(EstimateError::Invalid(_)) => self.overtaken(),
            Err(EstimateError::NotModelled(reason)) => self.standing(Standing::Refused(reason)),
        }
    }

    /// The same answer, no longer to the scenario on screen.
    pub(super) fn overtaken(&self) -> Answer {
        self.standing(Standing::Overtaken)
    }

    fn standing(&self, standing: Standing) -> Answer {
        Answer {
            last: self.last.clone(),
            standing,
            soon: None,
        }
    }
}
