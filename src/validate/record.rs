//! One measured run: one JSON line. `schema/record.schema.json` describes it for others.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Machine;
use crate::scenario::Scenario;

/// The version of the record's format.
pub const FORMAT: u32 = 1;

/// One measured run, whatever became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Version of the format.
    pub record: u32,
    /// The run's name: what was run in a few words, and a digest of the scenario.
    pub id: String,
    /// What was run. Its card is the one it ran on.
    pub scenario: Scenario,
    /// Where the weights came from.
    pub weights_from: Weights,
    /// What became of it.
    pub outcome: Outcome,
    /// What it ran on.
    pub machine: Machine,
    /// What was measured up to its end.
    pub measured: Measured,
    /// What the reader should know, such as other processes on the card.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The program that measured, with its version.
    pub measured_by: String,
    /// The day, as `2026-11-21`.
    pub date: String,
}

/// Where the weights came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    /// Made from the model's configuration.
    #[default]
    Random,
    /// The model's own, from the Hub.
    Hub,
}

/// What became of a run. All of them are results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// It got through.
    Ran,
    /// It ended out of device memory.
    OutOfMemory {
        /// The phase it was in.
        phase: String,
        /// The step it was in, 0 while loading.
        step: u32,
        /// What PyTorch said.
        message: String,
    },
    /// It failed otherwise.
    Crashed {
        /// The error's type, or how the process ended.
        error: String,
        /// What it said.
        message: String,
        /// The phase it was in.
        phase: String,
    },
    /// It did not end within the time limit; its process group was ended.
    TimedOut {
        /// The limit in seconds.
        seconds: u64,
        /// The phase it was in.
        phase: String,
    },
    /// The card stopped answering.
    DeviceLost {
        /// What was said.
        message: String,
    },
    /// The machine or its packages cannot run it.
    Unusable {
        /// `missing_package`, `wrong_version`, `no_cuda_build`, `no_driver`, `driver_too_old`, `no_device`, `no_python`.
        reason: String,
        /// What is wrong.
        message: String,
        /// What to do.
        way_on: String,
    },
    /// A setting that the measuring program does not know how to run.
    Refused {
        /// Which.
        message: String,
    },
    /// The program ended without a result that could be understood.
    Garbled {
        /// What it printed last.
        message: String,
    },
    /// The user stopped it.
    Interrupted,
}

impl Outcome {
    /// Would the same run end the same way? Then a resumed validation leaves it be.
    pub fn is_settled(&self) -> bool {
        matches!(
            self,
            Outcome::Ran
                | Outcome::OutOfMemory { .. }
                | Outcome::Crashed { .. }
                | Outcome::TimedOut { .. }
                | Outcome::Refused { .. }
                | Outcome::Garbled { .. }
        )
    }
}

/// What was measured, in bytes where the name says so; absent what could not be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measured {
    /// Highest `torch.cuda.max_memory_allocated` of the training steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_allocated_bytes: Option<u64>,
    /// Highest `torch.cuda.max_memory_reserved` of the training steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_reserved_bytes: Option<u64>,
    /// Highest memory of the process on the card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_bytes: Option<u64>,
    /// How the process was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_source: Option<ProcessSource>,
    /// What the process holds beside the allocator when the steps have run: context, kernels, libraries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_bytes: Option<u64>,
    /// Highest memory in use on the card, by all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_bytes: Option<u64>,
    /// Memory in use on the card before the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_before_bytes: Option<u64>,
    /// Highest pinned host memory of torch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned_bytes: Option<u64>,
    /// Managed memory of paged optimizers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_bytes: Option<u64>,
    /// Every phase, in order.
    pub phases: Vec<PhaseReading>,
    /// Every step, in order.
    pub steps: Vec<StepReading>,
    /// What was alive at the peak.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breakdown: Option<Breakdown>,
    /// How long the whole run took, with its loading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// How often the card's own counters were read.
    pub samples: u32,
}

impl Measured {
    /// Seconds of a steady step: the last.
    pub fn seconds_per_step(&self) -> Option<f64> {
        self.steps.last().map(|step| step.seconds)
    }
}

/// How the process figure was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessSource {
    /// NVML's figure for the process.
    NvmlProcess,
    /// NVML's figure for the card, less what was in use before.
    NvmlDevice,
    /// The driver's free memory as the process sees it; what others hold counts with it.
    Driver,
}

/// One phase of a run: what the allocator had at its highest and what it left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseReading {
    /// `load`, `data`, `forward`, `backward`, `clip`, `optimizer`, `zero_grad`.
    pub phase: String,
    /// The step, 0 while loading.
    pub step: u32,
    /// The micro-batch within the step.
    pub micro: u32,
    /// Highest allocated.
    pub peak_allocated_bytes: u64,
    /// Highest reserved.
    pub peak_reserved_bytes: u64,
    /// Allocated at its end.
    pub end_allocated_bytes: u64,
    /// Reserved at its end.
    pub end_reserved_bytes: u64,
    /// Free memory of the card at its end, as the driver says.
    pub free_bytes: u64,
}

/// One training step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepReading {
    /// The step, from 1.
    pub step: u32,
    /// How long it took.
    pub seconds: f64,
}

/// What was alive at the highest point of the training steps, each allocation rounded up to 512 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breakdown {
    /// The phase.
    pub phase: String,
    /// The step.
    pub step: u32,
    /// The micro-batch.
    pub micro: u32,
    /// Bytes by category, named as the estimate's are.
    pub bytes: BTreeMap<String, u64>,
}
