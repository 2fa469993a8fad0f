//! Where the rows of a catalog are kept: read from the program itself, or supplied at run time by one that is built
//! without the feature `catalogs`.

use super::row::elements;
use crate::json;
use serde_json::Value;
use std::sync::OnceLock;

/// The text of a data file; empty in a program that is supplied with it.
macro_rules! embedded {
    ($file:literal) => {
        match cfg!(feature = "catalogs") {
            true => include_str!($file),
            false => "",
        }
    };
}
pub(super) use embedded;

/// The rows of one catalog, read once.
pub(super) struct Shelf<T> {
    rows: OnceLock<Vec<T>>,
    /// Reads a row that is known to be sound.
    read: fn(Value) -> T,
}

impl<T> Shelf<T> {
    pub const fn new(read: fn(Value) -> T) -> Self {
        let rows = OnceLock::new();
        Shelf { rows, read }
    }

    /// The rows, read from `embedded` when they are first asked for. Without any text they are none until supplied.
    pub fn rows(&self, embedded: &str) -> &[T] {
        if embedded.is_empty() {
            return self.rows.get().map_or(&[], Vec::as_slice);
        }
        // A test parses each file; unreadable data would be an empty catalog, not a panic.
        self.rows
            .get_or_init(|| elements(embedded).into_iter().map(self.read).collect())
    }

    /// Keeps the rows of this text, unless there are some.
    ///
    /// # Errors
    /// The text is no JSON array.
    pub fn supply(&self, text: &str) -> Result<(), &'static str> {
        let Some(Value::Array(values)) = json::read(text) else {
            return Err("expected a JSON array");
        };
        let _ = self.rows.set(values.into_iter().map(self.read).collect());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers() -> Shelf<u64> {
        Shelf::new(|row| row.as_u64().unwrap_or_default())
    }

    #[test]
    fn rows_are_supplied_once_where_none_are_embedded() {
        let shelf = numbers();
        assert!(shelf.rows("").is_empty());
        assert!(shelf.supply("[1, 'two']").is_err());
        shelf.supply("[1, 2]").unwrap();
        shelf.supply("[3]").unwrap();
        assert_eq!(shelf.rows(""), [1, 2]);
    }

    #[test]
    fn embedded_rows_are_read_when_they_are_asked_for() {
        assert_eq!(numbers().rows("[1, 2]"), [1, 2]);
        assert!(numbers().rows("[1, 2").is_empty());
    }
}
