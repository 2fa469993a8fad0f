//! Scores of many rows, per source and overall.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use super::{ErrorStatistics, IntervalScore, Pair, Quantities, Refusal, RowScore, Status};

/// Rows refused for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The reason.
    pub reason: Refusal,
    /// How many rows.
    pub n: usize,
}

/// How often the process figure was within its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct IntervalSummary {
    /// Rows with a measured process figure.
    pub n: usize,
    /// Share within the interval, 0 to 1.
    pub coverage: f64,
    /// Share above the upper end, 0 to 1.
    pub above: f64,
}

/// How often the verdict was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct VerdictSummary {
    /// Rows with a measured verdict.
    pub n: usize,
    /// Neither unsafe nor overcautious.
    pub right: usize,
    /// Said to fit, and ended out of memory.
    #[serde(rename = "unsafe")]
    pub unsafe_: usize,
    /// Said not to fit, and got through.
    pub overcautious: usize,
}

/// The scores of some rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The file, the value they are grouped by, or `overall`.
    pub source: String,
    /// Rows.
    pub n: usize,
    /// Rows scored.
    pub scored: usize,
    /// Rows refused.
    pub refused: usize,
    /// Errors by quantity (`allocated`, `reserved`, `least_capacity`, `process`), for those that the rows carry.
    pub quantities: BTreeMap<&'static str, ErrorStatistics>,
    /// Coverage of the process interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intervals: Option<IntervalSummary>,
    /// Verdicts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdicts: Option<VerdictSummary>,
    /// Rows refused, by reason, the most frequent first.
    pub refusals: Vec<Refused>,
}

impl Summary {
    /// Counts some rows under a name.
    pub fn of(source: &str, rows: &[&RowScore]) -> Self {
        let scored = rows.iter().filter(|row| row.status == Status::Scored).count();
        Summary {
            source: source.into(),
            n: rows.len(),
            scored,
            refused: rows.len() - scored,
            quantities: quantities(rows),
            intervals: intervals(rows),
            verdicts: verdicts(rows),
            refusals: refusals(rows),
        }
    }
}

fn quantities(rows: &[&RowScore]) -> BTreeMap<&'static str, ErrorStatistics> {
    type Read = fn(&Quantities) -> Option<Pair>;
    let all: [(&'static str, Read); 4] = [
        ("allocated", |q| q.allocated),
        ("reserved", |q| q.reserved),
        ("least_capacity", |q| q.least_capacity),
        ("process", |q| q.process.map(IntervalScore::pair)),
    ];
    let of = |read: Read| {
        ErrorStatistics::of(
            rows.iter()
                .filter_map(|row| Some((row.id.as_str(), read(&row.quantities)?))),
        )
    };
    all.into_iter()
        .filter_map(|(name, read)| Some((name, of(read)?)))
        .collect()
}

fn intervals(rows: &[&RowScore]) -> Option<IntervalSummary> {
    let figures: Vec<_> = rows.iter().filter_map(|row| row.quantities.process).collect();
    let share = |n: usize| n as f64 / figures.len() as f64;
    (!figures.is_empty()).then(|| IntervalSummary {
        n: figures.len(),
        coverage: share(figures.iter().filter(|figure| figure.covered()).count()),
        above: share(figures.iter().filter(|figure| figure.is_above()).count()),
    })
}

fn verdicts(rows: &[&RowScore]) -> Option<VerdictSummary> {
    let verdicts: Vec<_> = rows.iter().filter_map(|row| row.verdict).collect();
    let unsafe_ = verdicts.iter().filter(|verdict| verdict.is_unsafe()).count();
    let overcautious = verdicts
        .iter()
        .filter(|verdict| verdict.is_overcautious())
        .count();
    (!verdicts.is_empty()).then(|| VerdictSummary {
        n: verdicts.len(),
        right: verdicts.len() - unsafe_ - overcautious,
        unsafe_,
        overcautious,
    })
}

fn refusals(rows: &[&RowScore]) -> Vec<Refused> {
    let mut counts: BTreeMap<&Refusal, usize> = BTreeMap::new();
    for reason in rows.iter().filter_map(|row| row.reason.as_ref()) {
        *counts.entry(reason).or_default() += 1;
    }
    let mut refusals: Vec<_> = counts
        .into_iter()
        .map(|(reason, n)| Refused {
            reason: reason.clone(),
            n,
        })
        .collect();
    refusals.sort_by_key(|refused| Reverse(refused.n));
    refusals
}
