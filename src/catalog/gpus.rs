//! The cards: memory, capability, speed, and how a browser names them.

use super::nearest;
use super::row::Row;
use super::shelf::{Shelf, embedded};
use crate::bytes::{GIB, MIB};
use serde::Deserialize;
use serde_json::Value;
use std::sync::OnceLock;

/// A card, or one of the devices that software sees where a board has two.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Gpu {
    /// Stable name in URLs and on the command line, such as `rtx-4090` or `a100-80gb-sxm`.
    pub slug: String,
    /// Shorter slugs, such as `a100-80gb`; one that leaves the memory open means the smallest card.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The name shown to a person.
    pub name: String,
    /// `nvidia`, `amd` or `intel`.
    pub vendor: String,
    /// Generation, such as `Ada Lovelace`.
    pub architecture: String,
    /// CUDA compute capability, such as `8.9`; NVIDIA only.
    #[serde(default)]
    pub compute_capability: Option<String>,
    /// Compiler target of other vendors, such as `gfx942`.
    #[serde(default)]
    pub target: Option<String>,
    /// `desktop`, `laptop`, `workstation` or `server`.
    pub form: String,
    /// Nominal memory of the board.
    pub memory_gib: u64,
    /// Devices that software sees on one board, each with an equal share of the memory.
    #[serde(default = "one")]
    pub devices: u64,
    /// Total that `nvidia-smi` shows, where a public log states it.
    #[serde(default)]
    pub reported_memory_mib: Option<u64>,
    /// The same by analogy with a card of the same board.
    #[serde(default)]
    pub reported_memory_mib_inferred: Option<u64>,
    /// Totals that PyTorch printed in public logs; they vary with the driver.
    #[serde(default)]
    pub torch_total_gib_seen: Vec<f64>,
    /// Memory bandwidth.
    pub bandwidth_gb_s: f64,
    /// Does the hardware compute in bf16?
    pub bf16: bool,
    /// Does it compute in fp8?
    pub fp8: bool,
    /// Does it compute in fp4?
    pub fp4: bool,
    /// PCI device ids, four hexadecimal digits each.
    pub pci_device_ids: Vec<String>,
    /// `GPUAdapterInfo.vendor` in Chrome.
    pub webgpu_vendor: String,
    /// `GPUAdapterInfo.architecture` in Chrome; empty where Chrome knows none (Hopper and newer server cards).
    #[serde(default)]
    pub webgpu_architecture: String,
    /// The name within WebGL's renderer string; see [`super::gpus_by_renderer`].
    pub renderer: String,
    /// What is doubtful or peculiar about this row.
    #[serde(default)]
    pub note: Option<String>,
}

fn one() -> u64 {
    1
}

/// What stands behind [`Gpu::usable_bytes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsableBasis {
    /// A total that PyTorch printed on this card.
    Seen,
    /// What `nvidia-smi` shows (or a card of the same board does), less a margin.
    Reported,
    /// The nominal size; for NVIDIA less the margin.
    Nominal,
}

/// PyTorch sees less than `nvidia-smi` shows, by what the driver keeps. Of the cards for which both numbers are known
/// (Linux; 12 to 141 GB), the gap is 2.1 to 2.9 % up to 16 GB and 324 to 637 MiB above, the A100 80 GB (869 MiB) and
/// H200 (718 MiB) apart, whose own totals are known. For the others: 3 %, at most 640 MiB.
fn driver_margin(reported_mib: u64) -> u64 {
    (reported_mib * 3 / 100).min(640)
}

/// Windows and WSL subtract nothing; a total closer than this to the reported one was read there.
const NOTHING_KEPT_MIB: u64 = 64;

impl Gpu {
    /// Device memory that PyTorch can see, in bytes: the ceiling for context, allocator and everything else.
    ///
    /// The smallest total seen in a public log; else what the driver reports less a margin; else the nominal size.
    pub fn usable_bytes(&self) -> u64 {
        self.usable().0
    }

