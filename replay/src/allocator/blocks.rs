//! The blocks of a caching allocator's two pools: neighbours in memory, and free ones found by best fit, the smallest size
//! that is large enough, the lowest address among equals.

use crate::segment::MIN_BLOCK;

/// No block.
pub(crate) const NONE: u32 = u32::MAX;

/// A stretch of addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub address: u64,
    pub size: u64,
    /// The blocks beside it.
    pub previous: u32,
    pub next: u32,
    /// The blocks before and behind it on its shelf.
    before: u32,
    behind: u32,
    /// The pool it is of.
    pub pool: u8,
    pub used: bool,
    /// Is there memory behind these addresses?
    pub mapped: bool,
}

/// Sizes between a power of two and the next fall into two to this power of shelves.
const DIVIDED: u32 = 4;
/// Shelves; a few more than there are sizes for.
const SHELVES: usize = 1024;

/// Free blocks of a pool: those of nearly one size stand on one shelf.
#[derive(Clone, Debug)]
struct Shelves {
    /// The first and the last block of each shelf, by size and address.
    ends: [(u32, u32); SHELVES],
    /// Which shelves are not empty, 64 to a word.
    filled: [u64; SHELVES / 64],
}

/// All blocks of an allocator.
#[derive(Debug)]
pub(crate) struct Blocks {
    blocks: Vec<Block>,
    spare: Vec<u32>,
    pools: Box<[Shelves; 2]>,
}

impl std::ops::Index<u32> for Blocks {
    type Output = Block;

    #[inline]
    fn index(&self, index: u32) -> &Block {
        &self.blocks[index as usize]
    }
}

impl std::ops::IndexMut<u32> for Blocks {
    #[inline]
    fn index_mut(&mut self, index: u32) -> &mut Block {
        &mut self.blocks[index as usize]
    }
}

impl Clone for Blocks {
    fn clone(&self) -> Self {
        Blocks {
            blocks: self.blocks.clone(),
            spare: self.spare.clone(),
            pools: self.pools.clone(),
        }
    }

    /// As `clone`, into the memory that is there.
    fn clone_from(&mut self, other: &Self) {
        self.blocks.clone_from(&other.blocks);
        self.spare.clone_from(&other.spare);
        self.pools.clone_from(&other.pools);
    }
}

impl Default for Blocks {
    fn default() -> Self {
        let empty = Shelves {
            ends: [(NONE, NONE); SHELVES],
            filled: [0; SHELVES / 64],
        };
        Blocks {
            blocks: Vec::new(),
            spare: Vec::new(),
            pools: Box::new([empty.clone(), empty]),
        }
    }
}

/// The shelf of a size; larger sizes stand on the same or on a later one.
#[inline]
fn shelf(size: u64) -> usize {
    let units = size / MIN_BLOCK;
    let top = 63 - (units | 1).leading_zeros();
    let beyond = top.saturating_sub(DIVIDED);
    ((u64::from(beyond) << DIVIDED) + (units >> beyond)) as usize % SHELVES
}

impl Shelves {
    /// The first shelf from this one on that is not empty.
    #[inline]
    fn next_filled(&self, from: usize) -> Option<usize> {
        let mut word = from / 64;
        let mut bits = self.filled.get(word)? & (u64::MAX << (from % 64));
        while bits == 0 {
            word += 1;
            bits = *self.filled.get(word)?;
        }
        Some((word * 64 + bits.trailing_zeros() as usize) % SHELVES)
    }
}

impl Blocks {
    /// The block of this index, if there is one.
    pub fn get(&self, index: u32) -> Option<&Block> {
        self.blocks.get(index as usize)
    }

    /// A new block, kept on no shelf.
    #[inline(always)]
    pub fn push(&mut self, block: Block) -> u32 {
        match self.spare.pop() {
            Some(index) => {
                self[index] = block;
                index
            }
            None => {
                self.blocks.push(block);
                self.blocks.len() as u32 - 1
            }
        }
    }

    /// A block without neighbours.
    pub fn alone(pool: u8, address: u64, size: u64, mapped: bool) -> Block {
        Block {
            address,
            size,
            previous: NONE,
            next: NONE,
            before: NONE,
            behind: NONE,
            pool,
            used: false,
            mapped,
        }
    }

    /// A block that is no more.
    pub fn drop(&mut self, index: u32) {
        self.spare.push(index);
    }

    /// Puts a free block on its shelf.
    #[inline(always)]
    pub fn keep(&mut self, index: u32) {
        let Block { size, pool, .. } = self[index];
        let at = shelf(size);
        let shelves = &mut self.pools[usize::from(pool) & 1];
        let (first, last) = shelves.ends[at];
        if first == NONE {
            shelves.filled[at / 64] |= 1 << (at % 64);
            shelves.ends[at] = (index, index);
            let block = &mut self[index];
            (block.before, block.behind) = (NONE, NONE);
            return;
        }
        self.put_between(index, at, first, last);
    }

