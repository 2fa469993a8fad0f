//! `plimsoll gpus`: the cards of the catalog.

use clap::Args;

use super::models::{contains_all, no_match};
use super::table::{Align, table};
use super::{Problems, Report};
use crate::bytes::Bytes;
use crate::catalog::{self, ListedGpu};

/// Arguments of `plimsoll gpus`.
#[derive(Debug, Args)]
pub(super) struct GpusArgs {
    /// Words that the card's name, generation or maker contains
    filter: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl GpusArgs {
    pub(super) fn run(&self) -> Result<Report, Problems> {
        let gpus: Vec<_> = catalog::gpus()
            .iter()
            .filter(|gpu| {
                contains_all(
                    &self.filter,
                    &[&gpu.slug, &gpu.name, &gpu.architecture, &gpu.vendor],
                )
            })
            .map(ListedGpu::of)
            .collect();
        if gpus.is_empty() {
            let text = self.filter.join(" ");
            let nearest = catalog::nearest_gpus(&text, 3);
            return Err(no_match(
                "card",
                &text,
                nearest.iter().map(|gpu| gpu.slug.as_str()),
            ));
        }
        if self.json {
            return Report::json(&gpus);
        }
        let rows: Vec<[String; 6]> = gpus.iter().map(row).collect();
        let columns = [
            ("card", Align::Left),
            ("name", Align::Left),
            ("generation", Align::Left),
            ("capability", Align::Right),
            ("usable", Align::Right),
            ("computes in", Align::Left),
        ];
        Ok(Report::text(table(columns, &rows)))
    }
}

fn row(gpu: &ListedGpu) -> [String; 6] {
    let formats = match (gpu.bf16, gpu.fp8) {
        (true, true) => "bf16, fp8",
        (true, false) => "bf16",
        _ => "fp16",
    };
    [
        gpu.id.into(),
        gpu.name.into(),
        gpu.architecture.into(),
        gpu.compute_capability.unwrap_or("-").into(),
        Bytes(gpu.usable_bytes).to_string(),
        formats.into(),
    ]
}