    /// What [`Gpu::usable_bytes`] rests on.
    pub fn usable_basis(&self) -> UsableBasis {
        self.usable().1
    }

    fn usable(&self) -> (u64, UsableBasis) {
        let reported = self.reported_memory_mib.or(self.reported_memory_mib_inferred);
        let seen = self
            .torch_total_gib_seen
            .iter()
            .copied()
            .reduce(f64::min)
            .map(|gib| (gib * GIB as f64) as u64);
        if let Some(seen) =
            seen.filter(|seen| reported.is_none_or(|r| seen + NOTHING_KEPT_MIB * MIB < r * MIB))
        {
            return (seen, UsableBasis::Seen);
        }
        if let Some(reported) = reported {
            return ((reported - driver_margin(reported)) * MIB, UsableBasis::Reported);
        }
        let nominal = self.memory_gib * 1024 / self.devices.max(1);
        let margin = if self.vendor == "nvidia" {
            driver_margin(nominal)
        } else {
            0
        };
        ((nominal - margin) * MIB, UsableBasis::Nominal)
    }
}

pub(super) static GPUS: Shelf<Gpu> = Shelf::new(read);

/// Every card, by vendor and generation.
pub fn gpus() -> &'static [Gpu] {
    GPUS.rows(embedded!("data/gpus.json"))
}

fn read(row: Value) -> Gpu {
    let mut row = Row::from(row);
    let seen = row.list("torch_total_gib_seen");
    Gpu {
        slug: row.text("slug"),
        aliases: row.texts("aliases"),
        name: row.text("name"),
        vendor: row.text("vendor"),
        architecture: row.text("architecture"),
        compute_capability: row.maybe_text("compute_capability"),
        target: row.maybe_text("target"),
        form: row.text("form"),
        memory_gib: row.whole("memory_gib"),
        devices: row.maybe_whole("devices").unwrap_or_else(one),
        reported_memory_mib: row.maybe_whole("reported_memory_mib"),
        reported_memory_mib_inferred: row.maybe_whole("reported_memory_mib_inferred"),
        torch_total_gib_seen: seen.iter().filter_map(Value::as_f64).collect(),
        bandwidth_gb_s: row.number("bandwidth_gb_s"),
        bf16: row.flag("bf16"),
        fp8: row.flag("fp8"),
        fp4: row.flag("fp4"),
        pci_device_ids: row.texts("pci_device_ids"),
        webgpu_vendor: row.text("webgpu_vendor"),
        webgpu_architecture: row.text("webgpu_architecture"),
        renderer: row.text("renderer"),
        note: row.maybe_text("note"),
    }
}

/// The card with this slug, alias or name, however it is written: `rtx-4090`, `RTX 4090`,
/// `NVIDIA GeForce RTX 4090`, `NVIDIA A100-SXM4-80GB`.
pub fn gpu(slug_or_name: &str) -> Option<&'static Gpu> {
    static NAMES: OnceLock<Vec<(String, &'static Gpu)>> = OnceLock::new();
    if gpus().is_empty() {
        return None;
    }
    let names = NAMES.get_or_init(|| {
        let own = gpus()
            .iter()
            .flat_map(|gpu| own_names(gpu).map(move |name| (plain(name), gpu)));
        // A renderer's name that two cards share means the first, which is the smaller.
        own.chain(gpus().iter().map(|gpu| (plain(&gpu.renderer), gpu)))
            .collect()
    });
    let wanted = plain(slug_or_name);
    names
        .iter()
        .find(|(name, _)| *name == wanted)
        .map(|(_, gpu)| *gpu)
}

/// Up to `n` cards whose names are closest to a text: those that contain its words first, then those spelt alike.
pub fn nearest_gpus(text: &str, n: usize) -> Vec<&'static Gpu> {
    nearest::nearest(text, gpus(), n, |gpu, best| {
        own_names(gpu).map(best).fold(0.0, f64::max)
    })
}

