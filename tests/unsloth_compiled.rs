//! Small runs of Unsloth's compiled layers and of its FP8 weights, against what the real stack allocated in its second
//! step.

#![allow(clippy::unwrap_used)]

use plimsoll::estimate;
use plimsoll::scenario::Scenario;
use plimsoll::score::{self, RowScore};

/// Bytes that rotary tables, masks and sums over tokens may differ by.
const SLACK: u64 = 1_400_000;

#[test]
fn small_runs_of_compiled_layers_are_replayed() {
    let rows = include_bytes!("fixtures/oracle/unsloth-compiled.jsonl");
    let (rows, errors) = score::read("unsloth-compiled.jsonl", rows);
    assert_eq!(errors, []);
    assert_eq!(rows.len(), 14);
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

/// A GPT-OSS of four layers.
fn gpt_oss() -> Scenario {
    let rows = include_bytes!("fixtures/oracle/unsloth-compiled.jsonl");
    let (rows, _) = score::read("unsloth-compiled.jsonl", rows);
    let row = rows.into_iter().find(|row| row.id == "gpt-oss-4bit").unwrap();
    row.scenario.unwrap()
}

#[test]
fn layers_of_experts_are_replayed_too_where_the_loss_is_higher() {
    let run = estimate::estimate(&gpt_oss()).unwrap();
    let backward = run.phases.iter().filter(|phase| phase.phase == "backward");
    let peak = backward.map(|phase| phase.peak_bytes).max().unwrap();
    // The second step's backward pass of the same run.
    let measured: u64 = 306_749_440;
    assert!(peak.abs_diff(measured) < measured / 500, "{peak}");
}

#[test]
fn layers_of_experts_are_the_same_by_segments() {
    let short = gpt_oss();
    for seq in [100, 1100, 5000] {
        let run = Scenario { seq, ..short.clone() };
        let whole = estimate::estimate(&run).unwrap().allocated_bytes;
        assert_eq!(estimate::peak_allocated(&run).unwrap(), whole, "{seq}");
    }
}
