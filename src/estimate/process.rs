//! Memory of a process outside PyTorch's allocator: the CUDA context and loaded kernels. It depends on the card and the
//! driver and varies, so it is the one part of an estimate that is calibrated; this table is all there is to it.

use super::{Evidence, Interval};
use crate::bytes::MIB;

/// Context and libraries on one generation of cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Low end, bytes.
    pub low: u64,
    /// Expected, bytes.
    pub expected: u64,
    /// High end, bytes.
    pub high: u64,
    runs: u32,
    source: &'static str,
}

/// Least capability, then low, expected and high in MiB, the number of measured runs, and where the figures come from.
const TABLE: &[((u32, u32), [u64; 3], u32, &str)] = &[
    (
        (9, 0),
        [400, 512, 640],
        0,
        "no run measured on this generation yet; wider than Ada by its number of multiprocessors",
    ),
    (
        (8, 9),
        [300, 426, 480],
        1,
        "one run on an RTX 6000 Ada, torch 2.10 with CUDA 13.0; the width is a guess",
    ),
    (
        (8, 6),
        [230, 256, 420],
        1,
        "one run on an RTX 3090, torch 2.7 with CUDA 12.8; the width is a guess",
    ),
    (
        (8, 0),
        [250, 400, 480],
        0,
        "no run measured on this generation yet; between RTX 3090 and RTX 6000 Ada",
    ),
    (
        (7, 5),
        [136, 141, 150],
        59,
        "59 runs on a T4, torch 2.10 and 2.14, all 141 MiB (fitcheck-llm measurement archive)",
    ),
    (
        (0, 0),
        [130, 200, 420],
        0,
        "no run measured on this generation yet",
    ),
];

/// The context of a card of this compute capability.
pub fn context(capability: (u32, u32)) -> Context {
    let &(_, mib, runs, source) = TABLE
        .iter()
        .find(|row| capability >= row.0)
        .unwrap_or(&TABLE[TABLE.len() - 1]);
    Context {
        low: mib[0] * MIB,
        expected: mib[1] * MIB,
        high: mib[2] * MIB,
        runs,
        source,
    }
}

impl Context {
    /// What `nvidia-smi` shows for a process that reserves this much.
    pub fn on_top_of(&self, reserved: u64) -> Interval {
        let with = |context: u64| reserved.saturating_add(context);
        Interval {
            low: with(self.low),
            expected: with(self.expected),
            high: with(self.high),
        }
    }

    /// Where the interval comes from.
    pub fn evidence(&self) -> Evidence {
        Evidence {
            source: format!("CUDA context: {}", self.source),
            runs: self.runs,
        }
    }
}
