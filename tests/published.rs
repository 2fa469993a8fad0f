//! The published runs carried in `fixtures/published`, against the estimates.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use plimsoll::score::{self, Report, RowScore, Status};

fn scores() -> Vec<RowScore> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/published/rows.jsonl");
    let (rows, errors) = score::read("rows.jsonl", &std::fs::read(file).unwrap());
    assert_eq!(errors, []);
    rows.iter().map(|row| RowScore::of(row, "rows.jsonl")).collect()
}

#[test]
fn allocated_is_what_others_measured_within_one_percent() {
    let mut n = 0;
    for row in scores() {
        if let (Some(pair), None) = (row.quantities.allocated, &row.assumed) {
            assert!(pair.error_percent().abs() <= 1.0, "{}: {pair:?}", row.id);
            n += 1;
        }
    }
    assert!(n >= 8, "{n} rows");
}

/// The program repeats keys and values itself; without quantization nothing of it depends on the order in which a
/// loader's threads come.
#[test]
fn heads_repeated_before_the_kernel_give_what_a_card_reserved() {
    let scores = scores();
    for id in ["fitcheck-022", "fitcheck-034"] {
        let row = scores.iter().find(|row| row.id == id).unwrap();
        let pair = row.quantities.reserved.unwrap();
        assert!(pair.error_percent().abs() <= 0.05, "{id}: {pair:?}");
    }
}

#[test]
fn runs_that_got_through_are_not_said_to_exceed_their_card() {
    for row in scores() {
        if let Some(verdict) = row.verdict {
            assert!(!verdict.is_overcautious() && !verdict.is_unsafe(), "{}", row.id);
        }
    }
}

#[test]
fn rows_of_other_programs_are_refused_with_the_reason() {
    let scores = scores();
    let refused = |id: &str| {
        let row = scores.iter().find(|row| row.id == id).unwrap();
        assert_eq!(row.status, Status::Refused, "{id}");
        row.reason.clone().unwrap().to_string()
    };
    for (id, reason) in [
        (
            "fms-093",
            "fms-acceleration's patched 4-bit training is not modelled",
        ),
        ("fms-101", "GPTQ weights are not modelled"),
        ("fms-010", "runs on several GPUs are not modelled"),
        (
            "litgpt-hub-01",
            "LitGPT runs its own model code, which is not modelled",
        ),
        (
            "unsloth-nb-002",
            "layers that are not hand-written, and full fine-tuning, in Unsloth before 2026",
        ),
        ("unsloth-ctx-001", "extrapolated, not a run"),
    ] {
        assert_eq!(refused(id), reason, "{id}");
    }
}

#[test]
fn rows_of_which_a_field_was_assumed_are_counted_apart() {
    let scores = scores();
    let report = Report::of(&scores, None, vec![]);
    let (stated, assumed) = (report.nothing_assumed.unwrap(), report.one_field_assumed.unwrap());
    assert_eq!(stated.n + assumed.n, scores.len());
    assert!(assumed.n >= 3);
    assert_eq!(report.across_sources["allocated"].sources, 3);
    let sources: Vec<_> = report.sources.iter().map(|s| s.source.as_str()).collect();
    assert!(sources.contains(&"fitcheck-llm 0.3.1"));
    assert!(sources.contains(&"PEFT method comparison, MetaMathQA, one field assumed"));
}

#[test]
fn the_process_interval_holds_most_runs() {
    let scores = scores();
    let intervals = Report::of(&scores, None, vec![]).overall.intervals.unwrap();
    assert!(intervals.n >= 5, "{}", intervals.n);
    assert!(intervals.coverage >= 0.6, "{}", intervals.coverage);
}

/// Mistral 7B on an A100, full fine-tuning and LoRA, by a program of transformers 4.48 with the flash-attn package.
#[test]
fn an_earlier_release_allocates_what_a_card_measured() {
    let scores = scores();
    for id in ["fms-009", "fms-035"] {
        let row = scores.iter().find(|row| row.id == id).unwrap();
        let pair = row.quantities.allocated.unwrap();
        assert!(pair.error_percent().abs() <= 0.01, "{id}: {pair:?}");
    }
}
