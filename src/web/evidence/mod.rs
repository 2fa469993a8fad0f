//! How good the estimates are, by measured runs; a test keeps the numbers true.

use crate::catalog::{Row, elements};
pub use crate::score::{Errors, Group};
use serde_json::Value;
use std::sync::OnceLock;

/// The groups of measured runs.
pub fn groups() -> &'static [Group] {
    static GROUPS: OnceLock<Vec<Group>> = OnceLock::new();
    // A test parses the file; unreadable data would be an empty list, not a panic.
    GROUPS.get_or_init(|| elements(ACCURACY).into_iter().map(group).collect())
}

const ACCURACY: &str = include_str!("accuracy.json");

fn group(row: Value) -> Group {
    let mut row = Row::from(row);
    let whole = |value: &Value, place: usize| value.get(place).and_then(Value::as_u64).unwrap_or_default();
    let refused = |value: Value| {
        let reason = value.get(0).and_then(Value::as_str).unwrap_or_default();
        (reason.to_owned(), whole(&value, 1) as usize)
    };
    let errors = |mut row: Row| Errors {
        quantity: row.text("quantity"),
        runs: row.whole("runs") as usize,
        mean: row.number("mean"),
        median: row.number("median"),
        worst: row.number("worst"),
        within_half: row.number("within_half"),
    };
    Group {
        name: row.text("name"),
        stack: row.text("stack"),
        runs: row.whole("runs") as usize,
        refused: row.list("refused").into_iter().map(refused).collect(),
        errors: row.rows("errors").into_iter().map(errors).collect(),
        points: row
            .list("points")
            .iter()
            .map(|point| (whole(point, 0), whole(point, 1)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_numbers_are_read() {
        let read: Vec<super::Group> = serde_json::from_str(super::ACCURACY).unwrap();
        assert_eq!(super::groups(), read);
        assert!(super::groups().iter().any(|group| group.points.len() > 100));
    }
}
