//! What a measuring program tells, one JSON object a line.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Breakdown, PhaseReading, StepReading};

/// One thing that a measuring program tells.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The card is there; what it is.
    Start {
        /// Versions of Python and packages.
        versions: BTreeMap<String, String>,
        /// CUDA that torch is built for.
        cuda: Option<String>,
        /// The card's name.
        card: String,
        /// The card's identifier; it finds the card among NVML's and goes no further.
        #[serde(default)]
        uuid: String,
        /// Such as `8.9`.
        compute_capability: String,
        /// Streaming multiprocessors.
        multiprocessors: u32,
        /// Memory as PyTorch sees it.
        total_bytes: u64,
        /// The operating system.
        #[serde(default)]
        system: String,
        /// Environment variables that bear on memory.
        #[serde(default)]
        settings: BTreeMap<String, String>,
    },
    /// A phase has ended.
    Phase(PhaseReading),
    /// A step has ended.
    Step(StepReading),
    /// Host memory, when all steps have run.
    Host {
        /// Pinned memory.
        pinned_bytes: Option<u64>,
        /// Managed memory of paged optimizers.
        managed_bytes: Option<u64>,
    },
    /// What was alive at the peak.
    Breakdown(Breakdown),
    /// All is told.
    End,
    /// Out of device memory.
    OutOfMemory {
        /// What PyTorch said.
        message: String,
        /// The phase.
        phase: String,
        /// The step.
        step: u32,
    },
    /// Another error.
    Crash {
        /// Its type.
        error: String,
        /// What it said.
        message: String,
        /// The phase.
        phase: String,
    },
    /// The machine or its packages cannot run it.
    Unusable {
        /// Why, in one word.
        kind: String,
        /// What is wrong.
        message: String,
        /// What to do.
        way_on: String,
    },
    /// A setting that the program does not know.
    Refused {
        /// Which.
        message: String,
    },
}

impl Event {
    /// Reads a line. Nothing when it is none, such as what a library printed.
    pub fn read(line: &str) -> Option<Event> {
        serde_json::from_str(line.trim()).ok()
    }
}
