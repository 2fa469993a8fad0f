//! What a change costs whoever runs it.

use serde::{Deserialize, Serialize};

/// The price of a change, from nothing to another task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub enum Cost {
    /// Nothing to speak of: the same training, as fast or faster.
    Free,
    /// Time: the same training, slower.
    Time,
    /// Other software: the same training by other programs.
    Software,
    /// Perhaps quality: the result may be a little worse.
    Quality,
    /// Another task: what is trained, or on what, changes.
    Task,
}

impl Cost {
    /// Every cost, the least first.
    pub const ALL: &'static [Cost] = &[Cost::Free, Cost::Time, Cost::Software, Cost::Quality, Cost::Task];

    /// The cost in a few words.
    pub const fn label(self) -> &'static str {
        match self {
            Cost::Free => "costs nothing",
            Cost::Time => "costs time",
            Cost::Software => "other software",
            Cost::Quality => "may cost quality",
            Cost::Task => "changes the task",
        }
    }
}
