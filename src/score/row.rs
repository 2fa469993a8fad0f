//! One measured run: which scenario it was, and what was measured.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{oracle, published, record, unsloth};
use crate::scenario::Scenario;

/// Why a row is not scored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, thiserror::Error)]
#[serde(transparent)]
#[error("{0}")]
pub struct Refusal(pub String);

/// Did the run get through on its card?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasuredVerdict {
    /// It ran.
    Fits,
    /// It ended out of memory.
    Exceeds,
}

/// What was measured of a run, in bytes; absent what the row does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// `torch.cuda.max_memory_allocated`.
    pub allocated: Option<u64>,
    /// `torch.cuda.max_memory_reserved`.
    pub reserved: Option<u64>,
    /// The smallest device memory for the allocator with which the run got through.
    pub least_capacity: Option<u64>,
    /// Memory of the whole process, as `nvidia-smi` shows it.
    pub process: Option<u64>,
    /// Did it get through?
    pub verdict: Option<MeasuredVerdict>,
}

impl Measured {
    /// Is there nothing to compare with?
    pub fn is_empty(&self) -> bool {
        *self == Measured::default()
    }
}

/// Where a row's figures come from, as far as that bears on the score.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Who measured; rows of one source share a program. Without one it is the file.
    pub source: Option<String>,
    /// A field of the scenario that the source does not state, and what was assumed.
    pub assumed: Option<String>,
    /// Half of the step in which figures are rounded, bytes: an error below it is none.
    pub rounding: u64,
}

/// One measured run.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The row's name.
    pub id: String,
    /// Where its figures come from.
    pub origin: Origin,
    /// The model's name, as the row gives it.
    pub model: Option<String>,
    /// The run, or why it cannot be expressed.
    pub scenario: Result<Scenario, Refusal>,
    /// What was measured.
    pub measured: Measured,
}

/// A reader of one kind of row: nothing when the fields are not those of its kind.
type Kind = fn(&Map<String, Value>) -> Option<Row>;

/// Every kind of row; the first that recognises the fields reads the row.
pub const KINDS: &[Kind] = &[unsloth::read, oracle::read, published::read, record::read];

/// A line that is no row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct LineError {
    /// The file, as it was named.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.problem)
    }
}

/// Reads a file of rows, one JSON object a line. Empty lines are skipped; a line that is no JSON object or not UTF-8 is
/// an error beside the rows of the other lines.
pub fn read(file: &str, text: &[u8]) -> (Vec<Row>, Vec<LineError>) {
    let (mut rows, mut errors) = (Vec::new(), Vec::new());
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        match read_line(line, number) {
            Ok(row) => rows.extend(row),
            Err(problem) => errors.push(LineError {
                file: file.into(),
                line: number,
                problem,
            }),
        }
    }
    (rows, errors)
}

fn read_line(line: &[u8], number: usize) -> Result<Option<Row>, String> {
    let line = std::str::from_utf8(line).map_err(|_| "not UTF-8".to_string())?;
    let line = line.trim_start_matches('\u{feff}').trim();
    if line.is_empty() {
        return Ok(None);
    }
    let value: Value = serde_json::from_str(line).map_err(|e| format!("not JSON: {}", without_line(&e)))?;
    let Value::Object(fields) = value else {
        return Err("not a JSON object".into());
    };
    let mut row = KINDS
        .iter()
        .find_map(|kind| kind(&fields))
        .unwrap_or_else(|| unknown(&fields));
    if row.id.is_empty() {
        row.id = format!("line-{number}");
    }
    Ok(Some(row))
}

/// serde_json counts every line of a JSON Lines file as the first: keep the column only.
fn without_line(error: &serde_json::Error) -> String {
    error.to_string().replace("at line 1 column", "at column")
}

fn unknown(fields: &Map<String, Value>) -> Row {
    Row {
        id: id(fields),
        origin: Origin::default(),
        model: None,
        scenario: Err(Refusal("not a kind of row that is known here".into())),
        measured: Measured::default(),
    }
}

/// The row's own name, or an empty one.
pub(super) fn id(fields: &Map<String, Value>) -> String {
    fields
        .get("id")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .into()
}

/// A measured number of bytes: absent when missing, null or zero.
pub(super) fn bytes(fields: &Map<String, Value>, name: &str) -> Option<u64> {
    fields
        .get(name)
        .and_then(Value::as_u64)
        .filter(|bytes| *bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_row_is_an_error_that_names_file_and_line_and_the_others_are_read() {
        let text = b"{\"id\": \"a\"}\n\n{oops\n[1]\n\xff\xfe\n{\"id\": \"b\"}";
        let (rows, errors) = read("runs.jsonl", text);
        let ids: Vec<_> = rows.iter().map(|r| r.id.as_str()).collect();
        assert_eq!(ids, ["a", "b"]);
        let messages: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            messages,
            [
                "runs.jsonl:3: not JSON: key must be a string at column 2",
                "runs.jsonl:4: not a JSON object",
                "runs.jsonl:5: not UTF-8",
            ]
        );
    }

    #[test]
    fn a_row_of_no_known_kind_is_refused_and_a_row_without_a_name_gets_its_line_number() {
        let (rows, errors) = read("runs.jsonl", b"{\"colour\": \"blue\"}");
        assert_eq!(errors, []);
        assert_eq!(rows[0].id, "line-1");
        assert_eq!(
            rows[0].scenario,
            Err(Refusal("not a kind of row that is known here".into()))
        );
    }

    #[test]
    fn windows_line_ends_and_a_byte_order_mark_are_no_errors() {
        let (rows, errors) = read(
            "runs.jsonl",
            b"\xef\xbb\xbf{\"id\": \"a\"}\r\n\r\n{\"id\": \"b\"}\r\n",
        );
        assert_eq!((rows.len(), errors.len()), (2, 0));
    }
}
