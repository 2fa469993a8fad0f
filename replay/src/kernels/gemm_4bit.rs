//! Which 4-bit products run in bitsandbytes' own kernel, which needs no dequantized weight
//! (`bitsandbytes/backends/cuda/ops.py: gemm_4bit`, `_gemm_4bit_use_custom_cuda`): few rows, by card and shape.

use crate::dtype::Dtype;
use crate::ops::attention::Device;

/// Up to this many rows the kernel always runs (`_GEMM_4BIT_CUSTOM_FLOOR_M`); above the other never
/// (`_gemm_4bit_custom_max_m`).
const FEW_ROWS: u64 = 4;
const MOST_ROWS: u64 = 1536;
/// Rows for which there is a kernel without tensor cores.
const SIMT_ROWS: u64 = 8;
/// Weights of fewer elements are small.
const SMALL_WEIGHT: u64 = 4 << 20;

/// A product of `rows` x `inputs` by the weight of `outputs` x `inputs`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product {
    pub rows: u64,
    pub inputs: u64,
    pub outputs: u64,
    pub blocksize: u64,
    pub dtype: Dtype,
}

impl Product {
    /// Are there so few rows that one more or less can change the kernel to and fro?
    pub fn has_few_rows(self) -> bool {
        self.rows <= SIMT_ROWS
    }

    /// Does it run in the kernel of bitsandbytes?
    pub fn is_fused(self, device: Device) -> bool {
        if self.rows > MOST_ROWS || !self.inputs.is_multiple_of(self.blocksize.max(1)) {
            return false;
        }
        if self.rows <= FEW_ROWS {
            return true;
        }
        let (major, minor) = device.capability;
        let no_tensor_cores =
            self.dtype == Dtype::F32 || major < 7 || (major == 7 && (minor < 5 || self.dtype != Dtype::F16));
        if no_tensor_cores {
            return self.rows < SIMT_ROWS;
        }
        match (major, minor) {
            (8, 7) | (11, _) => false,
            (10, _) => self.rows <= self.most_rows_on_b200(device.multiprocessors),
            _ if self.inputs.saturating_mul(self.outputs) < SMALL_WEIGHT => {
                self.rows <= self.most_rows_of_small(device)
            }
            _ if self.rows > 512 => false,
            _ if self.rows < SIMT_ROWS => !self.loses_with_few_rows(device),
            _ => self.rows <= self.most_rows(device),
        }
    }

    /// Blocks of 64 columns.
    fn blocks(self) -> u64 {
        self.outputs.div_ceil(64)
    }

    fn most_rows_on_b200(self, processors: u64) -> u64 {
        let blocks = self.blocks();
        match () {
            () if blocks >= processors * 3 => 32,
            () if blocks >= processors && self.inputs < self.outputs => 8,
            () => 0,
        }
    }

    fn most_rows_of_small(self, device: Device) -> u64 {
        let (n, k, blocks, sms) = (self.outputs, self.inputs, self.blocks(), device.multiprocessors);
        let card = device.capability;
        let (t4, a100, h100) = (card == (7, 5), card == (8, 0), card.0 == 9);
        let hbm = a100 || h100;
        if k * 2 < n {
            let low_wave = blocks * 3 < sms;
            return match () {
                () if a100 => [512, 1536][usize::from(low_wave)],
                () if h100 => [320, 512][usize::from(low_wave)],
                () if t4 && blocks >= sms * 3 => 320,
                () if t4 && k >= 1024 => 64,
                () if t4 && k >= 704 => 96,
                () if t4 || blocks >= sms || blocks * k <= sms * 320 => 320,
                () => 192,
            };
        }
        let quarter_wave = blocks * 4 <= sms;
        match () {
            () if a100 && quarter_wave && k < n => 384,
            () if a100 && quarter_wave => [128, 32][usize::from(blocks * 8 <= sms)],
            () if t4 && blocks < sms && self.rows > 8 => 64,
            () if quarter_wave => [23, 32][usize::from(k < n || hbm)],
            () if blocks * 2 <= sms => 16,
            () => 0,
        }
    }

    fn loses_with_few_rows(self, device: Device) -> bool {
        let (n, k, blocks, sms) = (self.outputs, self.inputs, self.blocks(), device.multiprocessors);
        let (a100, h100) = (device.capability == (8, 0), device.capability.0 == 9);
        let threshold = if h100 { 36 } else { 48 };
        if !(a100 || h100) || self.rows < 6 || blocks < threshold {
            return false;
        }
        let (below_75, below_60) = (blocks * 4 < sms * 3, blocks * 5 < sms * 3);
        (k > n && below_75) || (k == n && ((a100 && below_60) || (h100 && below_75 && !below_60)))
    }

    fn most_rows(self, device: Device) -> u64 {
        let (n, k, blocks, sms) = (self.outputs, self.inputs, self.blocks(), device.multiprocessors);
        // Waves of blocks over the multiprocessors.
        let (three, two, one) = (blocks >= sms * 3, blocks >= sms * 2, blocks >= sms);
        let (most, half) = (blocks * 5 >= sms * 4, blocks >= sms / 2);
        let very_tall = k > n * 2;
        match device.capability {
            (7, 5) => match () {
                () if three && k < n => 128,
                () if three || half => 64,
                () => 32,
            },
            (8, 0) => match () {
                () if three => 128,
                () if one => [32, 64][usize::from(k < n)],
                () if k >= n * 3 && blocks * 4 > sms => 0,
                () if k == n && blocks >= 48 && blocks * 5 < sms * 3 => 0,
                () if blocks * 2 < sms && k <= n => 128,
                () if blocks * 2 < sms && blocks * 3 >= sms => 0,
                () if half && k < n => 128,
                () => 16,
            },
            (8, 6) => match () {
                () if one => 128,
                () if half => 64,
                () => 16,
            },
            (9, _) => match () {
                () if three => 64,
                () if two => 48,
                () if one => 32,
                () if half && !(k >= n && blocks * 4 < sms * 3) => 16,
                () => 0,
            },
            (12, 1) if one => 256,
            (12, 0) => match () {
                () if three => 256,
                () if two => 128,
                () if most => [64, 96][usize::from(k >= n)],
                () if half => [8, 64][usize::from(k * 2 >= n && blocks >= 128)],
                () if very_tall && blocks > 64 => 16,
                () => 8,
            },
            _ => match () {
                () if three => 256,
                () if two => 128,
                () if most && (very_tall || blocks >= 200) => 128,
                () if most && k >= n => [32, 128][usize::from(sms >= 60)],
                () if most => 64,
                () if half && very_tall => 64,
                () if half => [32, 8][usize::from(blocks >= 64)],
                () if k > n && blocks <= 48 => [10, 12][usize::from(k >= n * 3)],
                () => [8, 16][usize::from(very_tall || blocks < 48)],
            },
        }
    }
}
