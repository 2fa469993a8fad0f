//! The measured rows carried in `fixtures/oracle`, against the estimates.

#![allow(clippy::unwrap_used)]

use std::path::Path;

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
