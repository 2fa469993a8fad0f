//! What the page says of its accuracy: made from the measured rows that the project carries. Shared with the test that
//! holds the two against each other.

use plimsoll::score::{self, Group, groups};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Where the page reads it.
pub const FILE: &str = "src/web/evidence/accuracy.json";

/// How rows that tests hold the cost model against were measured, and their files.
#[allow(dead_code)]
pub const FIXTURES: [(&str, &[&str]); 2] = [
    (
        "the real libraries on PyTorch's own allocator, exact to the byte",
        &[
            "oracle/rows.jsonl",
            "oracle/architectures.jsonl",
            "oracle/experts.jsonl",
            "oracle/variants.jsonl",
            "oracle/combinations.jsonl",
            "oracle/toy-precision.jsonl",
            "oracle/unsloth.jsonl",
            "oracle/unsloth-fresh.jsonl",
        ],
    ),
    (
        "runs on real cards, published by others",
        &["published/rows.jsonl"],
    ),
];

/// The records in `records/`.
const RECORDS: &str = "runs on real cards, recorded by plimsoll validate";

/// The groups of the records that the project carries.
///
/// # Errors
/// A file of records cannot be read, or holds a line that is none.
pub fn of_records(root: &Path) -> io::Result<Vec<Group>> {
    let mut files: Vec<PathBuf> = match fs::read_dir(root.join("records")) {
        Ok(entries) => entries
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<_>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    files.retain(|file| file.extension().is_some_and(|ending| ending == "jsonl"));
    files.sort();
    let mut rows = Vec::new();
    for file in files {
        let (read, errors) = score::read(&file.display().to_string(), &fs::read(&file)?);
        if let Some(error) = errors.first() {
            return Err(io::Error::other(error.to_string()));
        }
        rows.extend(read);
    }
    Ok(groups(RECORDS, &rows))
}

/// Brings the records' part of the page's file up to date. The rest follows the cost model, and a test watches it.
///
/// # Errors
/// As [`of_records`], and a file that cannot be written.
#[allow(dead_code)]
pub fn refresh(root: &Path) -> io::Result<()> {
    let path = root.join(FILE);
    let before: Vec<Group> = serde_json::from_str(&fs::read_to_string(&path)?)?;
    let mut now = before.clone();
    now.retain(|group| group.name != RECORDS);
    now.extend(of_records(root)?);
    match now == before {
        true => Ok(()),
        false => fs::write(&path, text(&now)?),
    }
}

/// A group a line.
///
/// # Errors
/// None in practice.
pub fn text(groups: &[Group]) -> io::Result<String> {
    let lines: Result<Vec<String>, _> = groups.iter().map(serde_json::to_string).collect();
    Ok(format!("[\n{}\n]\n", lines?.join(",\n")))
}
