//! Where the rows of a catalog are kept: read from the program itself, or supplied at run time by one that is built
//! without the feature `catalogs`.

use serde::de::DeserializeOwned;
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
pub(super) struct Shelf<T>(OnceLock<Vec<T>>);

impl<T: DeserializeOwned> Shelf<T> {
    pub const fn new() -> Self {
        Shelf(OnceLock::new())
    }

    /// The rows, read from `embedded` when they are first asked for. Without any text they are none until supplied.
    pub fn rows(&self, embedded: &str) -> &[T] {
        if embedded.is_empty() {
            return self.0.get().map_or(&[], Vec::as_slice);
        }
        // A test parses each file; unreadable data would be an empty catalog, not a panic.
        self.0
            .get_or_init(|| serde_json::from_str(embedded).unwrap_or_default())
    }

    /// Keeps the rows of this text, unless there are some.
    ///
    /// # Errors
    /// The text does not hold such rows.
    pub fn supply(&self, json: &str) -> serde_json::Result<()> {
        let _ = self.0.set(serde_json::from_str(json)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_supplied_once_where_none_are_embedded() {
        let shelf = Shelf::<u8>::new();
        assert!(shelf.rows("").is_empty());
        assert!(shelf.supply("[1, 'two']").is_err());
        shelf.supply("[1, 2]").unwrap();
        shelf.supply("[3]").unwrap();
        assert_eq!(shelf.rows(""), [1, 2]);
    }

    #[test]
    fn embedded_rows_are_read_when_they_are_asked_for() {
        assert_eq!(Shelf::<u8>::new().rows("[1, 2]"), [1, 2]);
        assert!(Shelf::<u8>::new().rows("[1, 2").is_empty());
    }
}
