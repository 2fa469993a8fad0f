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
    /// The card in the catalog, if it has as much memory there. One name may mean boards of several sizes: then the one
    /// that is closest. A slice of a card (MIG) is none.
    pub fn gpu(&self) -> Option<&'static Gpu> {
        let named = catalog::gpu(&self.card)?;
        let board = |gpu: &&Gpu| gpu.renderer == named.renderer && gpu.architecture == named.architecture;
        let apart = |gpu: &&Gpu| gpu.usable_bytes().abs_diff(self.total_bytes);
        let closest = catalog::gpus().iter().filter(board).min_by_key(apart)?;
        (apart(&closest) <= self.total_bytes / 10).then_some(closest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::GIB;

    fn slug(card: &str, gib: u64) -> Option<&'static str> {
        let machine = Machine {
            card: card.into(),
            total_bytes: gib * GIB,
            ..Machine::default()
        };
        machine.gpu().map(|gpu| gpu.slug.as_str())
    }

    #[test]
    fn a_card_is_known_by_its_name_and_memory() {
        assert_eq!(slug("NVIDIA GeForce RTX 4090", 23), Some("rtx-4090"));
        assert_eq!(slug("NVIDIA A100-SXM4-80GB", 79), Some("a100-80gb-sxm"));
        assert_eq!(slug("NVIDIA GeForce RTX 4090", 5), None);
        assert_eq!(slug("Toaster", 23), None);
    }
}
