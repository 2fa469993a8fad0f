//! The caching allocator with `expandable_segments:True`, one stream
//! (`c10/cuda/CUDACachingAllocator.cpp: ExpandableSegment`, `try_allocate_expandable_block`, `map_block`, `unmap_block`).
//!
//! Each pool is one range of addresses whose pages (2 MiB in the small pool, 20 MiB in the large) are mapped on demand.
//! A request takes the smallest free block that is large enough, where a block before unmapped addresses counts with them;
//! else pages are mapped at the lowest unmapped addresses with room, behind a free block if there is one. Blocks are split
//! to the byte (512). Emptying the cache unmaps whole pages of free blocks.

use super::blocks::{Block, Blocks};
use super::caching::MIB;
use super::caching::OutOfMemory;
use super::limit::Limit;
use super::serving::Memory;
use crate::segment::{MIN_BLOCK, rounded};
use std::collections::BTreeMap;

const SMALL_REQUEST: u64 = MIB;
const SMALL_PAGE: u64 = 2 * MIB;
const LARGE_PAGE: u64 = 20 * MIB;
/// Addresses of a pool: more than any card has memory. A multiple of both pages.
const ADDRESSES: u64 = (1 << 40) * 5;

/// Bytes of a page of a pool.
const fn page(pool: u8) -> u64 {
    match pool {
        0 => SMALL_PAGE,
        _ => LARGE_PAGE,
    }
}

/// The allocator's state.
#[derive(Clone, Debug)]
pub struct Expandable {
    /// Blocks of the small pool, 0, and of the large pool, 1. On the shelves are those that are mapped.
    blocks: Blocks,
    /// Unmapped blocks of each pool by address.
    unmapped: [BTreeMap<u64, u32>; 2],
    limit: Limit,
    reserved: u64,
    allocated: u64,
    peak_reserved: u64,
    peak_allocated: u64,
}

impl Expandable {
    /// An allocator over a device with this much memory for it, unlimited with `None`.
    pub fn new(capacity: Option<u64>) -> Self {
        let mut allocator = Expandable {
            blocks: Blocks::default(),
            unmapped: Default::default(),
            limit: Limit::new(capacity),
            reserved: 0,
            allocated: 0,
            peak_reserved: 0,
            peak_allocated: 0,
        };
        for pool in [0, 1] {
            let whole = allocator.blocks.push(Blocks::alone(pool, 0, ADDRESSES, false));
            allocator.keep(whole);
        }
        allocator
    }

    fn keep(&mut self, index: u32) {
        let Block {
            mapped,
            pool,
            address,
            ..
        } = self.blocks[index];
        match mapped {
            true => self.blocks.keep(index),
            false => {
                self.unmapped[usize::from(pool)].insert(address, index);
            }
        }
    }

    fn unkeep(&mut self, index: u32) {
        let Block {
            mapped,
            pool,
            address,
            ..
        } = self.blocks[index];
        match mapped {
            true => self.blocks.unkeep(index),
            false => {
                self.unmapped[usize::from(pool)].remove(&address);
            }
        }
    }

    /// Joins a block that is kept nowhere with its free neighbours that are mapped or unmapped as it is; returns the whole.
    fn merge(&mut self, mut index: u32) -> u32 {
        let b = self.blocks[index];
        let joins = |o: &Block| !o.used && o.mapped == b.mapped;
        if self.blocks.get(b.next).is_some_and(joins) {
            self.unkeep(b.next);
            self.blocks.join(index, b.next);
        }
        if self.blocks.get(b.previous).is_some_and(joins) {
            self.unkeep(b.previous);
            self.blocks.join(b.previous, index);
            index = b.previous;
        }
        index
    }

    /// `get_free_block`: best fit, where a block counts with the unmapped addresses behind it.
    fn best(&self, pool: u8, size: u64) -> Option<u32> {
        let room = |index: u32| {
            let b = &self.blocks[index];
            match self.blocks.get(b.next) {
                Some(next) if !next.mapped => b.size + next.size,
                _ => b.size,
            }
        };
        let mut best = self.blocks.best(pool, size)?;
        while let Some(next) = self.blocks.next_best(best)
            && room(next) < room(best)
        {
            best = next;
        }
        Some(best)
    }

    /// `find_expandable_block`: the lowest unmapped addresses with room for `size`, or the free block before them.
    fn expandable(&self, pool: u8, size: u64) -> Option<u32> {
        let available = |index: u32| self.blocks.get(index).filter(|b| !b.used);
        self.unmapped[usize::from(pool)].values().find_map(|&unmapped| {
            let previous = self.blocks[unmapped].previous;
            let first = if available(previous).is_some() {
                previous
            } else {
                unmapped
            };
            let (mut bytes, mut at) = (0u64, first);
            while let Some(b) = available(at)
                && bytes < size
            {
                bytes += b.size;
                at = b.next;
            }
            (bytes >= size).then_some(first)
        })
    }