    /// Puts a block on a shelf that is not empty.
    fn put_between(&mut self, index: u32, at: usize, first: u32, last: u32) {
        let Block {
            size, address, pool, ..
        } = self[index];
        let comes_first = |other: &Block| (other.size, other.address) < (size, address);
        let (before, behind) = if comes_first(&self[last]) {
            (last, NONE)
        } else {
            let mut behind = first;
            while comes_first(&self[behind]) {
                behind = self[behind].behind;
            }
            (self[behind].before, behind)
        };
        let block = &mut self[index];
        (block.before, block.behind) = (before, behind);
        let ends = &mut self.pools[usize::from(pool) & 1].ends[at];
        if before == NONE {
            ends.0 = index;
        }
        if behind == NONE {
            ends.1 = index;
        }
        if before != NONE {
            self[before].behind = index;
        }
        if behind != NONE {
            self[behind].before = index;
        }
    }

    /// Takes a free block off its shelf.
    #[inline(always)]
    pub fn unkeep(&mut self, index: u32) {
        let Block {
            size,
            pool,
            before,
            behind,
            ..
        } = self[index];
        let at = shelf(size);
        let shelves = &mut self.pools[usize::from(pool) & 1];
        if before == NONE && behind == NONE {
            shelves.ends[at] = (NONE, NONE);
            shelves.filled[at / 64] &= !(1 << (at % 64));
            return;
        }
        if before == NONE {
            shelves.ends[at].0 = behind;
        }
        if behind == NONE {
            shelves.ends[at].1 = before;
        }
        if before != NONE {
            self[before].behind = behind;
        }
        if behind != NONE {
            self[behind].before = before;
        }
    }

    /// The free block that fits best.
    #[inline(always)]
    pub fn best(&self, pool: u8, size: u64) -> Option<u32> {
        let shelves = &self.pools[usize::from(pool) & 1];
        let at = shelf(size);
        // On its own shelf some blocks may be smaller.
        let mut index = shelves.ends[at].0;
        while let Some(block) = self.blocks.get(index as usize) {
            if block.size >= size {
                return Some(index);
            }
            index = block.behind;
        }
        let at = shelves.next_filled(at + 1)?;
        Some(shelves.ends[at].0)
    }

    /// The free block that fits best after this one.
    pub fn next_best(&self, index: u32) -> Option<u32> {
        let block = &self[index];
        if block.behind != NONE {
            return Some(block.behind);
        }
        let shelves = &self.pools[usize::from(block.pool) & 1];
        let at = shelves.next_filled(shelf(block.size) + 1)?;
        Some(shelves.ends[at].0)
    }

    /// The free blocks of a pool, the smallest first.
    pub fn free(&self, pool: u8) -> impl Iterator<Item = u32> {
        std::iter::successors(self.best(pool, 0), |&index| self.next_best(index))
    }

    /// Cuts a block that is on no shelf after `size` bytes; the rest is a free block of its own, on no shelf either.
    #[inline(always)]
    pub fn cut(&mut self, index: u32, size: u64) -> u32 {
        let block = &mut self[index];
        let rest = Block {
            address: block.address + size,
            size: block.size - size,
            previous: index,
            used: false,
            ..*block
        };
        block.size = size;
        let behind = block.next;
        let rest = self.push(rest);
        self[index].next = rest;
        if behind != NONE {
            self[behind].previous = rest;
        }
        rest
    }

    /// A block becomes part of the one before it. Neither is on a shelf.
    #[inline(always)]
    pub fn join(&mut self, first: u32, second: u32) {
        let Block { size, next, .. } = self[second];
        let block = &mut self[first];
        block.size += size;
        block.next = next;
        if next != NONE {
            self[next].previous = first;
        }
        self.spare.push(second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn larger_sizes_stand_on_the_same_or_a_later_shelf() {
        let near = |bit: u32| {
            let power = 1u64 << bit;
            [power - 1, power, power + 1, power + power / 2].map(|size| size / MIN_BLOCK)
        };
        let units: Vec<u64> = (1..5000).chain((23..64).flat_map(near)).collect();
        let shelves: Vec<usize> = units.iter().map(|units| shelf(units * MIN_BLOCK)).collect();
        assert!(shelves.windows(2).all(|two| two[0] <= two[1]));
        assert!(shelf(u64::MAX) < SHELVES);
    }

    proptest! {
        #[test]
        fn free_blocks_are_found_as_in_an_ordered_set(
            steps in prop::collection::vec((0..4u8, 1..600u64), 1..2000)
        ) {
            let (mut blocks, mut set) = (Blocks::default(), BTreeSet::new());
            for (number, (step, size)) in steps.into_iter().enumerate() {
                let size = size * 13 * 512;
                let address = (number as u64).wrapping_mul(0x9e37_79b9) % 65_536 * 65_536 + number as u64;
                match step {
                    0 | 1 => {
                        let index = blocks.push(Blocks::alone(1, address, size, true));
                        blocks.keep(index);
                        set.insert((size, address, index));
                    }
                    2 => {
                        let first = set.range((size, 0, 0)..).next().copied();
                        prop_assert_eq!(blocks.best(1, size), first.map(|entry| entry.2));
                        if let Some(entry) = first {
                            blocks.unkeep(entry.2);
                            blocks.drop(entry.2);
                            set.remove(&entry);
                        }
                    }
                    _ => if let Some(&entry) = set.range((size, 0, 0)..).last() {
                        blocks.unkeep(entry.2);
                        blocks.drop(entry.2);
                        set.remove(&entry);
                    }
                }
            }
            prop_assert!(blocks.free(1).eq(set.iter().map(|entry| entry.2)));
            prop_assert!(blocks.free(0).next().is_none());
        }
    }
}
