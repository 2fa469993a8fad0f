//! Free blocks of any size, in one bin a size. A run has few sizes and many blocks of each, and comes back to the same
//! sizes, so bins stay when they become empty; a bit a bin says which are not.

use super::free_list::{Bin, put, take_out};

/// The bins, in the order of their sizes.
#[derive(Clone, Debug, Default)]
pub(super) struct SortedBins {
    /// Sizes, ascending.
    sizes: Vec<u64>,
    /// Which bins hold blocks, 64 to a word.
    filled: Vec<u64>,
    /// Blocks of each size by address, descending: the lowest is taken from the end.
    bins: Vec<Bin>,
    /// Bins without blocks.
    empty: usize,
    /// Where sizes were when last looked for, by a hash of the size.
    hints: Vec<u32>,
}

/// How many places are remembered; a power of two.
const HINTS: usize = 256;

/// Empty bins that are kept whatever the number of bins.
const SPARE_BINS: usize = 256;

impl SortedBins {
    /// Adds a block.
    pub fn insert(&mut self, size: u64, address: u64, index: u32) {
        let mut at = self.place(size);
        if self.sizes.get(at) != Some(&size) {
            at = self.open(at, size);
        }
        let bin = &mut self.bins[at];
        if bin.is_empty() {
            self.filled[at / 64] |= 1 << (at % 64);
            self.empty -= 1;
        }
        put(bin, (address, index));
    }

    /// Removes a block.
    pub fn remove(&mut self, size: u64, address: u64) {
        let at = self.place(size);
        if let Some(bin) = self.bins.get_mut(at).filter(|_| self.sizes[at] == size)
            && take_out(bin, address)
            && bin.is_empty()
        {
            self.emptied(at);
        }
    }

    /// Takes the block that fits best.
    pub fn take(&mut self, size: u64) -> Option<u32> {
        let from = self.place(size);
        let at = self.next_filled(from)?;
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

    /// Where a size is, or would be.
    fn place(&mut self, size: u64) -> usize {
        // The upper half of the product mixes all bits.
        let hash = (size.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize % HINTS;
        if let Some(&hint) = self.hints.get(hash)
            && self.sizes.get(hint as usize) == Some(&size)
        {
            return hint as usize;
        }
        let at = self.sizes.partition_point(|&s| s < size);
        self.hints.resize(HINTS, 0);
        self.hints[hash] = at as u32;
        at
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
        self.bins.insert(at, Bin::new());
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
