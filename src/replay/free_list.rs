//! Free blocks of a pool, found by best fit: the smallest size that is large enough, the lowest address among equals.

/// A free block: where it starts, and its index.
type Entry = (u64, u32);

/// Free blocks, in one bin a size. A run has few sizes and many blocks of each.
#[derive(Debug, Default)]
pub(super) struct FreeList {
    /// Sizes, ascending.
    sizes: Vec<u64>,
    /// Blocks of each size by address, descending: the lowest is taken from the end.
    bins: Vec<Vec<Entry>>,
    /// Empty bins, to be used again.
    spare: Vec<Vec<Entry>>,
}

impl FreeList {
    /// Adds a block.
    pub fn insert(&mut self, size: u64, address: u64, index: u32) {
        let at = self.sizes.partition_point(|&s| s < size);
        if self.sizes.get(at) != Some(&size) {
            self.sizes.insert(at, size);
            self.bins.insert(at, self.spare.pop().unwrap_or_default());
        }
        let bin = &mut self.bins[at];
        let place = bin.partition_point(|entry| entry.0 > address);
        bin.insert(place, (address, index));
    }

    /// Removes a block.
    pub fn remove(&mut self, size: u64, address: u64) {
        if let Ok(at) = self.sizes.binary_search(&size) {
            let bin = &mut self.bins[at];
            let place = bin.partition_point(|entry| entry.0 > address);
            if bin.get(place).is_some_and(|entry| entry.0 == address) {
                bin.remove(place);
                self.drop_if_empty(at);
            }
        }
    }

    /// Takes the block that fits best.
    pub fn take(&mut self, size: u64) -> Option<u32> {
        let at = self.sizes.partition_point(|&s| s < size);
        let (_, index) = self.bins.get_mut(at)?.pop()?;
        self.drop_if_empty(at);
        Some(index)
    }

    /// Keeps the blocks for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(u32) -> bool) {
        for at in (0..self.bins.len()).rev() {
            self.bins[at].retain(|&(_, index)| keep(index));
            self.drop_if_empty(at);
        }
    }

    fn drop_if_empty(&mut self, at: usize) {
        if self.bins[at].is_empty() {
            self.sizes.remove(at);
            let bin = self.bins.remove(at);
            self.spare.push(bin);
        }
    }
}
