//! Runs measured with the real Unsloth stack, carried in `fixtures/oracle/unsloth.jsonl`, against the estimates: small
//! models (`toy-*`) and some of the size that users train.

#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;

use plimsoll::score::{self, Pair, Quantities, RowScore};

static SCORES: LazyLock<Vec<RowScore>> = LazyLock::new(|| {
    let (rows, errors) = score::read("unsloth", include_bytes!("fixtures/oracle/unsloth.jsonl"));
    assert_eq!(errors, []);
    rows.iter().map(|row| RowScore::of(row, "unsloth")).collect()
});

/// The share of rows whose error is at most this, in percent.
fn share_within(percent: f64, quantity: impl Fn(&Quantities) -> Option<Pair>) -> f64 {
    let errors: Vec<f64> = SCORES
        .iter()
        .map(|score| quantity(&score.quantities).unwrap().error_percent().abs())
        .collect();
    errors.iter().filter(|&&error| error <= percent).count() as f64 / errors.len() as f64
}

#[test]
fn every_row_of_the_hand_written_layers_is_expressed() {
    for score in SCORES.iter() {
        assert_eq!(score.reason, None, "{}", score.id);
    }
}

#[test]
fn allocated_is_within_a_tenth_of_a_percent_on_every_row_and_most_are_equal_to_the_byte() {
    assert_eq!(share_within(0.1, |q| q.allocated), 1.0);
    let equal = share_within(0.0, |q| q.allocated);
    assert!(equal >= 0.9, "{equal}");
}

#[test]
fn reserved_is_within_five_percent_where_segments_expand() {
    let share = share_within(5.0, |q| q.reserved);
    assert!(share >= 0.95, "{share}");
}
