//! What is calibrated: the memory of a process outside PyTorch's allocator, and how far the allocator strays from its
//! replay. Both vary with the card, the driver and the order in which a model was loaded, so the process figure is an
//! interval. These two tables are all there is to it; nothing else in the cost model is fitted to measurements.

use super::{Evidence, Interval};
use crate::bytes::MIB;

/// CUDA context and loaded kernels on one generation of cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// From this compute capability on.
    capability: (u32, u32),
    /// 5 %, expected, 95 %; MiB.
    mib: [u64; 3],
    /// Measured runs.
    runs: u32,
    /// Where the figures come from.
    source: &'static str,
}

/// Newest generation first.
const CONTEXTS: &[Context] = &[
    Context {
        capability: (9, 0),
        mib: [400, 512, 640],
        runs: 0,
        source: "no run measured on this generation yet; wider than Ada by its number of multiprocessors",
    },
    Context {
        capability: (8, 9),
        mib: [300, 426, 480],
        runs: 1,
        source: "one run on an RTX 6000 Ada, torch 2.10 with CUDA 13.0; the width is a guess",
    },
    Context {
        capability: (8, 6),
        mib: [230, 256, 420],
        runs: 1,
        source: "one run on an RTX 3090, torch 2.7 with CUDA 12.8; the width is a guess",
    },
    Context {
        capability: (8, 0),
        mib: [250, 400, 480],
        runs: 0,
        source: "no run measured on this generation yet; between RTX 3090 and RTX 6000 Ada",
    },
    Context {
        capability: (7, 5),
        mib: [136, 141, 150],
        runs: 59,
        source: "59 runs on a T4, torch 2.10 and 2.14, all 141 MiB (fitcheck-llm measurement archive)",
    },
    Context {
        capability: (0, 0),
        mib: [130, 200, 420],
        runs: 0,
        source: "no run measured on this generation yet",
    },
];

/// How far the measured peak of reserved memory lies from the replayed one. What the replay leaves out is the order in
/// which `from_pretrained` fills the allocator while loading, which leaves other gaps for the steps to fill.
struct Slack {
    /// 5 % of runs are lower by more than this, in thousandths of the replayed figure.
    below: u64,
    /// 5 % of runs are higher by more than this.
    above: u64,
    source: &'static str,
}

const SLACK: Slack = Slack {
    below: 45,
    above: 70,
    source: "reserved 4.5 % below to 7 % above its replay in 9 of 10 of 40 runs on a T4 and an RTX 4080 \
             (fitcheck-llm and can-i-finetune-this measurement archives)",
};

/// The context of a card of this compute capability.
pub fn context(capability: (u32, u32)) -> Context {
    *CONTEXTS
        .iter()
        .find(|row| capability >= row.capability)
        .unwrap_or(&CONTEXTS[CONTEXTS.len() - 1])
}

impl Context {
    /// The context alone, bytes.
    pub fn interval(&self) -> Interval {
        let [low, expected, high] = self.mib.map(|mib| mib * MIB);
        Interval { low, expected, high }
    }

    /// What `nvidia-smi` shows for a process whose replay allocates and reserves this much at its peaks.
    pub fn process(&self, allocated: u64, reserved: u64) -> Interval {
        let context = self.interval();
        let share = |thousandths: u64| (u128::from(reserved) * u128::from(thousandths) / 1000) as u64;
        // Never less than what is allocated.
        let least = reserved
            .saturating_sub(share(SLACK.below))
            .max(allocated.min(reserved));
        Interval {
            low: least.saturating_add(context.low),
            expected: reserved.saturating_add(context.expected),
            high: reserved
                .saturating_add(share(SLACK.above))
                .saturating_add(context.high),
        }
    }

    /// Where the interval comes from.
    pub fn evidence(&self) -> Evidence {
        Evidence {
            source: format!("CUDA context: {}; {}", self.source, SLACK.source),
            runs: self.runs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::GIB;

    #[test]
    fn contexts_stand_from_the_newest_generation_to_any() {
        assert!(
            CONTEXTS
                .windows(2)
                .all(|two| two[0].capability > two[1].capability)
        );
        assert_eq!(CONTEXTS[CONTEXTS.len() - 1].capability, (0, 0));
        assert!(CONTEXTS.iter().all(|row| row.mib.is_sorted()));
        assert_eq!(context((12, 0)).capability, (9, 0));
        assert_eq!(context((7, 0)).capability, (0, 0));
    }

    #[test]
    fn the_interval_holds_the_allocators_slack_and_the_contexts() {
        let process = context((7, 5)).process(9 * GIB, 10 * GIB);
        assert_eq!(process.expected, 10 * GIB + 141 * MIB);
        assert_eq!(process.low, 10 * GIB - 10 * GIB * 45 / 1000 + 136 * MIB);
        assert_eq!(process.high, 10 * GIB + 10 * GIB * 70 / 1000 + 150 * MIB);
    }

    #[test]
    fn no_process_is_smaller_than_what_it_allocates() {
        let process = context((7, 5)).process(10 * GIB - MIB, 10 * GIB);
        assert_eq!(process.low, 10 * GIB - MIB + 136 * MIB);
        let absurd = context((7, 5)).process(u64::MAX, u64::MAX);
        assert!(absurd.low <= absurd.expected && absurd.expected <= absurd.high);
    }
}
