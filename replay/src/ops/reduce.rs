//! Scratch of reductions: when a sum is split over several blocks of threads, they meet in global memory
//! (`aten/src/ATen/native/cuda/Reduce.cuh: setReduceConfig`, `global_memory_size`, `semaphore_size`).

use crate::dtype::Dtype;
use crate::tape::{Inner, Tape};

/// Threads of a block (`mnt_wrapper::MAX_NUM_THREADS`).
const MAX_THREADS: u64 = 512;
const WARP: u64 = 32;
const MIN_VALUES_PER_THREAD: u64 = 16;
const MAX_VALUES_PER_THREAD: u64 = 256;
/// Sums are accumulated in fp32.
const ACCUMULATOR_BYTES: u64 = 4;

/// The largest power of two up to `n`, at most `most`.
fn power_below(n: u64, most: u64) -> u64 {
    if n >= most {
        most
    } else {
        1 << (63 - n.max(1).leading_zeros())
    }
}

/// Scratch of summing `inputs` rows into `outputs` columns that stand side by side: values and semaphores, in bytes.
fn column_sum(
    outputs: u64,
    inputs: u64,
    multiprocessors: u64,
    threads_per_multiprocessor: u64,
) -> Option<(u64, u64)> {
    let vector = [4, 2, 1].into_iter().find(|v| outputs.is_multiple_of(*v))?;
    let most = MAX_THREADS / vector;
    let (width_limit, height_limit) = (power_below(outputs / vector, most), power_below(inputs, most));
    let height = height_limit.min(most / width_limit.min(WARP));
    let width = width_limit.min(most / height);
    let threads = width * height;
    let per_thread = inputs.div_ceil(height);
    if inputs < (height * 16).min(MAX_VALUES_PER_THREAD) {
        return None;
    }
    let grid = (outputs / vector).div_ceil(width);
    let target = multiprocessors * (threads_per_multiprocessor / threads);
    if per_thread < MAX_VALUES_PER_THREAD || grid > target {
        return None;
    }
    let blocks = target
        .div_ceil(grid)
        .min(per_thread.div_ceil(MIN_VALUES_PER_THREAD))
        .max(per_thread.div_ceil(MAX_VALUES_PER_THREAD));
    (blocks > 1).then(|| (ACCUMULATOR_BYTES * outputs * blocks * width * vector, 4 * grid))
}

/// As [`column_sum`], of all `inputs` elements into one.
fn whole_sum(
    inputs: u64,
    accumulator: u64,
    multiprocessors: u64,
    threads_per_multiprocessor: u64,
) -> Option<(u64, u64)> {
    let threads = power_below(inputs / 4, MAX_THREADS);
    let per_thread = inputs.div_ceil(threads);
    if per_thread < MAX_VALUES_PER_THREAD {
        return None;
    }
    let target = multiprocessors * (threads_per_multiprocessor / threads);
    let blocks = target
        .min(per_thread.div_ceil(MIN_VALUES_PER_THREAD))
        .max(per_thread.div_ceil(MAX_VALUES_PER_THREAD));
    (blocks > 1).then_some((accumulator * blocks, 4))
}

impl Tape {
    /// Takes and gives back the scratch of a sum or norm of all of `elements`.
    pub fn whole_sum_scratch(&self, elements: u64) {
        self.inner.borrow_mut().whole_sum(elements);
    }

    /// Takes and gives back the scratch of a sum of `rows` rows of `columns` into one.
    pub fn column_sum_scratch(&self, rows: u64, columns: u64) {
        self.inner
            .borrow_mut()
            .reduction_scratch(rows.saturating_mul(columns), columns, true);
    }
}

impl Inner {
    /// `maxThreadsPerMultiProcessor` of the card.
    fn threads_per_multiprocessor(&self) -> u64 {
        match self.device.capability {
            (7, 5) => 1024,
            (8, 6 | 9) | (12.., _) => 1536,
            _ => 2048,
        }
    }

    /// As [`Tape::whole_sum_scratch`].
    pub(crate) fn whole_sum(&mut self, elements: u64) {
        let threads = self.threads_per_multiprocessor();
        let need = whole_sum(elements, ACCUMULATOR_BYTES, self.device.multiprocessors, threads);
        self.sum_scratch(need);
    }

    /// As [`Inner::whole_sum`], of the largest of all elements, which is found in their own dtype.
    pub(crate) fn whole_max(&mut self, elements: u64, dtype: Dtype) {
        let threads = self.threads_per_multiprocessor();
        let need = whole_sum(elements, dtype.size(), self.device.multiprocessors, threads);
        self.sum_scratch(need);
    }

    fn sum_scratch(&mut self, need: Option<(u64, u64)>) {
        if let Some((values, semaphores)) = need {
            self.moves_in_steps();
            let v = self.scratch(values, "sum");
            let s = self.scratch(semaphores, "sum");
            self.free_scratch(s);
            self.free_scratch(v);
        }
    }

    /// Takes and gives back the scratch of a sum of `from` elements into `to`; `columns`: the last dimension stays.
    pub(crate) fn reduction_scratch(&mut self, from: u64, to: u64, columns: bool) {
        if !columns || to == 0 || from <= to {
            return;
        }
        let threads = self.threads_per_multiprocessor();
        let need = column_sum(to, from / to, self.device.multiprocessors, threads);
        self.sum_scratch(need);
    }
}

#[cfg(test)]
mod tests {
    use super::{column_sum, whole_sum};

    #[test]
    fn long_columns_meet_in_global_memory_and_short_ones_do_not() {
        // Seen: a norm weight of 512 over 4096 tokens on 132 multiprocessors.
        assert_eq!(column_sum(512, 4096, 132, 2048), Some((16_777_216, 16)));
        assert_eq!(column_sum(512, 640, 132, 2048), None);
        // Seen: the norm of 3000 x 512 and of 128 x 512.
        assert_eq!(whole_sum(1_536_000, 4, 132, 2048), Some((752, 4)));
        assert_eq!(whole_sum(65_536, 4, 132, 2048), None);
    }
}
