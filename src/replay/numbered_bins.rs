//! Free blocks of up to 2 MiB: sizes are multiples of 512 bytes, so each has a number, and a bit says whether there is a
//! block of it.

use super::free_list::{Bin, Entry, put, take_out};
use super::segment::MIN_BLOCK;
use crate::bytes::MIB;

/// The largest size that has a number.
pub(super) const MOST_NUMBERED: u64 = 2 * MIB;
/// Words of bits; as many as a word has bits.
const WORDS: usize = (MOST_NUMBERED / MIN_BLOCK / 64) as usize;

/// The bins, by the number of their size.
#[derive(Clone, Debug, Default)]
pub(super) struct NumberedBins {
    /// Which sizes have blocks, 64 to a word; no word before the first block.
    filled: Vec<u64>,
    /// Which of these words are not zero.
    words: u64,
    /// The bin of each size, counted from 1; 0: there has been no block of it.
    bin_of: Vec<u16>,
    bins: Vec<Bin>,
}

/// The number of a size, from 0.
fn number(size: u64) -> usize {
    (size / MIN_BLOCK).saturating_sub(1) as usize
}

impl NumberedBins {
    /// Adds a block.
    pub fn insert(&mut self, size: u64, entry: Entry) {
        if self.filled.is_empty() {
            self.filled = vec![0; WORDS];
            self.bin_of = vec![0; WORDS * 64];
        }
        let at = number(size);
        if self.bin_of[at] == 0 {
            self.bins.push(Bin::new());
            self.bin_of[at] = self.bins.len() as u16;
        }
        put(&mut self.bins[usize::from(self.bin_of[at]) - 1], entry);
        self.filled[at / 64] |= 1 << (at % 64);
        self.words |= 1 << (at / 64);
    }

    /// Removes a block.
    pub fn remove(&mut self, size: u64, address: u64) {
        let at = number(size);
        if let Some(bin) = self.bin(at)
            && take_out(bin, address)
            && bin.is_empty()
        {
            self.emptied(at);
        }
    }

    /// Takes the block that fits best.
    pub fn take(&mut self, size: u64) -> Option<u32> {
        let at = self.next_filled(number(size))?;
        let bin = self.bin(at)?;
        let (_, index) = bin.pop()?;
        if bin.is_empty() {
            self.emptied(at);
        }
        Some(index)
    }

    /// The blocks of at least this size, the best fit first.
    pub fn at_least(&self, size: u64) -> impl Iterator<Item = u32> {
        let first = self.next_filled(number(size));
        let filled = std::iter::successors(first, |&at| self.next_filled(at + 1));
        let bin = |at: usize| self.bins.get(usize::from(self.bin_of[at]).wrapping_sub(1));
        filled
            .filter_map(bin)
            .flat_map(|bin| bin.iter().rev().map(|entry| entry.1))
    }

    /// Keeps the blocks for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(u32) -> bool) {
        let mut next = self.next_filled(0);
        while let Some(at) = next {
            if let Some(bin) = self.bin(at) {
                bin.retain(|&(_, index)| keep(index));
                if bin.is_empty() {
                    self.emptied(at);
                }
            }
            next = self.next_filled(at + 1);
        }
    }

    fn bin(&mut self, at: usize) -> Option<&mut Bin> {
        let bin = usize::from(*self.bin_of.get(at)?);
        self.bins.get_mut(bin.wrapping_sub(1))
    }

    fn emptied(&mut self, at: usize) {
        self.filled[at / 64] &= !(1 << (at % 64));
        if self.filled[at / 64] == 0 {
            self.words &= !(1 << (at / 64));
        }
    }

    /// The first size from this number on that has blocks.
    fn next_filled(&self, from: usize) -> Option<usize> {
        let word = from / 64;
        let bits = self.filled.get(word)? & (u64::MAX << (from % 64));
        if bits != 0 {
            return Some(word * 64 + bits.trailing_zeros() as usize);
        }
        let above = self
            .words
            .checked_shr(word as u32 + 1)
            .filter(|&words| words != 0)?;
        let word = word + 1 + above.trailing_zeros() as usize;
        Some(word * 64 + self.filled[word].trailing_zeros() as usize)
    }
}
