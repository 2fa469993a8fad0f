//! How good the estimates are, by measured runs; a test keeps the numbers true.

pub use crate::score::{Errors, Group};
use std::sync::OnceLock;

/// The groups of measured runs.
pub fn groups() -> &'static [Group] {
    static GROUPS: OnceLock<Vec<Group>> = OnceLock::new();
    // A test parses the file; unreadable data would be an empty list, not a panic.
    GROUPS.get_or_init(|| serde_json::from_str(include_str!("accuracy.json")).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_numbers_are_read() {
        assert!(super::groups().iter().any(|group| group.points.len() > 100));
    }
}
