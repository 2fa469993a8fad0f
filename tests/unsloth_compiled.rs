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
    assert_eq!(rows.len(), 15);
    for row in rows {
        let score = RowScore::of(&row, "unsloth-compiled.jsonl");
        assert_eq!(score.reason, None, "{}", row.id);
        let measured = score.quantities.allocated.as_ref().unwrap().measured;
        let run = estimate::estimate(row.scenario.as_ref().unwrap()).unwrap();
        let second = run.phases.iter().filter(|phase| phase.step == 2);
        let difference = second
            .map(|phase| phase.peak_bytes)
            .max()
            .unwrap()
            .abs_diff(measured);
        let exact = ["full-llama", "full-llama-no-checkpointing", "fp8-rows"].contains(&row.id.as_str());
        let most = if exact { 0 } else { SLACK };
        assert!(difference <= most, "{}: {difference}", row.id);
    }
}

/// The run of a row.
fn run_of(id: &str) -> Scenario {
    let rows = include_bytes!("fixtures/oracle/unsloth-compiled.jsonl");
    let (rows, _) = score::read("unsloth-compiled.jsonl", rows);
    let row = rows.into_iter().find(|row| row.id == id).unwrap();
    row.scenario.unwrap()
}

/// A GPT-OSS of four layers.
fn gpt_oss() -> Scenario {
    run_of("gpt-oss-4bit")
}

/// The highest live bytes of the backward pass.
fn backward_peak(run: &Scenario) -> u64 {
    let run = estimate::estimate(run).unwrap();
    let backward = run
        .phases
        .iter()
        .filter(|phase| phase.phase == "backward" && phase.step == 2);
    backward.map(|phase| phase.peak_bytes).max().unwrap()
}

#[test]
fn backward_passes_that_the_loss_hides_are_replayed_too() {
    // The second step's backward passes of the same runs.
    for (id, measured) in [
        ("gemma-3-t4", 836_666_880u64),
        ("gemma-3-t4-two-rows", 1_043_854_336),
        ("qwen3-moe", 195_826_176),
    ] {
        let peak = backward_peak(&run_of(id));
        assert!(peak.abs_diff(measured) < measured / 500, "{id}: {peak}");
    }
}

#[test]
fn layers_that_are_written_out_are_the_same_by_segments() {
    for id in ["phi-4", "gemma-3-t4", "qwen3-moe", "dpo-llama-1b"] {
        for seq in [100, 1100] {
            let run = Scenario { seq, ..run_of(id) };
            let whole = estimate::estimate(&run).unwrap().allocated_bytes;
            assert_eq!(estimate::peak_allocated(&run).unwrap(), whole, "{id}, {seq}");
        }
    }
}

#[test]
fn layers_of_experts_are_replayed_too_where_the_loss_is_higher() {
    let peak = backward_peak(&gpt_oss());
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
