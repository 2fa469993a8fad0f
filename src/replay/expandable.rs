//! The caching allocator with `expandable_segments:True`, one stream
//! (`c10/cuda/CUDACachingAllocator.cpp: ExpandableSegment`, `try_allocate_expandable_block`, `map_block`, `unmap_block`).
//!
//! Each pool is one range of addresses whose pages (2 MiB in the small pool, 20 MiB in the large) are mapped on demand.
//! A request takes the smallest free block that is large enough, where a block before unmapped addresses counts with them;
//! else pages are mapped at the lowest unmapped addresses with room, behind a free block if there is one. Blocks are split
//! to the byte (512). Emptying the cache unmaps whole pages of free blocks.

use super::allocator::OutOfMemory;
use super::free_list::FreeList;
use super::limit::Limit;
use super::segment::{MIN_BLOCK, rounded};
use super::serve::Memory;
use crate::bytes::MIB;
use std::collections::BTreeMap;

const SMALL_REQUEST: u64 = MIB;
const SMALL_PAGE: u64 = 2 * MIB;
const LARGE_PAGE: u64 = 20 * MIB;
/// Addresses of a pool: more than any card has memory. A multiple of both pages.
const ADDRESSES: u64 = (1 << 40) * 5;

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Block {
    address: u64,
    size: u64,
    previous: u32,
    next: u32,
    pool: usize,
    used: bool,
    mapped: bool,
}

#[derive(Clone, Debug, Default)]
struct Pool {
    page: u64,
    /// Free blocks by size and address.
    free: FreeList,
    /// Unmapped blocks by address.
    unmapped: BTreeMap<u64, u32>,
}

