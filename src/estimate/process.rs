//! What is calibrated: the memory of a process outside PyTorch's allocator, and how far the allocator strays from its
//! replay. Both vary with the card, the driver and the order in which a model was loaded, so the process figure is an
//! interval. The table of [`calibration`](super::calibration) is all there is to it; nothing else in the cost model is
//! fitted to measurements.

use super::calibration::{ContextRow, SlackRow, table};
use super::{Evidence, Interval};
use crate::bytes::MIB;
use crate::scenario::Stack;

/// What stands beside the allocator on one generation of cards under one stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    row: &'static ContextRow,
    slack: &'static SlackRow,
}

static NO_CONTEXT: ContextRow = ContextRow {
    capability: (0, 0),
    stack: None,
    mib: [0; 3],
    runs: 0,
    source: String::new(),
};

static NO_SLACK: SlackRow = SlackRow {
    stack: None,
    below: 0,
    above: 0,
    runs: 0,
    source: String::new(),
};

/// The context of a card of this compute capability under a stack.
pub fn context(capability: (u32, u32), stack: Stack) -> Context {
    // A test makes sure that the table has a row for each.
    Context {
        row: table().context(capability, stack).unwrap_or(&NO_CONTEXT),
        slack: table().slack(stack).unwrap_or(&NO_SLACK),
    }
}

impl Context {
    /// The context alone, bytes.
    pub fn interval(&self) -> Interval {
        let [low, expected, high] = self.row.mib.map(|mib| mib * MIB);
        Interval { low, expected, high }
    }

    /// What `nvidia-smi` shows for a process whose replay allocates and reserves this much at its peaks.
    pub fn process(&self, allocated: u64, reserved: u64) -> Interval {
        let context = self.interval();
        // Rounded down, thousands and the rest apart so that nothing overflows.
        let share = |thousandths: u64| {
            let rest = reserved % 1000 * thousandths / 1000;
            (reserved / 1000).saturating_mul(thousandths).saturating_add(rest)
        };
        // Never less than what is allocated.
        let least = reserved
            .saturating_sub(share(self.slack.below))
            .max(allocated.min(reserved));
        Interval {
            low: least.saturating_add(context.low),
            expected: reserved.saturating_add(context.expected),
            high: reserved
                .saturating_add(share(self.slack.above))
                .saturating_add(context.high),
        }
    }

    /// The same on a card of which a process can use this much, for a run that the allocator needs `least_capacity` for:
    /// at the card's end the allocator gives cached segments back instead of taking more. A run that does not get through
    /// keeps the figure that says by how much.
    pub fn process_on(&self, process: Interval, least_capacity: u64, usable: u64) -> Interval {
        let context = self.interval();
        if process.high <= usable || least_capacity.saturating_add(context.expected) > usable {
            return process;
        }
        let least = least_capacity.saturating_add(context.low);
        Interval {
            low: process.low.min(least),
            expected: process.expected.min(usable),
            high: process.high.min(usable),
        }
    }

    /// Where the interval comes from.
    pub fn evidence(&self) -> Evidence {
        Evidence {
            source: format!("CUDA context: {}; {}", self.row.source, self.slack.source),
            runs: self.row.runs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::GIB;

    #[test]
    fn a_card_newer_than_the_table_has_the_newest_row() {
        let of = |capability| context(capability, Stack::Hf).row.capability;
        assert_eq!(of((12, 0)), (9, 0));
        assert_eq!(of((7, 0)), (0, 0));
    }

    #[test]
    fn the_interval_holds_the_allocators_slack_and_the_contexts() {
        let process = context((7, 5), Stack::Hf).process(9 * GIB, 10 * GIB);
        assert_eq!(process.expected, 10 * GIB + 141 * MIB);
        assert_eq!(process.low, 10 * GIB - 10 * GIB * 45 / 1000 + 136 * MIB);
        assert_eq!(process.high, 10 * GIB + 10 * GIB * 70 / 1000 + 150 * MIB);
    }

    #[test]
    fn a_process_never_holds_more_than_its_card() {
        let table = context((7, 5), Stack::Hf);
        let process = table.process(9 * GIB, 12 * GIB);
        let on = |usable| table.process_on(process, 10 * GIB, usable);
        assert_eq!(on(64 * GIB), process);
        let tight = on(11 * GIB);
        assert_eq!((tight.expected, tight.high), (11 * GIB, 11 * GIB));
        assert_eq!(tight.low, 10 * GIB + table.interval().low);
        // It does not get through: by how much it is short stays visible.
        assert_eq!(on(10 * GIB), process);
    }

    #[test]
    fn no_process_is_smaller_than_what_it_allocates() {
        let process = context((7, 5), Stack::Hf).process(10 * GIB - MIB, 10 * GIB);
        assert_eq!(process.low, 10 * GIB - MIB + 136 * MIB);
        let absurd = context((7, 5), Stack::Hf).process(u64::MAX, u64::MAX);
        assert!(absurd.low <= absurd.expected && absurd.expected <= absurd.high);
    }
}
