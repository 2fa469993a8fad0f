//! What the page says of its accuracy, against the measured rows that the project carries.
#![allow(clippy::unwrap_used)]

#[path = "../src/bin/xtask/evidence.rs"]
mod evidence;

use plimsoll::score::{self, Group, groups};
use std::fs;
use std::path::Path;

/// `PLIMSOLL_WRITE=1 cargo test --test accuracy` writes the file anew.
#[test]
fn the_page_says_what_the_measured_rows_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut now: Vec<Group> = Vec::new();
    for (name, files) in evidence::FIXTURES {
        let mut rows = Vec::new();
        for file in files {
            let content = fs::read(root.join("tests/fixtures").join(file)).unwrap();
            rows.extend(score::read(file, &content).0);
        }
        now.extend(groups(name, &rows));
    }
    now.extend(evidence::of_records(root).unwrap());
    let path = root.join(evidence::FILE);
    if std::env::var_os("PLIMSOLL_WRITE").is_some() {
        fs::write(&path, evidence::text(&now).unwrap()).unwrap();
    }
    let said: Vec<Group> = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    // Not shown in full: it is long.
    assert!(
        said == now,
        "accuracy.json is out of date: PLIMSOLL_WRITE=1 cargo test --test accuracy writes it anew"
    );
}

#[test]
fn a_file_of_records_is_found_and_a_build_brings_the_page_up_to_date() {
    let project = tempfile::tempdir().unwrap();
    let root = project.path();
    let file = root.join(evidence::FILE);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "[]\n").unwrap();
    assert_eq!(evidence::of_records(root).unwrap(), []);

    fs::create_dir(root.join("records")).unwrap();
    let record = include_str!("fixtures/validate/record.jsonl");
    fs::write(root.join("records/one-card.jsonl"), record).unwrap();
    evidence::refresh(root).unwrap();
    let said: Vec<Group> = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!((said.len(), said[0].runs, said[0].points.len()), (1, 1, 1));

    fs::remove_file(root.join("records/one-card.jsonl")).unwrap();
    evidence::refresh(root).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "[\n\n]\n");
}
