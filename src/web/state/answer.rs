//! The last good answer, which stays while the user types something that has none.

use crate::estimate::{Estimate, EstimateError, estimate};
use crate::scenario::Scenario;
use std::rc::Rc;

/// How the answer stands to the scenario on screen.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// It answers it.
    Current,
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
}

impl Default for Answer {
    fn default() -> Self {
        Answer {
            last: None,
            standing: Standing::Overtaken,
        }
    }
}

impl Answer {
    /// The answer to a scenario, computed unless it is the one at hand.
    pub(super) fn next(&self, scenario: &Scenario) -> Answer {
        if let Some(last) = &self.last
            && last.0 == *scenario
        {
            return Answer {
                last: self.last.clone(),
                standing: Standing::Current,
            };
        }
        match estimate(scenario) {
            Ok(estimate) => Answer {
                last: Some(Rc::new((scenario.clone(), estimate))),
                standing: Standing::Current,
            },
            Err(EstimateError::Invalid(_)) => self.overtaken(),
            Err(EstimateError::NotModelled(reason)) => Answer {
                last: self.last.clone(),
                standing: Standing::Refused(reason),
            },
        }
    }

    /// The same answer, no longer to the scenario on screen.
    pub(super) fn overtaken(&self) -> Answer {
        Answer {
            last: self.last.clone(),
            standing: Standing::Overtaken,
        }
    }
}
