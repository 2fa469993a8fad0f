//! `plimsoll report` and `plimsoll calibrate`: what they make of measured rows.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use plimsoll::estimate::calibration::Table;
use plimsoll::scenario::Stack;
use plimsoll::validate::{ProcessSource, Record};
use serde_json::Value;

struct Ended {
    exit: Option<i32>,
    out: String,
    err: String,
}

fn plimsoll(line: &str, file: &Path) -> Ended {
    let output = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(line.split_whitespace())
        .arg(file)
        .env_remove("CLICOLOR_FORCE")
        .output()
        .unwrap();
    Ended {
        exit: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn record() -> Record {
    serde_json::from_str(include_str!("fixtures/validate/record.jsonl")).unwrap()
}

/// The recorded run on a card, with a context of so many MiB beside the allocator.
fn on(card: &str, context_mib: u64) -> Record {
    let mut record = record();
    record.scenario.gpu = Some(card.into());
    record.id = format!("{card}-{context_mib}");
    let reserved = record.measured.peak_reserved_bytes.unwrap();
    record.measured.process_bytes = Some(reserved + (context_mib << 20));
    record.measured.process_source = Some(ProcessSource::NvmlProcess);
    record
}

fn file(records: &[Record]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let lines: Vec<_> = records
        .iter()
        .map(|record| serde_json::to_string(record).unwrap())
        .collect();
    std::fs::write(file.path(), lines.join("\n")).unwrap();
    file
}

fn several() -> tempfile::NamedTempFile {
    file(&[
        on("rtx-4090", 400),
        on("rtx-4090", 410),
        on("l4", 420),
        on("rtx-3090", 260),
    ])
}

#[test]
fn markdown_has_a_table_by_stack_method_and_card() {
    let rows = several();
    let ended = plimsoll("report", rows.path());
    assert_eq!(ended.exit, Some(0), "{}", ended.err);
    for line in [
        "# How accurate the estimates are",
        "4 measured runs, 4 estimated, 0 refused",
        "## By card",
    ] {
        assert!(ended.out.contains(line), "{line} in {}", ended.out);
    }
    assert!(
        ended.out.contains("| rtx-4090 | allocated | 2 | 0.00 % |"),
        "{}",
        ended.out
    );
}

#[test]
fn the_page_is_whole_in_one_file_with_its_charts() {
    let rows = several();
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("report.html");
    let ended = plimsoll(&format!("report --html {}", page.display()), rows.path());
    assert_eq!((ended.exit, ended.out.as_str()), (Some(0), ""), "{}", ended.err);
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.matches("<svg ").count() >= 3, "{}", html.len());
    assert_eq!(html.matches("<svg ").count(), html.matches("</svg>").count());
    for outside in ["<script", "src=", "<link", "@import", "url("] {
        assert!(!html.contains(outside), "{outside}");
    }
}

#[test]
fn text_of_rows_is_no_markup_in_the_page() {
    let mut hostile = on("rtx-4090", 400);
    hostile.measured.peak_allocated_bytes = None;
    let mut row = serde_json::to_value(&hostile).unwrap();
    row["scenario"]["stack"] = "<script>alert(1)</script>".into();
    let rows = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(rows.path(), row.to_string()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("report.html");
    plimsoll(&format!("report --html {}", page.display()), rows.path());
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(
        !html.contains("<script") && html.contains("&lt;script&gt;"),
        "{html}"
    );
}

#[test]
fn no_rows_make_an_empty_report() {
    let rows = file(&[]);
    let ended = plimsoll("report", rows.path());
    assert_eq!(ended.exit, Some(0));
    assert!(ended.out.contains("0 measured runs"), "{}", ended.out);
    let ended = plimsoll("report", &PathBuf::from("/nowhere/at/all"));
    assert_eq!(ended.exit, Some(2));
}

#[test]
fn a_table_is_calibrated_from_records_and_keeps_what_no_record_bears_on() {
    let rows = several();
    let folder = tempfile::tempdir().unwrap();
    let written = folder.path().join("calibration.json");
    let ended = plimsoll(&format!("calibrate --write {}", written.display()), rows.path());
    assert_eq!(ended.exit, Some(0), "{}", ended.err);
    assert!(ended.out.contains("4 of 4 rows name a card"), "{}", ended.out);
    assert!(ended.out.contains("one card left out"), "{}", ended.out);
    let table: Table = serde_json::from_str(&std::fs::read_to_string(&written).unwrap()).unwrap();
    let ada = table.context((8, 9), Stack::Hf).unwrap();
    assert_eq!((ada.mib[1], ada.runs), (410, 3));
    assert_eq!(table.context((8, 6), Stack::Hf).unwrap().mib[1], 260);
    let before = plimsoll::estimate::calibration::table();
    assert_eq!(
        table.context((7, 5), Stack::Hf),
        before.context((7, 5), Stack::Hf)
    );
    assert_eq!(
        table.context((8, 9), Stack::Unsloth),
        before.context((8, 9), Stack::Unsloth)
    );
}

#[test]
fn each_card_left_out_is_told_as_json() {
    let rows = several();
    let ended = plimsoll("calibrate --json", rows.path());
    let done: Value = serde_json::from_str(&ended.out).unwrap();
    let cards: Vec<_> = done["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .map(|card| &card["card"])
        .collect();
    assert_eq!(cards.len(), 2);
    assert!(done["between_cards_percent"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_process_that_others_took_part_in_calibrates_nothing() {
    let mut shared = on("rtx-4090", 400);
    shared.measured.process_source = Some(ProcessSource::Driver);
    shared.notes.push("1 other processes used the card".into());
    let ended = plimsoll("calibrate --json", file(&[shared]).path());
    let done: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(done["contexts"], serde_json::json!([]));
}
