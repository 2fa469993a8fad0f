//! What a run ran on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::catalog::{self, Gpu};

/// Card, driver, packages and settings. Nothing here says whose machine it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// The card, as it names itself.
    pub card: String,
    /// Its compute capability, such as `8.9`.
    pub compute_capability: String,
    /// Its streaming multiprocessors.
    pub multiprocessors: u32,
    /// Its memory as PyTorch sees it.
    pub total_bytes: u64,
    /// The driver's version, where NVML tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// The version of CUDA that torch is built for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cuda: Option<String>,
    /// The operating system.
    pub system: String,
    /// Versions of Python and of the packages that bear on memory.
    pub versions: BTreeMap<String, String>,
    /// Environment variables that bear on memory.
    pub settings: BTreeMap<String, String>,
}

impl Machine {
    /// The card in the catalog. One name may mean boards of several sizes: then the one whose memory is closest.
    pub fn gpu(&self) -> Option<&'static Gpu> {
        let named = catalog::gpu(&self.card)?;
        let board = |gpu: &&Gpu| gpu.renderer == named.renderer && gpu.architecture == named.architecture;
        catalog::gpus()
            .iter()
            .filter(board)
            .min_by_key(|gpu| gpu.usable_bytes().abs_diff(self.total_bytes))
            .or(Some(named))
    }
}
