//! PyTorch's CUDA caching allocator, one stream (`c10/cuda/CUDACachingAllocator.cpp`, `c10/core/AllocatorConfig.h`).
//!
//! A request is rounded up to 512 B. Up to 1 MiB it is served from the small pool, whose segments are 2 MiB; above from
//! the large pool, whose segments are 20 MiB for requests below 10 MiB and else the request rounded up to 2 MiB. Best
//! fit: the smallest free block that is large enough, the lowest address among equals; else a new segment. What is left
//! of a block is split off when it is at least 512 B (small pool) or more than 1 MiB (large pool); else it stays in the
//! block and counts as allocated. A freed block merges with its free neighbours.

use super::blocks::{Blocks, NONE};
use super::limit::Limit;
use super::serving::Memory;
use crate::segment::rounded;

/// One MiB, in bytes.
pub(super) const MIB: u64 = 1 << 20;
const SMALL_REQUEST: u64 = MIB;
const SMALL_SEGMENT: u64 = 2 * MIB;
const LARGE_SEGMENT: u64 = 20 * MIB;
const MIN_LARGE_REQUEST: u64 = 10 * MIB;
const ROUND_LARGE: u64 = 2 * MIB;

/// The allocator's state.
#[derive(Debug, Default)]
pub struct Allocator {
    /// Blocks of the small pool, 0, and of the large pool, 1.
    blocks: Blocks,
    top: u64,
    /// Device memory for segments.
    limit: Limit,
    /// Bytes in segments.
    pub reserved: u64,
    /// Bytes in used blocks.
    pub allocated: u64,
    /// Highest `reserved` since it was last reset.
    pub peak_reserved: u64,
    /// Highest `allocated` since it was last reset.
    pub peak_allocated: u64,
}

/// A request did not fit in the device memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

impl Clone for Allocator {
    fn clone(&self) -> Self {
        Allocator {
            blocks: self.blocks.clone(),
            ..*self
        }
    }

    /// As `clone`, into the memory that is there.
    fn clone_from(&mut self, other: &Self) {
        self.blocks.clone_from(&other.blocks);
        (self.top, self.limit) = (other.top, other.limit);
        (self.reserved, self.allocated) = (other.reserved, other.allocated);
        (self.peak_reserved, self.peak_allocated) = (other.peak_reserved, other.peak_allocated);
    }
}

impl Allocator {
    /// An allocator over a device with this much memory for it, unlimited with `None`.
    pub fn new(capacity: Option<u64>) -> Self {
        Allocator {
            limit: Limit::new(capacity),
            ..Allocator::default()
        }
    }

    /// Serves a request; returns the block.
    ///
    /// # Errors
    /// When the device has no room, even after all cached segments are given back.
    pub fn malloc(&mut self, bytes: u64) -> Result<u32, OutOfMemory> {
        let size = rounded(bytes.max(1));
        let small = size <= SMALL_REQUEST;
        let index = match self.blocks.best(u8::from(!small), size) {
            Some(index) => {
                self.blocks.unkeep(index);
                index
            }
            None => self.new_segment(size, small)?,
        };
        let block = &mut self.blocks[index];
        block.used = true;
        let rest = block.size - size;
        let split = if small {
            rest >= crate::segment::MIN_BLOCK
        } else {
            rest > SMALL_REQUEST
        };
        self.allocated += if split { size } else { block.size };
        self.peak_allocated = self.peak_allocated.max(self.allocated);
        if split {
            let rest = self.blocks.cut(index, size);
            self.blocks.keep(rest);
        }
        Ok(index)
    }

    fn new_segment(&mut self, size: u64, small: bool) -> Result<u32, OutOfMemory> {
        let segment = if small {
            SMALL_SEGMENT
        } else if size < MIN_LARGE_REQUEST {
            LARGE_SEGMENT
        } else {
            size.div_ceil(ROUND_LARGE).saturating_mul(ROUND_LARGE)
        };
        if !self.limit.holds(self.reserved.saturating_add(segment)) {
            self.empty_cache();
            if !self.limit.holds(self.reserved.saturating_add(segment)) {
                return Err(OutOfMemory);
            }
        }
        let block = Blocks::alone(u8::from(!small), self.top, segment, true);
        let index = self.blocks.push(block);
        self.top = self.top.saturating_add(segment).saturating_add(2 * MIB);
        self.reserved = self.reserved.saturating_add(segment);
        self.peak_reserved = self.peak_reserved.max(self.reserved);
        Ok(index)
    }

    /// Gives a block back to the cache.
    pub fn dealloc(&mut self, index: u32) {
        let block = &mut self.blocks[index];
        block.used = false;
        self.allocated -= block.size;
        let (previous, next) = (block.previous, block.next);
        let mut kept = index;
        if next != NONE && !self.blocks[next].used {
            self.blocks.unkeep(next);
            self.blocks.join(index, next);
        }
        if previous != NONE && !self.blocks[previous].used {
            self.blocks.unkeep(previous);
            self.blocks.join(previous, index);
            kept = previous;
        }
        self.blocks.keep(kept);
    }

    /// `torch.cuda.empty_cache()`: segments that are free as a whole go back to the driver.
    pub fn empty_cache(&mut self) {
        for pool in [0, 1] {
            let mut next = self.blocks.best(pool, 0);
            while let Some(index) = next {
                next = self.blocks.next_best(index);
                let block = self.blocks[index];
                if block.previous == NONE && block.next == NONE {
                    self.blocks.unkeep(index);
                    self.blocks.drop(index);
                    self.reserved -= block.size;
                }
            }
        }
    }
}

impl Memory for Allocator {
    fn malloc(&mut self, bytes: u64) -> Result<u32, OutOfMemory> {
        Allocator::malloc(self, bytes)
    }

    fn dealloc(&mut self, block: u32) {
        Allocator::dealloc(self, block);
    }

    fn empty_cache(&mut self) {
        Allocator::empty_cache(self);
    }

    fn size_of(&self, block: u32) -> u64 {
        self.blocks[block].size
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
    fn segments_have_the_documented_sizes() {
        for (request, segment) in [
            (1, 2 * MIB),
            (MIB, 2 * MIB),
            (MIB + 1, 20 * MIB),
            (10 * MIB, 10 * MIB),
            (11 * MIB + 1, 12 * MIB),
        ] {
            let mut a = Allocator::new(None);
            assert!(a.malloc(request).is_ok());
            assert_eq!(a.reserved, segment, "request of {request}");
        }
    }

    #[test]
    fn a_remainder_of_up_to_one_mib_stays_in_a_large_block_and_counts_as_allocated() {
        let mut a = Allocator::new(None);
        assert!(a.malloc(11 * MIB).is_ok());
        assert_eq!((a.reserved, a.allocated), (12 * MIB, 12 * MIB));
    }

    #[test]
    fn under_pressure_cached_segments_are_given_back_before_memory_runs_out() {
        let mut a = Allocator::new(Some(30 * MIB));
        let first = a.malloc(20 * MIB).unwrap();
        a.dealloc(first);
        assert!(a.malloc(24 * MIB).is_ok());
        assert_eq!(a.reserved, 24 * MIB);
        assert_eq!(a.malloc(8 * MIB), Err(OutOfMemory));
    }

    #[test]
    fn freed_neighbours_merge() {
        let mut a = Allocator::new(None);
        let (x, y) = (a.malloc(4 * MIB).unwrap(), a.malloc(4 * MIB).unwrap());
        a.dealloc(x);
        a.dealloc(y);
        assert!(a.malloc(19 * MIB).is_ok());
        assert_eq!(a.reserved, 20 * MIB);
    }
}
