//! Where the keys lead in a list.

/// Entries by which Page Up and Page Down move.
const PAGE: usize = 8;

/// The place in a list of `len` entries to which a key leads from `here`; from nowhere, arrows lead to what is
/// `chosen`, or to an end of the list. Nothing for other keys and for an empty list.
pub fn lead(key: &str, here: Option<usize>, chosen: Option<usize>, len: usize) -> Option<usize> {
    let last = len.checked_sub(1)?;
    Some(match (key, here) {
        ("ArrowDown", None) => chosen.unwrap_or(0),
        ("ArrowUp", None) => chosen.unwrap_or(last),
        ("ArrowDown", Some(here)) if here >= last => 0,
        ("ArrowDown", Some(here)) => here + 1,
        ("ArrowUp", Some(here)) => here.checked_sub(1).unwrap_or(last),
        ("PageDown", here) => (here.unwrap_or(0) + PAGE).min(last),
        ("PageUp", here) => here.unwrap_or(0).saturating_sub(PAGE),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_go_round() {
        assert_eq!(lead("ArrowDown", Some(2), None, 3), Some(0));
        assert_eq!(lead("ArrowUp", Some(0), None, 3), Some(2));
        assert_eq!(lead("ArrowDown", Some(0), None, 3), Some(1));
    }

    #[test]
    fn arrows_start_at_what_is_chosen() {
        assert_eq!(lead("ArrowDown", None, Some(1), 3), Some(1));
        assert_eq!(lead("ArrowUp", None, None, 3), Some(2));
    }

    #[test]
    fn pages_stop_at_the_ends() {
        assert_eq!(lead("PageDown", Some(1), None, 5), Some(4));
        assert_eq!(lead("PageUp", Some(1), None, 5), Some(0));
    }

    #[test]
    fn an_empty_list_and_other_keys_lead_nowhere() {
        assert_eq!(lead("ArrowDown", None, None, 0), None);
        assert_eq!(lead("a", Some(0), None, 5), None);
    }
}
