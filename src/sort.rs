//! Sorting of short lists, small enough to be in the page once for each kind of list; the standard library's sort is made
//! for long ones and weighs some kilobytes a kind.

use std::cmp::Ordering;

/// Sorts, equal items in the order in which they stand: each is put behind the last that does not come after it.
pub(crate) fn sort_by<T>(items: &mut [T], mut compare: impl FnMut(&T, &T) -> Ordering) {
    for end in 1..items.len() {
        let (sorted, rest) = items.split_at(end);
        let place = sorted.partition_point(|item| compare(item, &rest[0]) != Ordering::Greater);
        for at in (place..end).rev() {
            items.swap(at, at + 1);
        }
    }
}

/// [`sort_by`] the order of a key.
pub(crate) fn sort_by_key<T, K: Ord>(items: &mut [T], mut key: impl FnMut(&T) -> K) {
    sort_by(items, |a, b| key(a).cmp(&key(b)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lists_come_out_as_from_the_standard_library(list in prop::collection::vec((0u8..9, 0u8..9), 0..60)) {
            let (mut ours, mut theirs) = (list.clone(), list);
            sort_by_key(&mut ours, |item| item.0);
            theirs.sort_by_key(|item| item.0);
            prop_assert_eq!(ours, theirs);
        }
    }
}
