//! The calibration table from measured runs: by generation of cards and stack, with the error that each card's runs
//! would have had, had they not been there.
//!
//! The procedure, which `plimsoll calibrate` follows to the letter:
//!
//! 1. Every run that measured both the process and what the allocator reserved gives one sample of the *context*: the
//!    process less the reserved memory. Samples are grouped by compute capability and stack.
//! 2. Every run that measured reserved memory and can be replayed gives one sample of the *slack*: measured over
//!    replayed. Samples are grouped by stack.
//! 3. A group's figures are its 5 %, 50 % and 95 % quantiles.
//! 4. *Leave one card out*: for each card of a group that has others, figures are made from the others alone and held
//!    against its runs. How far the expected context of the others is off is the error between cards; the interval of
//!    every group is widened by the 90 % quantile of these errors, because the next user's card is a card left out.
//! 5. Groups without samples keep the row they have.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::bytes::MIB;
use crate::catalog;
use crate::estimate::calibration::{ContextRow, SlackRow, Table};
use crate::estimate::estimate;
use crate::scenario::Stack;
use crate::score::Row;

/// What one run says of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Observation {
    /// The card.
    pub card: String,
    /// Its compute capability.
    pub capability: (u32, u32),
    /// The stack.
    pub stack: Stack,
    /// Reserved memory, measured.
    pub reserved: u64,
    /// Reserved memory, replayed; absent when the run cannot be.
    pub replayed: Option<u64>,
    /// The process, measured.
    pub process: Option<u64>,
}

impl Observation {
    /// What a measured row says; nothing when it names no card, lacks what the table is made of, or had a field assumed.
    pub fn of(row: &Row) -> Option<Self> {
        if row.origin.assumed.is_some() {
            return None;
        }
        let scenario = row.scenario.as_ref().ok()?;
        let gpu = catalog::gpu(scenario.gpu.as_deref()?)?;
        Some(Observation {
            card: gpu.name.clone(),
            capability: scenario.capability()?,
            stack: scenario.stack,
            reserved: row.measured.reserved?,
            replayed: estimate(scenario).ok().map(|estimate| estimate.reserved_bytes),
            process: row.measured.process,
        })
    }

    fn context(&self) -> Option<u64> {
        self.process?
            .checked_sub(self.reserved)
            .filter(|bytes| *bytes > 0)
    }

    /// Measured over replayed, less one.
    fn slack(&self) -> Option<f64> {
        let replayed = self.replayed.filter(|bytes| *bytes > 0)?;
        Some(self.reserved as f64 / replayed as f64 - 1.0)
    }
}

/// A card's runs held against what the other cards say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LeftOut {
    /// The card.
    pub card: String,
    /// The group it is in.
    pub capability: (u32, u32),
    /// The stack.
    pub stack: Stack,
    /// Its runs.
    pub runs: u32,
    /// How far the others' expected context is off from its median, in percent.
    pub context_error_percent: f64,
    /// Share of its processes within the interval that the others give; absent where none could be replayed.
    pub covered: Option<f64>,
}

/// What one group of runs gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Calibrated {
    /// The row.
    pub row: ContextRow,
    /// The cards behind it.
    pub cards: Vec<String>,
}

/// The outcome of a calibration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// The table: rows that records support, and rows that were there before.
    pub table: Table,
    /// The groups that records gave.
    pub contexts: Vec<Calibrated>,
    /// Each card left out.
    pub left_out: Vec<LeftOut>,
    /// The error between cards by which intervals were widened, in percent; absent while no group has two cards.
    pub between_cards_percent: Option<f64>,
}

type Group = ((u32, u32), Stack);

/// The slack of a stack, without a card.
type SlackOf<'a> = &'a dyn Fn(Option<&str>, Stack) -> Option<[f64; 2]>;

