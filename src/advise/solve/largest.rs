//! The largest value of a quantity with which the run fits.

use super::Quantity;
use crate::advise::fit;
use crate::estimate::{EstimateError, Estimates, Verdict, context};
use crate::scenario::{FieldError, Method, Scenario};
use serde::{Deserialize, Serialize};

/// What keeps the next value away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub enum Bound {
    /// The run with the next value does not fit.
    Memory,
    /// The next value is not accepted; the field's own words.
    Limit(String),
}

/// The answer for one quantity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct Largest {
    /// What was asked.
    pub quantity: Quantity,
    /// The largest value that fits; nothing when not even 1 does.
    pub value: Option<u64>,
    /// What keeps the next value away.
    pub bound: Bound,
    /// Bytes to spare at that value.
    pub headroom_bytes: Option<i64>,
    /// What the reader should know about so large a value.
    pub note: Option<String>,
}

/// The largest value with which the run fits its card.
///
/// ```
/// use plimsoll::advise::solve::{Quantity, largest};
/// use plimsoll::estimate::{Verdict, estimate};
/// use plimsoll::scenario::Scenario;
///
/// let run = Scenario::default();
/// let longest = largest(&run, Quantity::Seq).expect("a sound scenario on a card").value.expect("it fits");
/// let verdict = |seq| estimate(&Scenario { seq, ..run.clone() }).map(|estimate| estimate.verdict);
/// assert_eq!(verdict(longest), Ok(Some(Verdict::Fits)));
/// assert_ne!(verdict(longest + 1), Ok(Some(Verdict::Fits)));
/// ```
///
/// # Errors
/// As [`estimate`](crate::estimate::estimate()) of the scenario; and [`EstimateError::Invalid`] when no card is named, or when the run has no
/// adapters and a rank is asked for.
pub fn largest(scenario: &Scenario, quantity: Quantity) -> Result<Largest, EstimateError> {
    largest_by(&Estimates::default(), scenario, quantity)
}

/// As [`largest`], by estimates of which some are known.
pub(in crate::advise) fn largest_by(
    estimates: &Estimates,
    scenario: &Scenario,
    quantity: Quantity,
) -> Result<Largest, EstimateError> {
    let usable = fit::card(scenario)?.usable_bytes();
    if quantity == Quantity::Rank && scenario.method == Method::Full {
        let problem = "full fine-tuning has no adapters";
        return Err(EstimateError::Invalid(vec![FieldError::new("rank", problem)]));
    }
    // A scenario that is unsound or not modelled for another reason than this value is refused as a whole.
    fit::live_tensors(&quantity.set(scenario, 1))?;
    let context = context(scenario.capability().unwrap_or_default(), scenario.stack);
    let search = Search {
        estimates,
        scenario,
        quantity,
        usable,
        margin: context.high - context.expected.min(context.high),
    };
    let Some((most, bound)) = search.within_live_tensors(context.high)? else {
        return Ok(search.nothing());
    };
    let Some(found) = search.exact(most)? else {
        return Ok(search.nothing());
    };
    Ok(Largest {
        quantity,
        value: Some(found.value),
        bound: if found.value == most { bound } else { Bound::Memory },
        headroom_bytes: estimates.estimate(&search.at(found.value))?.headroom_bytes,
        note: search.note(found.value),
    })
}

struct Search<'a> {
    estimates: &'a Estimates,
    scenario: &'a Scenario,
    quantity: Quantity,
    usable: u64,
    /// The upper end of the context's interval above what is expected.
    margin: u64,
}

/// A value that was tried by a whole estimate.
struct Probe {
    value: u64,
    fits: bool,
    /// What the run needs of the card beyond its live tensors.
    beyond_live: u64,
}

