//! Free blocks of a pool, found by best fit: the smallest size that is large enough, the lowest address among equals.

/// A free block: where it starts, and its index.
type Entry = (u64, u32);

/// Free blocks, in one bin a size. A run has few sizes and many blocks of each, and comes back to the same sizes, so bins
/// stay when they become empty; a bit a bin says which are not.
#[derive(Clone, Debug, Default)]
pub(super) struct FreeList {
    /// Sizes, ascending.
    sizes: Vec<u64>,
    /// Which bins hold blocks, 64 to a word.
    filled: Vec<u64>,
    /// Blocks of each size by address, descending: the lowest is taken from the end.
    bins: Vec<Vec<Entry>>,
    /// Bins without blocks.
    empty: usize,
}

/// Empty bins that are kept whatever the number of bins.
const SPARE_BINS: usize = 256;

impl FreeList {
    /// Adds a block.
    pub fn insert(&mut self, size: u64, address: u64, index: u32) {
        let mut at = self.sizes.partition_point(|&s| s < size);
        if self.sizes.get(at) != Some(&size) {
            at = self.open(at, size);
        }
        let bin = &mut self.bins[at];
        if bin.is_empty() {
            self.filled[at / 64] |= 1 << (at % 64);
            self.empty -= 1;
        }
        if bin.last().is_none_or(|entry| entry.0 > address) {
            bin.push((address, index));
        } else {
            let place = bin.partition_point(|entry| entry.0 > address);
            bin.insert(place, (address, index));
        }
    }

    /// Removes a block.
    pub fn remove(&mut self, size: u64, address: u64) {
        if let Ok(at) = self.sizes.binary_search(&size) {
            let bin = &mut self.bins[at];
            let place = bin.partition_point(|entry| entry.0 > address);
            if bin.get(place).is_some_and(|entry| entry.0 == address) {
                bin.remove(place);
                if bin.is_empty() {
                    self.emptied(at);
                }
            }
        }
    }

    /// Takes the block that fits best.
    pub fn take(&mut self, size: u64) -> Option<u32> {
        let at = self.next_filled(self.sizes.partition_point(|&s| s < size))?;
        let bin = self.bins.get_mut(at)?;
        let (_, index) = bin.pop()?;
        if bin.is_empty() {
            self.emptied(at);
        }
        Some(index)
    }

    /// The blocks of at least this size, the best fit first.
    pub fn at_least(&self, size: u64) -> impl Iterator<Item = u32> {
        let from = self.sizes.partition_point(|&s| s < size);
        let filled = std::iter::successors(self.next_filled(from), |&at| self.next_filled(at + 1));
        filled
            .filter_map(|at| self.bins.get(at))
            .flat_map(|bin| bin.iter().rev().map(|entry| entry.1))
    }

    /// Keeps the blocks for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(u32) -> bool) {
        for bin in &mut self.bins {
            bin.retain(|&(_, index)| keep(index));
        }
        self.drop_empty_bins();
    }

    /// The first bin from this one on that holds blocks.
    fn next_filled(&self, from: usize) -> Option<usize> {
        let mut word = from / 64;
        let mut bits = self.filled.get(word)? & (u64::MAX << (from % 64));
        while bits == 0 {
            word += 1;
            bits = *self.filled.get(word)?;
        }
        Some(word * 64 + bits.trailing_zeros() as usize)
    }

    fn emptied(&mut self, at: usize) {
        self.filled[at / 64] &= !(1 << (at % 64));
        self.empty += 1;
    }

    /// Puts in an empty bin for a new size; returns where it is.
    fn open(&mut self, mut at: usize, size: u64) -> usize {
        if self.empty > SPARE_BINS && self.empty * 2 > self.bins.len() {
            self.drop_empty_bins();
            at = self.sizes.partition_point(|&s| s < size);
        }
        self.sizes.insert(at, size);
        self.bins.insert(at, Vec::new());
        self.empty += 1;
        if self.bins.len() > self.filled.len() * 64 {
            self.filled.push(0);
        }
        // The bits from `at` on move up by one.
        let below = (1u64 << (at % 64)) - 1;
        let first = self.filled[at / 64];
        let mut carry = first >> 63;
        self.filled[at / 64] = (first & below) | ((first & !below) << 1);
        for word in &mut self.filled[at / 64 + 1..] {
            (*word, carry) = (*word << 1 | carry, *word >> 63);
        }
        at
    }

    fn drop_empty_bins(&mut self) {
        let mut bins = self.bins.iter();
        self.sizes
            .retain(|_| bins.next().is_some_and(|bin| !bin.is_empty()));
        self.bins.retain(|bin| !bin.is_empty());
        self.empty = 0;
        self.filled.clear();
        self.filled.resize(self.bins.len().div_ceil(64), 0);
        for at in 0..self.bins.len() {
            self.filled[at / 64] |= 1 << (at % 64);
        }
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
            prop_assert!(list.at_least(0).eq(set.iter().map(|entry| entry.2)));
        }
    }
}
