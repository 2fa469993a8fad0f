//! What the page says of its accuracy, against the measured rows that the project carries.
#![allow(clippy::unwrap_used)]

use plimsoll::score::{self, Group, groups};
use std::fs;
use std::path::Path;

/// How the rows were measured, and their files.
const SOURCES: [(&str, &[&str]); 2] = [
    (
        "the real libraries on PyTorch's own allocator, exact to the byte",
        &[
            "oracle/rows.jsonl",
            "oracle/architectures.jsonl",
            "oracle/experts.jsonl",
            "oracle/variants.jsonl",
            "oracle/toy-precision.jsonl",
        ],
    ),
    (
        "runs on real cards, published by others",
        &["published/rows.jsonl"],
    ),
];

/// `PLIMSOLL_WRITE=1 cargo test --test accuracy` writes the file anew.
#[test]
fn the_page_says_what_the_measured_rows_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut now: Vec<Group> = Vec::new();
    for (name, files) in SOURCES {
        let mut rows = Vec::new();
        for file in files {
            let content = fs::read(root.join("tests/fixtures").join(file)).unwrap();
            rows.extend(score::read(file, &content).0);
        }
        now.extend(groups(name, &rows));
    }
    let path = root.join("src/web/evidence/accuracy.json");
    if std::env::var_os("PLIMSOLL_WRITE").is_some() {
        let lines: Vec<String> = now
            .iter()
            .map(|group| serde_json::to_string(group).unwrap())
            .collect();
        fs::write(&path, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
    }
    let said: Vec<Group> = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(
        said, now,
        "accuracy.json is out of date: PLIMSOLL_WRITE=1 cargo test --test accuracy writes it anew"
    );
}