impl Search<'_> {
    fn at(&self, value: u64) -> Scenario {
        self.quantity.set(self.scenario, value)
    }

    fn nothing(&self) -> Largest {
        Largest {
            quantity: self.quantity,
            value: None,
            bound: Bound::Memory,
            headroom_bytes: None,
            note: None,
        }
    }

    /// Live tensors at a value; the field's complaint when it is not accepted.
    fn live(&self, value: u64) -> Result<Result<u64, String>, EstimateError> {
        match fit::live_tensors(&self.at(value)) {
            Ok(bytes) => Ok(Ok(bytes)),
            Err(EstimateError::Invalid(problems)) => Ok(Err(FieldError::list(&problems))),
            Err(error) => Err(error),
        }
    }

    /// The largest value whose live tensors leave `beyond` of the card free, and what keeps the next away.
    fn within_live_tensors(&self, beyond: u64) -> Result<Option<(u64, Bound)>, EstimateError> {
        let room = self.usable.saturating_sub(beyond);
        let passes = |value: u64| {
            Ok(match self.live(value)? {
                Ok(bytes) if bytes <= room => None,
                Ok(_) => Some(Bound::Memory),
                Err(complaint) => Some(Bound::Limit(complaint)),
            })
        };
        let (mut works, mut fails) = (0, self.quantity.of(self.scenario).max(1));
        let mut bound = loop {
            match passes(fails)? {
                None => (works, fails) = (fails, fails.saturating_mul(2)),
                Some(bound) => break bound,
            }
        };
        while fails > works + 1 {
            let middle = works + (fails - works) / 2;
            match passes(middle)? {
                None => works = middle,
                Some(reason) => (fails, bound) = (middle, reason),
            }
        }
        Ok((works > 0).then_some((works, bound)))
    }

    /// The largest value up to `most` that fits by a whole estimate, where `most + 1` is known not to.
    fn exact(&self, most: u64) -> Result<Option<Probe>, EstimateError> {
        let mut fails = most.saturating_add(1);
        let mut probe = self.probe(most)?;
        // What is needed beyond live tensors changes slowly: a few corrections come close.
        for _ in 0..CORRECTIONS {
            if probe.fits {
                break;
            }
            fails = probe.value;
            let near = self.within_live_tensors(probe.beyond_live)?;
            let near = near.map_or(1, |(value, _)| value).min(fails - 1);
            if near == 0 {
                return Ok(None);
            }
            probe = self.probe(near)?;
        }
        let mut step = 1;
        while !probe.fits {
            fails = probe.value;
            if fails == 1 {
                return Ok(None);
            }
            probe = self.probe(fails.saturating_sub(step).max(1))?;
            step *= 2;
        }
        step = 1;
        while fails > probe.value + 1 {
            let next = self.probe((probe.value + step).min(fails - 1))?;
            if !next.fits {
                fails = next.value;
                break;
            }
            (probe, step) = (next, step * 2);
        }
        while fails > probe.value + 1 {
            let middle = self.probe(probe.value + (fails - probe.value) / 2)?;
            match middle.fits {
                true => probe = middle,
                false => fails = middle.value,
            }
        }
        Ok(Some(probe))
    }

    fn probe(&self, value: u64) -> Result<Probe, EstimateError> {
        let run = self.at(value);
        let fit = fit::verdict(self.estimates, &run)?;
        let need = i128::from(self.usable) - i128::from(fit.headroom_at_most) + i128::from(self.margin);
        let beyond_live = need - i128::from(fit::live_tensors(&run)?);
        Ok(Probe {
            value,
            fits: fit.verdict == Verdict::Fits,
            beyond_live: u64::try_from(beyond_live).unwrap_or(0),
        })
    }

    fn note(&self, value: u64) -> Option<String> {
        let config = self.scenario.model.config()?;
        match self.quantity {
            Quantity::Seq => {
                let context = config.max_position_embeddings?;
                (value > context)
                    .then(|| format!("longer than the {context} positions that the model was trained with"))
            }
            Quantity::Rank => {
                let width = config.hidden_size;
                (value > width)
                    .then(|| format!("above the model's width of {width}, where rank adds nothing"))
            }
            Quantity::Batch => None,
        }
    }
}

/// How often the search follows the estimate of an unfitting value before it goes step by step.
const CORRECTIONS: usize = 3;