/// Recomputes a table from measured runs; `before` keeps the rows that no run bears on.
pub fn calibrate(observations: &[Observation], before: &Table) -> Calibration {
    let mut groups: BTreeMap<Group, Vec<&Observation>> = BTreeMap::new();
    for seen in observations.iter().filter(|seen| seen.context().is_some()) {
        groups
            .entry((seen.capability, seen.stack))
            .or_default()
            .push(seen);
    }
    let slack_of = |except: Option<&str>, stack| slack(observations, except, stack);
    let left_out: Vec<_> = groups
        .iter()
        .flat_map(|(group, runs)| leave_one_out(*group, runs, &slack_of))
        .collect();
    let mut errors: Vec<_> = left_out
        .iter()
        .map(|card| card.context_error_percent.abs())
        .collect();
    let between = quantile(&mut errors, 0.9);
    let contexts: Vec<_> = groups
        .iter()
        .map(|(group, runs)| row(*group, runs, between.unwrap_or(0.0)))
        .collect();
    Calibration {
        table: merged(&contexts, observations, before),
        contexts,
        left_out,
        between_cards_percent: between,
    }
}

/// A run's context at 5 %, 50 % and 95 %, bytes.
fn figures(runs: &[&Observation]) -> Option<[f64; 3]> {
    let mut samples: Vec<_> = runs
        .iter()
        .filter_map(|run| run.context())
        .map(|b| b as f64)
        .collect();
    Some([
        quantile(&mut samples, 0.05)?,
        quantile(&mut samples, 0.5)?,
        quantile(&mut samples, 0.95)?,
    ])
}

fn leave_one_out((capability, stack): Group, runs: &[&Observation], slack_of: SlackOf) -> Vec<LeftOut> {
    let cards: BTreeSet<_> = runs.iter().map(|run| run.card.as_str()).collect();
    let of = |card: &&str| {
        let (own, others): (Vec<_>, Vec<_>) = runs.iter().partition(|run| run.card == *card);
        let [low, expected, high] = figures(&others)?;
        let median = figures(&own)?[1];
        let slack = slack_of(Some(card), stack);
        let within = |run: &&Observation| {
            let ([below, above], replayed) = (slack?, run.replayed? as f64);
            let process = run.process? as f64;
            let range = replayed * (1.0 + below) + low..=replayed * (1.0 + above) + high;
            Some(range.contains(&process))
        };
        let judged: Vec<bool> = own.iter().filter_map(within).collect();
        let inside = judged.iter().filter(|inside| **inside).count();
        Some(LeftOut {
            card: (*card).into(),
            capability,
            stack,
            runs: own.len() as u32,
            context_error_percent: (expected - median) / median * 100.0,
            covered: (!judged.is_empty()).then(|| inside as f64 / judged.len() as f64),
        })
    };
    cards.iter().filter_map(of).collect()
}

fn row((capability, stack): Group, runs: &[&Observation], between_percent: f64) -> Calibrated {
    let [low, expected, high] = figures(runs).unwrap_or_default();
    let wide = expected * between_percent / 100.0;
    let cards: BTreeSet<_> = runs.iter().map(|run| run.card.clone()).collect();
    let cards: Vec<_> = cards.into_iter().collect();
    let mib = |bytes: f64| bytes.max(0.0) / MIB as f64;
    Calibrated {
        row: ContextRow {
            capability,
            stack: Some(stack),
            mib: [
                mib(low.min(expected - wide)).floor() as u64,
                mib(expected).round() as u64,
                mib(high.max(expected + wide)).ceil() as u64,
            ],
            runs: runs.len() as u32,
            source: format!("{} on {}", counted(runs.len(), "run"), cards.join(", ")),
        },
        cards,
    }
}

/// The slack under a stack at 5 % and 95 %, without the runs of one card.
fn slack(observations: &[Observation], except: Option<&str>, stack: Stack) -> Option<[f64; 2]> {
    let mut samples: Vec<_> = observations
        .iter()
        .filter(|seen| seen.stack == stack && except != Some(seen.card.as_str()))
        .filter_map(Observation::slack)
        .collect();
    Some([quantile(&mut samples, 0.05)?, quantile(&mut samples, 0.95)?])
}

