//! Sorting, and the scratch it takes (`aten/src/ATen/native/cuda/{Sort.cpp,Indexing.cu}`, CUB's `DeviceRadixSort`).

use super::attention::Device;
use crate::dtype::Dtype;
use crate::tape::{Inner, Tape, Tensor};

/// Bytes of an index.
const INDEX: u64 = 8;
/// Up to this many elements, one kernel sorts in place (`should_use_small_sort`).
const SMALL_SORT: u64 = 4096;
/// Items that one block sorts alone, of 8-byte keys and values (`DispatchRadixSort`, `SingleTilePolicy`).
const SINGLE_TILE: u64 = 256 * 9;
/// Values of a digit of 8 bits.
const DIGITS: u64 = 256;
/// CUB hands out parts of one allocation at multiples of this.
const ALIGNMENT: u64 = 256;

/// Items of a block of the one-sweep kernel, of 8-byte keys and values (`dispatch/tuning/tuning_radix_sort.cuh`).
fn onesweep_tile(device: Device) -> u64 {
    match device.capability.0 {
        ..8 => 256 * 11,
        8 => 384 * 10,
        9.. => 384 * 12,
    }
}

/// Bytes that `cub::DeviceRadixSort::SortPairs` asks for, to sort this many pairs of 8-byte keys and values by the
/// lowest bits of the keys.
fn radix_sort_bytes(items: u64, bits: u64, device: Device) -> u64 {
    if items <= SINGLE_TILE {
        return 1;
    }
    let passes = bits.div_ceil(8);
    let aligned = |bytes: u64| bytes.div_ceil(ALIGNMENT) * ALIGNMENT;
    let bins = passes * DIGITS * 8;
    let look_back = items.div_ceil(onesweep_tile(device)) * DIGITS * 4;
    let alternates = if passes > 1 { 2 * aligned(items * INDEX) } else { 0 };
    bins + look_back + alternates + aligned(passes * 4) + ALIGNMENT - 1
}

impl Tape {
    /// `torch.sort(ids)` of this many indices: the sorted ones and their places before.
    pub fn sort_indices(&self, count: u64) -> (Tensor<'_>, Tensor<'_>) {
        const OP: &str = "sort";
        let sorted = self.temporary(&[count], Dtype::I64, OP);
        let places = self.temporary(&[count], Dtype::I64, OP);
        let mut inner = self.inner.borrow_mut();
        let range = inner.scratch(count.saturating_mul(INDEX), OP);
        if count > SMALL_SORT {
            inner.moves_in_steps();
            let bytes = radix_sort_bytes(count, 64, inner.device);
            let sort = inner.scratch(bytes, OP);
            inner.free_scratch(sort);
        }
        inner.free_scratch(range);
        drop(inner);
        (sorted, places)
    }
}

impl Inner {
    /// Scratch of adding to rows by their indices, which are sorted first (`index_put_with_sort_kernel`).
    pub(crate) fn scatter_scratch(&mut self, indices: u64, rows: u64) {
        const OP: &str = "index_put";
        let bytes = indices.saturating_mul(INDEX);
        let wrapped = self.scratch(bytes, OP);
        let linear = self.scratch(bytes, OP);
        self.free_scratch(wrapped);
        let held = [
            linear,
            self.scratch(bytes, OP),
            self.scratch(bytes, OP),
            self.scratch(bytes, OP),
        ];
        // The bits of the largest index.
        let bits = u64::from(64 - rows.saturating_sub(1).max(1).leading_zeros());
        if indices > SINGLE_TILE {
            self.moves_in_steps();
        }
        let sort = self.scratch(radix_sort_bytes(indices, bits, self.device), OP);
        self.free_scratch(sort);
        for scratch in held.into_iter().rev() {
            self.free_scratch(scratch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(major: u32) -> Device {
        Device {
            capability: (major, 0),
            multiprocessors: 132,
        }
    }

    /// Seen: requests of PyTorch 2.11 for these sorts.
    #[test]
    fn a_radix_sort_takes_bins_look_back_and_second_buffers() {
        for (major, items, bits, bytes) in [
            (9, 2304, 10, 1),
            (9, 2560, 12, 46_591),
            (9, 3000, 17, 55_807),
            (9, 100_000, 8, 25_087),
            (9, 1_000_003, 20, 16_230_399),
            (9, 4097, 64, 83_967),
            (9, 1_000_003, 64, 16_240_639),
            (8, 10_000, 9, 167_935),
            (8, 100_000, 7, 30_207),
            (7, 100_000, 64, 1_653_759),
        ] {
            assert_eq!(
                radix_sort_bytes(items, bits, device(major)),
                bytes,
                "{major} {items} {bits}"
            );
        }
    }
}
