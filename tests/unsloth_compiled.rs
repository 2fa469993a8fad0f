//! Small runs of Unsloth's compiled layers and of its FP8 weights, against what the real stack allocated in its second
//! step.

#![allow(clippy::unwrap_used)]

use plimsoll::score::{self, RowScore};

/// Bytes that rotary tables, masks and sums over tokens may differ by.
const SLACK: u64 = 1_400_000;

#[test]
fn small_runs_of_compiled_layers_are_replayed() {
    let rows = include_bytes!("fixtures/oracle/unsloth-compiled.jsonl");
    let (rows, errors) = score::read("unsloth-compiled.jsonl", rows);
    assert_eq!(errors, []);
    assert_eq!(rows.len(), 8);
    for row in rows {
        let score = RowScore::of(&row, "unsloth-compiled.jsonl");
        assert_eq!(score.reason, None, "{}", row.id);
        let allocated = score.quantities.allocated.as_ref().unwrap();
        let difference = allocated.estimated.abs_diff(allocated.measured);
        let exact = ["full-llama", "full-llama-no-checkpointing", "fp8-rows"].contains(&row.id.as_str());
        let most = if exact { 0 } else { SLACK };
        assert!(difference <= most, "{}: {difference}", row.id);
    }
}
