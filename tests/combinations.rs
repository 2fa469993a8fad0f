//! Measured rows of settings drawn at random, against the estimates: none was looked at when the replay was written.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use plimsoll::score::{self, Pair, RowScore};

#[track_caller]
fn equal(id: &str, pair: Option<Pair>) {
    if let Some(pair) = pair {
        assert_eq!(pair.estimated, pair.measured, "{id}");
    }
}

#[test]
fn settings_drawn_at_random_are_equal_to_the_byte() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/oracle/combinations.jsonl");
    let (rows, errors) = score::read("combinations.jsonl", &std::fs::read(file).unwrap());
    assert_eq!(errors, []);
    for row in rows {
        let score = RowScore::of(&row, "combinations.jsonl");
        assert_eq!(score.reason, None, "{}", row.id);
        equal(&row.id, score.quantities.allocated);
        equal(&row.id, score.quantities.reserved);
        equal(&row.id, score.quantities.least_capacity);
    }
}