    /// `map_block`: maps whole pages from the start of an unmapped block; returns the block that they are part of then.
    fn map(&mut self, index: u32, size: u64) -> Result<u32, OutOfMemory> {
        let b = self.blocks[index];
        let page = page(b.pool);
        let mapped = size.div_ceil(page) * page;
        if !self.limit.holds(self.reserved.saturating_add(mapped)) {
            return Err(OutOfMemory);
        }
        self.unkeep(index);
        if mapped < b.size {
            let rest = self.blocks.cut(index, mapped);
            self.keep(rest);
        }
        self.blocks[index].mapped = true;
        let whole = self.merge(index);
        self.keep(whole);
        self.reserved += mapped;
        self.peak_reserved = self.peak_reserved.max(self.reserved);
        Ok(whole)
    }

    /// `try_allocate_expandable_block`.
    fn expand(&mut self, pool: u8, size: u64) -> Result<u32, OutOfMemory> {
        let mut index = self.expandable(pool, size).ok_or(OutOfMemory)?;
        let b = self.blocks[index];
        if !b.mapped {
            index = self.map(index, size.min(b.size))?;
        }
        loop {
            let b = self.blocks[index];
            if b.size >= size {
                return Ok(index);
            }
            let missing = size - b.size;
            let next = self.blocks.get(b.next).ok_or(OutOfMemory)?.size;
            index = self.map(b.next, missing.min(next))?;
        }
    }
}

impl Memory for Expandable {
    fn malloc(&mut self, bytes: u64) -> Result<u32, OutOfMemory> {
        let size = rounded(bytes.max(1));
        let pool = u8::from(size > SMALL_REQUEST);
        let index = match self.best(pool, size) {
            Some(index) => index,
            None => match self.expand(pool, size) {
                Ok(index) => index,
                Err(OutOfMemory) => {
                    self.empty_cache();
                    self.expand(pool, size)?
                }
            },
        };
        self.unkeep(index);
        if self.blocks[index].size - size >= MIN_BLOCK {
            let rest = self.blocks.cut(index, size);
            self.keep(rest);
        }
        let b = &mut self.blocks[index];
        b.used = true;
        self.allocated += b.size;
        self.peak_allocated = self.peak_allocated.max(self.allocated);
        Ok(index)
    }

    fn dealloc(&mut self, index: u32) {
        let b = &mut self.blocks[index];
        b.used = false;
        self.allocated -= b.size;
        let whole = self.merge(index);
        self.keep(whole);
    }

    fn empty_cache(&mut self) {
        for pool in [1, 0] {
            let free: Vec<u32> = self.blocks.free(pool).collect();
            for index in free {
                let (b, page) = (self.blocks[index], page(pool));
                let first = b.address.div_ceil(page) * page;
                let end = (b.address + b.size) / page * page;
                if first >= end {
                    continue;
                }
                self.unkeep(index);
                let mut whole = index;
                if first > b.address {
                    whole = self.blocks.cut(index, first - b.address);
                    self.keep(index);
                }
                if end < b.address + b.size {
                    let rest = self.blocks.cut(whole, end - first);
                    self.keep(rest);
                }
                self.blocks[whole].mapped = false;
                whole = self.merge(whole);
                self.keep(whole);
                self.reserved -= end - first;
            }
        }
    }

    fn size_of(&self, block: u32) -> u64 {
        self.blocks.get(block).map_or(0, |b| b.size)
    }

    fn limit(&mut self) -> &mut Limit {
        &mut self.limit
    }

    fn allocated(&self) -> u64 {
        self.allocated
    }

    fn reserved(&self) -> u64 {
        self.reserved
    }

    fn peaks(&self) -> (u64, u64) {
        (self.peak_allocated, self.peak_reserved)
    }

    fn reset_peaks(&mut self) {
        (self.peak_allocated, self.peak_reserved) = (self.allocated, self.reserved);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_mapped_on_demand_and_unmapped_when_the_cache_is_emptied() {
        let mut a = Expandable::new(None);
        let first = a.malloc(30 * MIB).unwrap();
        assert_eq!((a.allocated, a.reserved), (30 * MIB, 40 * MIB));
        let second = a.malloc(25 * MIB).unwrap();
        assert_eq!((a.allocated, a.reserved), (55 * MIB, 60 * MIB));
        a.dealloc(first);
        a.empty_cache();
        assert_eq!((a.allocated, a.reserved), (25 * MIB, 40 * MIB));
        a.dealloc(second);
        a.empty_cache();
        assert_eq!((a.allocated, a.reserved), (0, 0));
    }
}