fn own_names(gpu: &Gpu) -> impl Iterator<Item = &str> {
    [&gpu.slug, &gpu.name]
        .into_iter()
        .chain(&gpu.aliases)
        .map(String::as_str)
}

/// Letters and digits in lower case, without the maker's names.
fn plain(name: &str) -> String {
    name.to_ascii_lowercase()
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !matches!(*word, "nvidia" | "geforce" | "tesla" | "amd" | "intel"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn all_cards_are_read() {
        let parsed: Result<Vec<Gpu>, _> = serde_json::from_str(include_str!("data/gpus.json"));
        assert_eq!(parsed.map_err(|e| e.to_string()).as_deref(), Ok(gpus()));
        assert_eq!(gpus().len(), 137);
    }

    #[test]
    fn slugs_and_aliases_name_one_card_each() {
        let mut owner = HashMap::new();
        for gpu in gpus() {
            for name in std::iter::once(&gpu.slug).chain(&gpu.aliases) {
                assert_eq!(owner.insert(plain(name), &gpu.slug), None, "{name}");
            }
        }
    }

    #[test]
    fn every_name_of_a_card_leads_to_it() {
        for card in gpus() {
            for name in own_names(card) {
                assert_eq!(gpu(name).map(|g| &g.slug), Some(&card.slug), "{name}");
                let loud = format!("NVIDIA {}", name.to_uppercase().replace('-', " "));
                assert_eq!(gpu(&loud).map(|g| &g.slug), Some(&card.slug), "{loud}");
            }
        }
    }

    #[test]
    fn names_of_nvidia_smi_and_short_names_are_understood() {
        let slug = |name| gpu(name).map(|g| g.slug.as_str());
        assert_eq!(slug("NVIDIA A100-SXM4-80GB"), Some("a100-80gb-sxm"));
        assert_eq!(slug("NVIDIA H100 80GB HBM3"), Some("h100-80gb-sxm"));
        assert_eq!(slug("a100-80gb"), Some("a100-80gb-sxm"));
        assert_eq!(slug("h100"), Some("h100-80gb-sxm"));
        assert_eq!(slug("Tesla T4"), Some("t4"));
        assert_eq!(slug(""), None);
        assert_eq!(slug("rtx"), None);
    }

    #[test]
    fn no_card_offers_more_than_it_has() {
        for gpu in gpus() {
            let nominal = gpu.memory_gib * GIB / gpu.devices;
            assert!(gpu.usable_bytes() <= nominal, "{}", gpu.slug);
            assert!(gpu.usable_bytes() * 10 >= nominal * 9, "{}", gpu.slug);
            if let Some(reported) = gpu.reported_memory_mib {
                assert!(gpu.usable_bytes() < reported * MIB, "{}", gpu.slug);
            }
        }
    }

    #[test]
    fn usable_memory_is_what_was_seen_where_it_was_seen() {
        let of = |slug| gpu(slug).map(|g| (g.usable_bytes() / MIB, g.usable_basis()));
        assert_eq!(of("rtx-4090"), Some((24_074, UsableBasis::Seen)));
        assert_eq!(of("t4"), Some((14_911, UsableBasis::Seen)));
        // Read on Windows, where the driver subtracts nothing: the margin applies.
        assert_eq!(
            of("rtx-4070-ti-super"),
            Some((16_376 - 491, UsableBasis::Reported))
        );
        assert_eq!(of("titan-v"), Some((12_288 - 368, UsableBasis::Nominal)));
        assert_eq!(of("mi250x"), Some((64 * 1024, UsableBasis::Nominal)));
    }

    #[test]
    fn misspelt_cards_lead_to_the_one_that_was_meant() {
        let first = |text| nearest_gpus(text, 1).first().map(|g| g.slug.as_str());
        assert_eq!(first("4090"), Some("rtx-4090"));
        assert_eq!(first("rtx-490"), Some("rtx-4090"));
        assert_eq!(first("A100 80"), Some("a100-80gb-sxm"));
        assert_eq!(first("qqqqqqqqqqqq"), None);
    }
}