fn merged(contexts: &[Calibrated], observations: &[Observation], before: &Table) -> Table {
    let mut table = Table {
        contexts: contexts.iter().map(|group| group.row.clone()).collect(),
        slack: Vec::new(),
    };
    for old in &before.contexts {
        let replaced = table
            .contexts
            .iter()
            .any(|new| (new.capability, new.stack) == (old.capability, old.stack));
        if !replaced {
            table.contexts.push(old.clone());
        }
    }
    table
        .contexts
        .sort_by_key(|row| (std::cmp::Reverse(row.capability), row.stack.is_none(), row.stack));
    for &stack in Stack::ALL {
        let Some([below, above]) = slack(observations, None, stack) else {
            continue;
        };
        let samples = || {
            let own = observations.iter().filter(move |seen| seen.stack == stack);
            own.filter(|seen| seen.slack().is_some())
        };
        let cards: BTreeSet<_> = samples().map(|seen| seen.card.as_str()).collect();
        let thousandths = |share: f64| (share.max(0.0) * 1000.0).ceil() as u64;
        table.slack.push(SlackRow {
            stack: Some(stack),
            below: thousandths(-below),
            above: thousandths(above),
            runs: samples().count() as u32,
            source: format!(
                "reserved {:.1} % below to {:.1} % above its replay in 9 of 10 of {} on {}",
                (-below).max(0.0) * 100.0,
                above.max(0.0) * 100.0,
                counted(samples().count(), "run"),
                cards.into_iter().collect::<Vec<_>>().join(", ")
            ),
        });
    }
    for old in &before.slack {
        if !table.slack.iter().any(|new| new.stack == old.stack) {
            table.slack.push(old.clone());
        }
    }
    table
}

fn counted(n: usize, what: &str) -> String {
    match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

/// A quantile, interpolated between samples; nothing without samples.
fn quantile(samples: &mut [f64], share: f64) -> Option<f64> {
    samples.sort_by(f64::total_cmp);
    let last = samples.len().checked_sub(1)?;
    let at = share * last as f64;
    let (low, high) = (
        samples.get(at.floor() as usize)?,
        samples.get(at.ceil() as usize)?,
    );
    Some(low + (high - low) * at.fract())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::GIB;

    fn seen(card: &str, context_mib: u64, over_percent: u64) -> Observation {
        let reserved = 10 * GIB + 10 * GIB * over_percent / 100;
        Observation {
            card: card.into(),
            capability: (8, 9),
            stack: Stack::Hf,
            reserved,
            replayed: Some(10 * GIB),
            process: Some(reserved + context_mib * MIB),
        }
    }

    #[test]
    fn a_group_has_its_quantiles_and_names_its_runs() {
        let runs: Vec<_> = (0..=100).map(|i| seen("L4", 300 + i, 0)).collect();
        let done = calibrate(&runs, &Table::default());
        let row = &done.table.contexts[0];
        assert_eq!((row.mib, row.runs), ([305, 350, 395], 101));
        assert_eq!(row.source, "101 runs on L4");
        assert_eq!(done.between_cards_percent, None);
    }

    #[test]
    fn intervals_are_widened_by_the_error_between_cards() {
        let runs = [seen("L4", 400, 0), seen("RTX 4090", 500, 0)];
        let done = calibrate(&runs, &Table::default());
        let errors: Vec<_> = done
            .left_out
            .iter()
            .map(|card| card.context_error_percent.round())
            .collect();
        assert_eq!(errors, [25.0, -20.0]);
        assert_eq!(done.between_cards_percent.map(f64::round), Some(25.0));
        let [low, expected, high] = done.table.contexts[0].mib;
        assert_eq!((low, expected, high), (339, 450, 561));
        assert!(done.left_out.iter().all(|card| card.covered == Some(0.0)));
    }

    #[test]
    fn a_card_like_the_others_is_covered_by_them() {
        let mut runs = Vec::new();
        for card in ["L4", "RTX 4090", "RTX 6000 Ada"] {
            runs.extend((0..5).map(|i| seen(card, 400 + i, i)));
        }
        let done = calibrate(&runs, &Table::default());
        assert!(
            done.left_out.iter().all(|card| card.covered == Some(1.0)),
            "{done:?}"
        );
        assert_eq!((done.table.slack[0].below, done.table.slack[0].above), (0, 40));
    }

    #[test]
    fn rows_that_no_run_bears_on_stay() {
        let before = crate::estimate::calibration::table();
        let done = calibrate(&[seen("L4", 400, 0)], before);
        assert_eq!(done.table.contexts.len(), before.contexts.len() + 1);
        assert_eq!(
            done.table.context((8, 9), Stack::Hf).map(|row| row.mib[1]),
            Some(400)
        );
        assert_eq!(
            done.table.context((8, 9), Stack::Unsloth),
            before.context((8, 9), Stack::Unsloth)
        );
        assert_eq!(calibrate(&[], before).table, *before);
    }
}
