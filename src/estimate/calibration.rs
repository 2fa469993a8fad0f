//! The one calibrated table, as data: `calibration.json` beside this file. `plimsoll calibrate` writes it from records.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::catalog::Row;
use crate::scenario::Stack;

/// What is calibrated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// CUDA context and loaded kernels, the newest generation first.
    pub contexts: Vec<ContextRow>,
    /// How far reserved memory strays from its replay.
    pub slack: Vec<SlackRow>,
}

/// CUDA context and loaded kernels on one generation of cards, from one compute capability up to the next row's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextRow {
    /// From this compute capability on.
    pub capability: (u32, u32),
    /// The stack; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<Stack>,
    /// 5 %, expected, 95 %; MiB.
    pub mib: [u64; 3],
    /// Measured runs.
    pub runs: u32,
    /// Where the figures come from.
    pub source: String,
}

/// How far the measured peak of reserved memory lies from the replayed one, in thousandths of the replayed one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlackRow {
    /// The stack; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<Stack>,
    /// 5 % of runs are lower by more than this.
    pub below: u64,
    /// 5 % of runs are higher by more than this.
    pub above: u64,
    /// Measured runs.
    pub runs: u32,
    /// Where the figures come from.
    pub source: String,
}

/// The table that estimates use.
pub fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    // A test parses the file; unreadable data would be an empty table, not a panic.
    TABLE.get_or_init(|| read(Row::of(include_str!("calibration.json"))))
}

fn read(mut table: Row) -> Table {
    let stack = |row: &mut Row| row.text("stack").parse().ok();
    let context = |mut row: Row| {
        let numbers = |row: &mut Row, key| row.list(key).into_iter().filter_map(|value| value.as_u64());
        let mut capability = numbers(&mut row, "capability").map(|part| part as u32);
        let capability = (
            capability.next().unwrap_or_default(),
            capability.next().unwrap_or_default(),
        );
        let mut mib = numbers(&mut row, "mib");
        ContextRow {
            capability,
            stack: stack(&mut row),
            mib: [(); 3].map(|()| mib.next().unwrap_or_default()),
            runs: row.whole("runs") as u32,
            source: row.text("source"),
        }
    };
    let slack = |mut row: Row| SlackRow {
        stack: stack(&mut row),
        below: row.whole("below"),
        above: row.whole("above"),
        runs: row.whole("runs") as u32,
        source: row.text("source"),
    };
    Table {
        contexts: table.rows("contexts").into_iter().map(context).collect(),
        slack: table.rows("slack").into_iter().map(slack).collect(),
    }
}

impl Table {
    /// The context of a card of this compute capability under a stack: the newest generation that is not newer than
    /// the card, and its row for this very stack before the one for any.
    pub fn context(&self, capability: (u32, u32), stack: Stack) -> Option<&ContextRow> {
        let suits =
            |row: &&ContextRow| capability >= row.capability && row.stack.is_none_or(|own| own == stack);
        self.contexts
            .iter()
            .filter(suits)
            .max_by_key(|row| (row.capability, row.stack.is_some()))
    }

    /// The slack under a stack.
    pub fn slack(&self, stack: Stack) -> Option<&SlackRow> {
        let suits = |row: &&SlackRow| row.stack.is_none_or(|own| own == stack);
        self.slack
            .iter()
            .filter(suits)
            .max_by_key(|row| row.stack.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_and_covers_every_card() {
        let read: Result<Table, _> = serde_json::from_str(include_str!("calibration.json"));
        assert_eq!(read.map_err(|error| error.to_string()).as_ref(), Ok(table()));
        let table = table();
        assert!(table.contexts.iter().all(|row| row.mib.is_sorted()));
        for &stack in Stack::ALL {
            assert!(table.context((0, 0), stack).is_some());
            assert!(table.slack(stack).is_some());
        }
    }

    #[test]
    fn a_row_of_the_very_stack_comes_before_one_for_any() {
        let row = |stack, expected| ContextRow {
            capability: (8, 9),
            stack,
            mib: [expected; 3],
            runs: 1,
            source: String::new(),
        };
        let table = Table {
            contexts: vec![row(None, 1), row(Some(Stack::Unsloth), 2)],
            slack: Vec::new(),
        };
        let expected = |stack| table.context((9, 0), stack).map(|row| row.mib[1]);
        assert_eq!(
            (expected(Stack::Hf), expected(Stack::Unsloth)),
            (Some(1), Some(2))
        );
        assert_eq!(table.context((8, 0), Stack::Hf), None);
    }
}
