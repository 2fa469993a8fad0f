//! The numbers of a scenario that can be solved for.

use crate::scenario::Scenario;
use serde::{Deserialize, Serialize};

/// A number that can be stretched until the run no longer fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub enum Quantity {
    /// Tokens per sequence.
    Seq,
    /// Sequences per micro-batch.
    Batch,
    /// Rank of the adapters.
    Rank,
}

impl Quantity {
    /// Every quantity.
    pub const ALL: &'static [Quantity] = &[Quantity::Seq, Quantity::Batch, Quantity::Rank];

    /// The field of a scenario, as URLs and the command line name it.
    pub const fn field(self) -> &'static str {
        match self {
            Quantity::Seq => "seq",
            Quantity::Batch => "batch",
            Quantity::Rank => "rank",
        }
    }

    /// The question it answers, for a person.
    pub const fn label(self) -> &'static str {
        match self {
            Quantity::Seq => "longest sequence",
            Quantity::Batch => "largest micro-batch",
            Quantity::Rank => "largest rank",
        }
    }

    /// The value in a scenario.
    pub const fn of(self, scenario: &Scenario) -> u64 {
        match self {
            Quantity::Seq => scenario.seq,
            Quantity::Batch => scenario.batch,
            Quantity::Rank => scenario.lora.rank,
        }
    }

    /// The scenario with another value.
    pub fn set(self, scenario: &Scenario, value: u64) -> Scenario {
        let mut changed = scenario.clone();
        match self {
            Quantity::Seq => changed.seq = value,
            Quantity::Batch => changed.batch = value,
            Quantity::Rank => changed.lora.rank = value,
        }
        changed
    }
}
