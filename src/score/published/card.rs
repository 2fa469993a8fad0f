//! The card of a published run.

use super::fields::Published;
use crate::catalog::{self, Gpu};

/// Names that say less than the catalog's: the form with which such a card is usually rented.
const USUAL_FORMS: &[(&str, &str)] = &[
    ("a100 40", "a100-40gb-sxm"),
    ("a100 80", "a100-80gb-sxm"),
    ("h100 80", "h100-80gb-sxm"),
    ("h200 141", "h200-sxm"),
];

/// The card of this name and nominal memory.
pub(super) fn of(row: &Published) -> Option<&'static Gpu> {
    let name = row.gpu.as_deref()?;
    let plain = name
        .split(['-', ' '])
        .filter(|word| !matches!(*word, "NVIDIA" | "GeForce" | "Tesla"))
        .collect::<Vec<_>>()
        .join("-");
    catalog::gpu(name).or_else(|| catalog::gpu(&plain)).or_else(|| {
        let first = plain.split('-').next().unwrap_or_default().to_lowercase();
        let key = format!("{first} {:.0}", row.gpu_vram_gb?);
        let (_, slug) = USUAL_FORMS.iter().find(|(usual, _)| *usual == key)?;
        catalog::gpu(slug)
    })
}
