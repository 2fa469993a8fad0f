//! Runs of real Unsloth, some drawn at random, others chosen where draws seldom come: small models and few layers of large
//! ones, over all of their steps, the first, in which kernels are tuned, too.

#![allow(clippy::unwrap_used)]

use plimsoll::estimate;
use plimsoll::scenario::{Qat, Scenario};
use plimsoll::score::{self, Row, RowScore};

fn rows() -> Vec<Row> {
    let rows = include_bytes!("fixtures/oracle/unsloth-fresh.jsonl");
    let (rows, errors) = score::read("unsloth-fresh.jsonl", rows);
    assert_eq!(errors, []);
    rows
}

fn run_of(id: &str) -> Scenario {
    let row = rows().into_iter().find(|row| row.id == id).unwrap();
    row.scenario.unwrap()
}

#[test]
fn what_is_drawn_is_expressed_and_layers_that_run_eagerly_are_equal_to_the_byte() {
    for row in rows() {
        let score = RowScore::of(&row, "unsloth-fresh.jsonl");
        assert_eq!(score.reason, None, "{}", row.id);
        let allocated = score.quantities.allocated.unwrap();
        // Masks and sums of a few rows are not all replayed; sequences of several lengths are counted as one.
        let generated = ["c-", "t-oc", "t-fm", "t-g3", "t-phi", "t-q-fp8", "v-"]
            .iter()
            .any(|start| row.id.starts_with(start))
            || ["r9", "r10", "s1-31", "s409-20", "q-int8-int4"].contains(&&*row.id);
        let most = match &*row.id {
            // DoRA of every projection on 4-bit weights: one buffer of the backward pass is not explained.
            "d-nf4" => allocated.measured / 500,
            // What the tuner holds beside the experts' kernels, forward.
            "t-moe16" | "m-oss" => allocated.measured / 1000,
            _ if generated => allocated.measured / 2000,
            _ => 0,
        };
        let difference = allocated.estimated.abs_diff(allocated.measured);
        assert!(difference <= most, "{}: {difference}", row.id);
    }
}

#[test]
fn reserved_is_near_where_no_head_is_trained() {
    for row in rows() {
        let score = RowScore::of(&row, "unsloth-fresh.jsonl");
        let trains_head = row
            .scenario
            .as_ref()
            .is_ok_and(|run| !run.lora.modules_to_save.is_empty());
        let most = match &*row.id {
            _ if trains_head => 6.0,
            "v-fm-drop-long" => 10.0,
            // Rounding the head's weight, half a gigabyte, leaves a hole that is not explained.
            "t-q-fp8-int4" => 6.0,
            _ => 4.0,
        };
        let error = score.quantities.reserved.unwrap().error_percent();
        assert!(error.abs() <= most, "{}: {error}", row.id);
    }
}

#[test]
fn a_backward_pass_that_the_loss_hides_is_replayed_too() {
    let run = estimate::estimate(&run_of("c-oc-t4")).unwrap();
    let backward = run
        .phases
        .iter()
        .filter(|phase| phase.phase == "backward" && phase.step == 2);
    let peak = backward.map(|phase| phase.peak_bytes).max().unwrap();
    let measured: u64 = 933_107_712;
    assert!(peak.abs_diff(measured) < measured / 500, "{peak}");
}

#[test]
fn fake_quantized_weights_are_the_same_by_segments() {
    let run = run_of("q-int4");
    assert_eq!(run.qat, Qat::Int4);
    for (qat, (seq, batch)) in Qat::ALL.iter().flat_map(|qat| {
        let sizes = [(200, 1), (1024, 2), (6000, 4)];
        sizes.map(|size| (*qat, size))
    }) {
        let run = Scenario {
            qat,
            seq,
            batch,
            ..run.clone()
        };
        let whole = estimate::estimate(&run).unwrap().allocated_bytes;
        assert_eq!(estimate::peak_allocated(&run).unwrap(), whole, "{qat}, {seq}");
    }
}

#[test]
fn fake_quantizing_the_head_takes_sixteen_bytes_a_weight() {
    let run = run_of("q-int4");
    let plain = Scenario {
        qat: Qat::Off,
        ..run.clone()
    };
    let peaks = [run, plain].map(|run| estimate::estimate(&run).unwrap().allocated_bytes);
    let head = 16 * 128_256 * 2048;
    assert!(peaks[0] > peaks[1] + head / 2, "{peaks:?}");
}

#[test]
fn layers_that_are_written_out_are_the_same_by_segments() {
    for id in [
        "c-gemma3-full",
        "c-g3-head",
        "d-nf4",
        "d-qv-drop",
        "c-oc-q25",
        "c-oc-t4",
        "c-fm-q3",
        "c-full-q25",
        "c-fm-drop",
        "c-oc-drop",
        "t-oc-qv",
        "t-oc-mlp",
        "t-oc-attn-drop16",
        "t-phi-drop",
        "t-g3-drop",
        "t-fm-eh",
        "t-t4-eh",
        "s409-20",
        "t-f8-qv",
        "t-moe16",
        "m-oss",
        "v-g3-full-long",
        "v-phi-full",
        "v-oc-drop-long",
        "v-fm-drop-long",
        "t-f8-drop",
        "t-f8-q25",
        "r9",
        "r10",
    ] {
        for seq in [100, 1100] {
            let run = Scenario { seq, ..run_of(id) };
            let whole = estimate::estimate(&run).unwrap().allocated_bytes;
            assert_eq!(estimate::peak_allocated(&run).unwrap(), whole, "{id}, {seq}");
        }
    }
}
