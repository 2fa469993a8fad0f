//! Free blocks of a pool, found by best fit: the smallest size that is large enough, the lowest address among equals.

use super::numbered_bins::{MOST_NUMBERED, NumberedBins};
use super::sorted_bins::SortedBins;

/// A free block: where it starts, and its index.
pub(super) type Entry = (u64, u32);

/// Blocks of one size by address, descending: the lowest is taken from the end.
pub(super) type Bin = Vec<Entry>;

/// Puts a block into its bin.
pub(super) fn put(bin: &mut Bin, entry: Entry) {
    if bin.last().is_none_or(|last| last.0 > entry.0) {
        bin.push(entry);
    } else {
        let place = bin.partition_point(|other| other.0 > entry.0);
        bin.insert(place, entry);
    }
}

/// Takes the block at an address out of its bin. Was it there?
pub(super) fn take_out(bin: &mut Bin, address: u64) -> bool {
    let place = bin.partition_point(|entry| entry.0 > address);
    let found = bin.get(place).is_some_and(|entry| entry.0 == address);
    if found {
        bin.remove(place);
    }
    found
}

/// The free blocks of a pool. Their sizes are multiples of 512 bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct FreeList {
    /// Blocks of up to 2 MiB: their sizes have numbers.
    small: NumberedBins,
    /// Larger ones.
    large: SortedBins,
}

impl FreeList {
    /// Adds a block.
    pub fn insert(&mut self, size: u64, address: u64, index: u32) {
        if size <= MOST_NUMBERED {
            self.small.insert(size, (address, index));
        } else {
            self.large.insert(size, address, index);
        }
    }

    /// Removes a block.
    pub fn remove(&mut self, size: u64, address: u64) {
        if size <= MOST_NUMBERED {
            self.small.remove(size, address);
        } else {
            self.large.remove(size, address);
        }
    }

    /// Takes the block that fits best.
    pub fn take(&mut self, size: u64) -> Option<u32> {
        self.small.take(size).or_else(|| self.large.take(size))
    }

    /// The blocks of at least this size, the best fit first.
    pub fn at_least(&self, size: u64) -> impl Iterator<Item = u32> {
        self.small.at_least(size).chain(self.large.at_least(size))
    }

    /// Keeps the blocks for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(u32) -> bool) {
        self.small.retain(&mut keep);
        self.large.retain(&mut keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn the_list_answers_as_an_ordered_set_would(
            steps in prop::collection::vec((0..4u8, 1..600u64), 1..2000)
        ) {
            let (mut list, mut set) = (FreeList::default(), BTreeSet::new());
            for (number, (step, size)) in steps.into_iter().enumerate() {
                // Up to 2 MiB and above.
                let size = size * 13 * 512;
                let address = (number as u64).wrapping_mul(0x9e37_79b9) % 65_536 * 65_536 + number as u64;
                match step {
                    0 | 1 => {
                        list.insert(size, address, number as u32);
                        set.insert((size, address, number as u32));
                    }
                    2 => {
                        let first = set.range((size, 0, 0)..).next().copied();
                        prop_assert_eq!(list.at_least(size).next(), first.map(|entry| entry.2));
                        prop_assert_eq!(list.take(size), first.map(|entry| entry.2));
                        first.map(|entry| set.remove(&entry));
                    }
                    _ => if let Some(&entry) = set.range((size, 0, 0)..).last() {
                        list.remove(entry.0, entry.1);
                        set.remove(&entry);
                    }
                }
                if number % 500 == 499 {
                    list.retain(|index| index % 3 == 0);
                    set.retain(|entry| entry.2 % 3 == 0);
                }
            }
            prop_assert!(list.at_least(512).eq(set.iter().map(|entry| entry.2)));
        }
    }
}