/// The allocator's state.
#[derive(Clone, Debug)]
pub struct Expandable {
    blocks: Vec<Block>,
    spare: Vec<u32>,
    /// The small pool, the large pool.
    pools: [Pool; 2],
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
            blocks: Vec::new(),
            spare: Vec::new(),
            pools: Default::default(),
            limit: Limit::new(capacity),
            reserved: 0,
            allocated: 0,
            peak_reserved: 0,
            peak_allocated: 0,
        };
        for (pool, page) in [SMALL_PAGE, LARGE_PAGE].into_iter().enumerate() {
            allocator.pools[pool].page = page;
            let whole = allocator.push(Block {
                address: 0,
                size: ADDRESSES,
                previous: NONE,
                next: NONE,
                pool,
                used: false,
                mapped: false,
            });
            allocator.keep(whole);
        }
        allocator
    }

    fn block(&self, index: u32) -> Option<&Block> {
        self.blocks.get(index as usize)
    }

    fn push(&mut self, block: Block) -> u32 {
        match self.spare.pop() {
            Some(index) => {
                self.blocks[index as usize] = block;
                index
            }
            None => {
                self.blocks.push(block);
                self.blocks.len() as u32 - 1
            }
        }
    }

    fn keep(&mut self, index: u32) {
        let b = self.blocks[index as usize];
        let pool = &mut self.pools[b.pool];
        if b.mapped {
            pool.free.insert(b.size, b.address, index);
        } else {
            pool.unmapped.insert(b.address, index);
        }
    }

    fn unkeep(&mut self, index: u32) {
        let b = self.blocks[index as usize];
        let pool = &mut self.pools[b.pool];
        if b.mapped {
            pool.free.remove(b.size, b.address);
        } else {
            pool.unmapped.remove(&b.address);
        }
    }

    /// Cuts a block that is kept nowhere after `size` bytes; the rest is a block of its own, kept nowhere either.
    fn cut(&mut self, index: u32, size: u64) -> u32 {
        let b = self.blocks[index as usize];
        let rest = self.push(Block {
            address: b.address + size,
            size: b.size - size,
            previous: index,
            used: false,
            ..b
        });
        if b.next != NONE {
            self.blocks[b.next as usize].previous = rest;
        }
        let b = &mut self.blocks[index as usize];
        b.next = rest;
        b.size = size;
        rest
    }

    /// Joins a block that is kept nowhere with its free neighbours that are mapped or unmapped as it is; `index` stays.
    fn merge(&mut self, index: u32) {
        let b = self.blocks[index as usize];
        let joins = |o: &Block| !o.used && o.mapped == b.mapped;
        if self.block(b.previous).is_some_and(joins) {
            self.unkeep(b.previous);
            let p = self.blocks[b.previous as usize];
            let kept = &mut self.blocks[index as usize];
            kept.address = p.address;
            kept.size += p.size;
            kept.previous = p.previous;
            if p.previous != NONE {
                self.blocks[p.previous as usize].next = index;
            }
            self.spare.push(b.previous);
        }
        if self.block(b.next).is_some_and(joins) {
            self.unkeep(b.next);
            let n = self.blocks[b.next as usize];
            let kept = &mut self.blocks[index as usize];
            kept.size += n.size;
            kept.next = n.next;
            if n.next != NONE {
                self.blocks[n.next as usize].previous = index;
            }
            self.spare.push(b.next);
        }
    }

    /// `get_free_block`: best fit, where a block counts with the unmapped addresses behind it.
    fn best(&self, pool: usize, size: u64) -> Option<u32> {
        let room = |index: u32| {
            let b = &self.blocks[index as usize];
            match self.block(b.next) {
                Some(next) if !next.mapped => b.size + next.size,
                _ => b.size,
            }
        };
        let mut fits = self.pools[pool].free.at_least(size);
        let mut best = fits.next()?;
        for next in fits {
            if room(next) >= room(best) {
                break;
            }
            best = next;
        }
        Some(best)
    }

    /// `find_expandable_block`: the lowest unmapped addresses with room for `size`, or the free block before them.
    fn expandable(&self, pool: usize, size: u64) -> Option<u32> {
        let available = |index: u32| self.block(index).filter(|b| !b.used);
        self.pools[pool].unmapped.values().find_map(|&unmapped| {
            let previous = self.blocks[unmapped as usize].previous;
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

    /// `map_block`: maps whole pages from the start of an unmapped block.
    fn map(&mut self, index: u32, size: u64) -> Result<(), OutOfMemory> {
        let b = self.blocks[index as usize];
        let page = self.pools[b.pool].page;
        let mapped = size.div_ceil(page) * page;
        if !self.limit.holds(self.reserved.saturating_add(mapped)) {
            return Err(OutOfMemory);
        }
        self.unkeep(index);
        if mapped < b.size {
            let rest = self.cut(index, mapped);
            self.keep(rest);
        }
        self.blocks[index as usize].mapped = true;
        self.merge(index);
        self.keep(index);
        self.reserved += mapped;
        self.peak_reserved = self.peak_reserved.max(self.reserved);
        Ok(())
    }

    /// `try_allocate_expandable_block`.
    fn expand(&mut self, pool: usize, size: u64) -> Result<u32, OutOfMemory> {
        let mut index = self.expandable(pool, size).ok_or(OutOfMemory)?;
        let b = self.blocks[index as usize];
        if !b.mapped {
            self.map(index, size.min(b.size))?;
        }
        loop {
            let b = self.blocks[index as usize];
            if b.size >= size {
                return Ok(index);
            }
            let missing = size - b.size;
            let next = self.block(b.next).ok_or(OutOfMemory)?.size;
            index = b.next;
            self.map(index, missing.min(next))?;
        }
    }
}

impl Memory for Expandable {
    fn malloc(&mut self, bytes: u64) -> Result<u32, OutOfMemory> {
        let size = rounded(bytes.max(1));
        let pool = usize::from(size > SMALL_REQUEST);
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
        if self.blocks[index as usize].size - size >= MIN_BLOCK {
            let rest = self.cut(index, size);
            self.keep(rest);
        }
        let b = &mut self.blocks[index as usize];
        b.used = true;
        self.allocated += b.size;
        self.peak_allocated = self.peak_allocated.max(self.allocated);
        Ok(index)
    }

    fn dealloc(&mut self, index: u32) {
        let b = &mut self.blocks[index as usize];
        b.used = false;
        self.allocated -= b.size;
        self.merge(index);
        self.keep(index);
    }

    fn empty_cache(&mut self) {
        for pool in [1, 0] {
            let free: Vec<u32> = self.pools[pool].free.at_least(0).collect();
            for index in free {
                let (b, page) = (self.blocks[index as usize], self.pools[pool].page);
                let first = b.address.div_ceil(page) * page;
                let end = (b.address + b.size) / page * page;
                if first >= end {
                    continue;
                }
                self.unkeep(index);
                let mut whole = index;
                if first > b.address {
                    whole = self.cut(index, first - b.address);
                    self.keep(index);
                }
                if end < b.address + b.size {
                    let rest = self.cut(whole, end - first);
                    self.keep(rest);
                }
                self.blocks[whole as usize].mapped = false;
                self.merge(whole);
                self.keep(whole);
                self.reserved -= end - first;
            }
        }
    }

    fn size_of(&self, block: u32) -> u64 {
        self.block(block).map_or(0, |b| b.size)
    }

    fn limit(&mut self) -> &mut Limit {
        &mut self.limit
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
