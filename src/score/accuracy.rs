//! How good the estimates are, short enough to be carried by the page: by where the measurements come from and by
//! stack, with one point a run.

use super::{ErrorStatistics, Pair, Quantities, Row, RowScore, Status};
use crate::bytes::MIB;
use serde::{Deserialize, Serialize};

/// Runs that were measured in one way on one stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// How they were measured.
    pub name: String,
    /// The stack, by its slug; nothing for runs that are refused before that matters.
    pub stack: String,
    /// Runs, refused ones included.
    pub runs: usize,
    /// Runs that are refused, by reason, the most frequent first.
    pub refused: Vec<(String, usize)>,
    /// Errors by quantity.
    pub errors: Vec<Errors>,
    /// Measured and estimated MiB of each run: allocated where it was measured, else reserved, else process.
    pub points: Vec<(u64, u64)>,
}

/// Errors of one quantity, in percent of the measurement, rounded to hundredths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    /// The quantity.
    pub quantity: String,
    /// Runs that carry it.
    pub runs: usize,
    /// Mean of the absolute errors.
    pub mean: f64,
    /// Median of the absolute errors.
    pub median: f64,
    /// The largest, with its sign.
    pub worst: f64,
    /// Percent of runs within half a percent.
    pub within_half: f64,
}

/// Sums up scored rows of one name, a group a stack.
pub fn groups(name: &str, rows: &[Row]) -> Vec<Group> {
    let scored: Vec<(String, RowScore)> = rows
        .iter()
        .map(|row| {
            let stack = row.scenario.as_ref().map(|s| s.stack.slug().to_owned());
            (stack.unwrap_or_default(), RowScore::of(row, name))
        })
        .collect();
    let mut stacks: Vec<&str> = scored.iter().map(|(stack, _)| stack.as_str()).collect();
    stacks.sort_unstable();
    stacks.dedup();
    let of = |stack: &str| {
        let of_stack = scored.iter().filter(|(other, _)| other == stack);
        group(name, stack, &of_stack.map(|(_, score)| score).collect::<Vec<_>>())
    };
    stacks.into_iter().map(of).collect()
}

/// One of a row's quantities.
type Of = fn(&Quantities) -> Option<Pair>;

fn group(name: &str, stack: &str, scores: &[&RowScore]) -> Group {
    let mut refused: Vec<(String, usize)> = Vec::new();
    for reason in scores.iter().filter_map(|score| score.reason.as_ref()) {
        match refused.iter_mut().find(|(other, _)| *other == reason.0) {
            Some((_, n)) => *n += 1,
            None => refused.push((reason.0.clone(), 1)),
        }
    }
    refused.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let quantities: [(&str, Of); 4] = [
        ("allocated", |q| q.allocated),
        ("reserved", |q| q.reserved),
        ("least capacity", |q| q.least_capacity),
        ("process", |q| q.process.map(|process| process.pair())),
    ];
    let errors = quantities.iter().filter_map(|(quantity, of)| {
        let pairs = scores
            .iter()
            .filter_map(|score| Some((score.id.as_str(), of(&score.quantities)?)));
        ErrorStatistics::of(pairs).map(|statistics| errors(quantity, &statistics))
    });
    let done = scores.iter().filter(|score| score.status == Status::Scored);
    let point = |score: &&RowScore| {
        let pair = quantities.iter().find_map(|(_, of)| of(&score.quantities))?;
        Some((rounded(pair.measured), rounded(pair.estimated)))
    };
    Group {
        name: name.into(),
        stack: stack.into(),
        runs: scores.len(),
        refused,
        errors: errors.collect(),
        points: done.filter_map(point).collect(),
    }
}

fn rounded(bytes: u64) -> u64 {
    (bytes + MIB / 2) / MIB
}

fn errors(quantity: &str, statistics: &ErrorStatistics) -> Errors {
    let hundredths = |percent: f64| (percent * 100.0).round() / 100.0 + 0.0;
    Errors {
        quantity: quantity.into(),
        runs: statistics.n,
        mean: hundredths(statistics.mean_absolute_percent),
        median: hundredths(statistics.median_absolute_percent),
        worst: hundredths(statistics.worst.error_percent),
        within_half: hundredths(statistics.share_within_half_percent * 100.0),
    }
}
