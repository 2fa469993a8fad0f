//! The measured rows carried in `fixtures/oracle`, against the estimates.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::LazyLock;

use plimsoll::score::{self, Measured, Row, RowScore};

fn rows() -> Vec<Row> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/oracle/rows.jsonl");
    let (rows, errors) = score::read("rows.jsonl", &std::fs::read(file).unwrap());
    assert_eq!(errors, []);
    rows
}

#[test]
fn every_row_is_a_scenario_or_is_refused_because_of_its_architecture() {
    let rows = rows();
    assert_eq!(rows.len(), 143);
    for row in &rows {
        if let Err(refusal) = &row.scenario {
            let reason = refusal.to_string();
            assert!(reason.starts_with("no forward pass"), "{}: {reason}", row.id);
        }
    }
}

#[test]
fn every_scenario_of_a_row_is_sound() {
    for row in rows() {
        if let Ok(scenario) = row.scenario {
            assert_eq!(scenario.problems(), [], "{}", row.id);
        }
    }
}

#[test]
fn every_row_carries_three_measured_quantities() {
    for row in rows() {
        let Measured {
            allocated,
            reserved,
            least_capacity,
            ..
        } = row.measured;
        assert!(
            allocated.is_some() && reserved.is_some() && least_capacity.is_some(),
            "{}",
            row.id
        );
    }
}

#[test]
fn every_row_is_scored_or_refused_with_a_reason() {
    for row in rows() {
        let score = RowScore::of(&row, "rows.jsonl");
        assert!(
            score.reason.is_some() != score.quantities.allocated.is_some(),
            "{}",
            row.id
        );
    }
}

/// Relative errors of one quantity over all rows that are expressed, in percent, by row.
fn errors(quantity: impl Fn(&score::Quantities) -> Option<score::Pair>) -> Vec<(f64, String)> {
    static SCORES: LazyLock<Vec<RowScore>> =
        LazyLock::new(|| rows().iter().map(|row| RowScore::of(row, "rows.jsonl")).collect());
    let pairs = SCORES
        .iter()
        .filter_map(|s| Some((quantity(&s.quantities)?, s.id.clone())));
    pairs.map(|(pair, id)| (pair.error_percent().abs(), id)).collect()
}

#[track_caller]
fn all_equal(errors: &[(f64, String)]) {
    assert_eq!(errors.len(), 143);
    let off: Vec<_> = errors.iter().filter(|(error, _)| *error > 0.0).collect();
    assert!(off.is_empty(), "off: {off:?}");
}

#[test]
fn allocated_is_the_measured_figure_to_the_byte() {
    all_equal(&errors(|q| q.allocated));
}

#[test]
fn reserved_follows_from_the_allocators_rules_to_the_byte() {
    all_equal(&errors(|q| q.reserved));
}

#[test]
fn the_least_capacity_is_found_under_pressure() {
    all_equal(&errors(|q| q.least_capacity));
}

#[test]
fn small_runs_in_fp16_and_without_autocast_are_equal_to_the_byte() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/oracle/toy-precision.jsonl");
    let (rows, _) = score::read("toy-precision.jsonl", &std::fs::read(file).unwrap());
    assert_eq!(rows.len(), 3);
    for row in rows {
        let score = RowScore::of(&row, "toy-precision.jsonl");
        let pair = score.quantities.allocated.unwrap();
        assert_eq!(pair.estimated, pair.measured, "{}", row.id);
    }
}
