//! One change and what it does to the run, by the difference of two estimates.

use super::Cost;
use super::ladder::{LADDERS, Ladder};
use crate::advise::fit::live_tensors;
use crate::estimate::{Category, Estimate, EstimateError, Estimates, Verdict};
use crate::scenario::{Difference, Scenario};
use crate::sort::sort_by_key;
use serde::Serialize;

/// The quantities of a run before or after a change, in bytes: those of its [`Estimate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct Figures {
    /// Peak of live tensors.
    pub allocated_bytes: u64,
    /// What the caching allocator holds.
    pub reserved_bytes: u64,
    /// The least that the allocator gets through with, which decides the verdict.
    pub least_capacity_bytes: u64,
    /// Expected size of the process.
    pub process_bytes: u64,
    /// Does it fit? Nothing without a card.
    pub verdict: Option<Verdict>,
    /// Bytes to spare on the card; negative when it does not fit.
    pub headroom_bytes: Option<i64>,
}

impl Figures {
    /// Those of an estimate.
    pub fn of(estimate: &Estimate) -> Self {
        Figures {
            allocated_bytes: estimate.allocated_bytes,
            reserved_bytes: estimate.reserved_bytes,
            least_capacity_bytes: estimate.least_capacity_bytes,
            process_bytes: estimate.process_bytes.expected,
            verdict: estimate.verdict,
            headroom_bytes: estimate.headroom_bytes,
        }
    }
}

/// One part of the breakdown at the peak, before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct Part {
    /// What it is.
    pub category: Category,
    /// Bytes before the change.
    pub before_bytes: u64,
    /// Bytes after it.
    pub after_bytes: u64,
}

/// What a change does to the memory of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct Effect {
    /// Bytes by which the card may be smaller: the difference of `least_capacity_bytes`. Negative where the change costs
    /// memory.
    pub saves_bytes: i64,
    /// The difference of `allocated_bytes`.
    pub saves_allocated_bytes: i64,
    /// The quantities after the change.
    pub after: Figures,
    /// The parts that change, each at its own run's peak.
    pub parts: Vec<Part>,
}

impl Effect {
    /// The difference of two estimates.
    pub fn between(before: &Estimate, after: &Estimate) -> Self {
        let bytes = |estimate: &Estimate, category| estimate.breakdown.get(&category).copied().unwrap_or(0);
        let part = |&category: &Category| Part {
            category,
            before_bytes: bytes(before, category),
            after_bytes: bytes(after, category),
        };
        let parts = Category::ALL.iter().map(part);
        Effect {
            saves_bytes: difference(before.least_capacity_bytes, after.least_capacity_bytes),
            saves_allocated_bytes: difference(before.allocated_bytes, after.allocated_bytes),
            after: Figures::of(after),
            parts: parts
                .filter(|part| part.before_bytes != part.after_bytes)
                .collect(),
        }
    }
}

fn difference(before: u64, after: u64) -> i64 {
    let difference = i128::from(before) - i128::from(after);
    difference.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// A single change: what it is, what it costs and what it saves in this scenario.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct Lever {
    /// Stable name, such as `batch`.
    pub id: &'static str,
    /// What one does, in a few words.
    pub label: &'static str,
    /// What it costs.
    pub cost: Cost,
    /// What else it does, to speed and quality.
    pub side_effect: &'static str,
    /// Why it helps, and the source.
    pub why: &'static str,
    /// The fields that change.
    pub changes: Vec<Difference>,
    /// The changed scenario: applying the lever is taking it.
    pub scenario: Scenario,
    /// What it does to memory; nothing when the changed run is not modelled.
    pub effect: Option<Effect>,
    /// Why nothing can be said of its effect.
    pub refused: Option<String>,
}

/// Every single change that can help, the cheapest in what it costs first and of those the one that saves most; changes
/// that save nothing here are left out, those whose effect is not modelled come last, with the reason.
///
/// ```
/// use plimsoll::advise::levers;
/// use plimsoll::estimate::estimate;
/// use plimsoll::scenario::Scenario;
/// let run = Scenario::default();
/// let before = estimate(&run).expect("sound");
/// let levers = levers(&run, &before);
/// let batch = levers.iter().find(|lever| lever.id == "batch").expect("a batch of 2 can be halved");
/// let after = estimate(&batch.scenario).expect("sound");
/// let saves = before.least_capacity_bytes as i64 - after.least_capacity_bytes as i64;
/// assert_eq!(batch.effect.as_ref().map(|effect| effect.saves_bytes), Some(saves));
/// ```
pub fn levers(scenario: &Scenario, before: &Estimate) -> Vec<Lever> {
    levers_by(&Estimates::default(), scenario, before)
}

/// As [`levers`], by estimates of which some are known.
pub(in crate::advise) fn levers_by(
    estimates: &Estimates,
    scenario: &Scenario,
    before: &Estimate,
) -> Vec<Lever> {
    let live = live_tensors(scenario).unwrap_or(u64::MAX);
    let mut levers = Vec::new();
    for ladder in LADDERS {
        // Rungs can be many; the single change shown is the strongest, or the first where each step is dear.
        let mut rungs = (ladder.rungs)(scenario);
        let shown = match ladder.id {
            "method" | "rank" | "seq" => rungs.drain(..).next(),
            _ => rungs.pop(),
        };
        if let Some(after) = shown {
            levers.extend(lever(estimates, ladder, scenario, before, live, after));
        }
    }
    sort_by_key(&mut levers, |lever| {
        let saves = lever.effect.as_ref().map(|effect| effect.saves_bytes);
        (saves.is_none(), lever.cost, std::cmp::Reverse(saves))
    });
    levers
}

fn lever(
    estimates: &Estimates,
    ladder: &Ladder,
    scenario: &Scenario,
    before: &Estimate,
    live: u64,
    after: Scenario,
) -> Option<Lever> {
    let (effect, refused) = match live_tensors(&after) {
        // Fewer live tensors are not the only way to save: the allocator may hold less for the same.
        Ok(bytes) if bytes > live => return None,
        Ok(_) => match estimates.estimate(&after) {
            Ok(after) => (Some(Effect::between(before, &after)), None),
            Err(error) => (None, Some(error.to_string())),
        },
        Err(EstimateError::NotModelled(reason)) => (None, Some(format!("not modelled: {reason}"))),
        Err(error) => (None, Some(error.to_string())),
    };
    if effect.as_ref().is_some_and(|effect| effect.saves_bytes <= 0) {
        return None;
    }
    Some(Lever {
        id: ladder.id,
        label: ladder.label,
        cost: ladder.cost,
        side_effect: ladder.side_effect,
        why: ladder.why,
        changes: scenario.differences(&after),
        scenario: after,
        effect,
        refused,
    })
}
