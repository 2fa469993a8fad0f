//! `plimsoll doctor`: the cards of this machine, what they compute in, and whether a run fits the memory that is free now.

mod nvml;
mod view;

use clap::Args;
use serde::Serialize;

use super::advise_view;
use super::run_args::RunArgs;
use super::scenario_source::Source;
use super::{Exit, Problems, Report};
use crate::advise::{self, Observed};
use crate::catalog;
use crate::estimate::{Estimate, Verdict, estimate};
use crate::scenario::Scenario;

/// Arguments of `plimsoll doctor`.
#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "Reads NVIDIA cards through the driver's library (NVML). Without a driver, name a card: --gpu ID"
)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One card of this machine, as the driver tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Local {
    /// The driver's name for it.
    name: String,
    /// Compute capability.
    capability: (u32, u32),
    /// Memory, as `nvidia-smi` shows it.
    total_bytes: u64,
    /// Memory that nothing holds now.
    free_bytes: u64,
    /// Processes that hold memory.
    processes: Vec<Process>,
}

/// A process that holds memory of a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Process {
    pid: u32,
    name: Option<String>,
    /// Nothing where the driver does not tell, as on Windows.
    used_bytes: Option<u64>,
}

/// The driver, and its cards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Machine {
    driver: Option<String>,
    /// The highest version of CUDA that the driver serves, as (major, minor).
    cuda: Option<(u32, u32)>,
    cards: Vec<Local>,
}

/// A run on one card, with the memory that is free there now.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Checkup {
    card: Local,
    /// The card's slug, where the catalog knows it.
    gpu: Option<&'static str>,
    /// The run on it.
    scenario: Scenario,
    estimate: Option<Estimate>,
    /// Does it fit what is free now?
    verdict_now: Option<Verdict>,
    headroom_now_bytes: Option<i64>,
    /// Why there is no estimate.
    refused: Option<String>,
}

impl DoctorArgs {
    pub(super) fn run(&self) -> Result<Report, Problems> {
        let Source { scenario, warnings } = self.run.scenario()?;
        match nvml::machine() {
            Ok(machine) => {
                let checkups: Vec<_> = machine
                    .cards
                    .iter()
                    .map(|card| checkup(&scenario, card))
                    .collect();
                let report = match self.json {
                    true => Report::json(&(&machine, &checkups))?,
                    false => Report::text(self.text(&machine, &checkups)),
                };
                Ok(Report { warnings, ..report })
            }
            Err(why) if self.run.names_a_card() => {
                let advice = advise::advise(&scenario, Observed::default())?;
                let text = advise_view::view(&scenario, &advice);
                Ok(Report {
                    warnings: warnings.into_iter().chain([why]).collect(),
                    ..Report::text(text)
                })
            }
            Err(why) => Ok(Report {
                warnings,
                errors: vec![
                    why,
                    "name a card to be told about it: plimsoll doctor --gpu ID (plimsoll gpus lists them)"
                        .into(),
                ],
                exit: Exit::BadInput,
                ..Report::default()
            }),
        }
    }

    fn text(&self, machine: &Machine, checkups: &[Checkup]) -> String {
        let mut text = view::machine(machine);
        for checkup in checkups {
            text += &view::checkup(checkup);
            if let Ok(advice) = advise::advise(&checkup.scenario, Observed::default()) {
                text += "\n";
                text += &advise_view::view(&checkup.scenario, &advice);
            }
        }
        text
    }
}

/// The run on a card of this machine, held against what is free there.
fn checkup(scenario: &Scenario, card: &Local) -> Checkup {
    let known = catalog::gpu(&card.name);
    let scenario = Scenario {
        gpu: known.map(|gpu| gpu.slug.clone()),
        compute_capability: match known {
            Some(_) => None,
            None => Some(format!("{}.{}", card.capability.0, card.capability.1)),
        },
        ..scenario.clone()
    };
    let estimate = estimate(&scenario);
    // The driver keeps a part of what it shows; the catalog knows how much of this card.
    let usable = known.map_or(card.free_bytes, |gpu| card.free_bytes.min(gpu.usable_bytes()));
    let room = estimate.as_ref().ok().map(|estimate| estimate.on(usable));
    Checkup {
        card: card.clone(),
        gpu: known.map(|gpu| gpu.slug.as_str()),
        scenario,
        verdict_now: room.map(|room| room.verdict),
        headroom_now_bytes: room.map(|room| room.headroom),
        refused: estimate.as_ref().err().map(ToString::to_string),
        estimate: estimate.ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::GIB;

    fn local(name: &str, free: u64) -> Local {
        Local {
            name: name.into(),
            capability: (8, 9),
            total_bytes: 24 * GIB,
            free_bytes: free,
            processes: vec![Process {
                pid: 7,
                name: Some("python3".into()),
                used_bytes: Some(3 * GIB),
            }],
        }
    }

    #[test]
    fn a_run_is_held_against_what_is_free_now() {
        let run = Scenario::default();
        let empty = checkup(&run, &local("NVIDIA GeForce RTX 4090", 24 * GIB));
        assert_eq!(
            (empty.gpu, empty.verdict_now),
            (Some("rtx-4090"), Some(Verdict::Fits))
        );
        let busy = checkup(&run, &local("NVIDIA GeForce RTX 4090", 8 * GIB));
        assert_eq!(busy.verdict_now, Some(Verdict::Exceeds));
        assert_eq!(
            busy.estimate.as_ref().and_then(|e| e.verdict),
            Some(Verdict::Fits)
        );
        let text = anstream::adapter::strip_str(&view::checkup(&busy)).to_string();
        assert!(text.contains("python3 (pid 7): 3.00 GiB"), "{text}");
        assert!(text.contains("does not fit what is free now"), "{text}");
    }

    #[test]
    fn a_card_that_the_catalog_lacks_is_judged_by_its_capability() {
        let strange = checkup(&Scenario::default(), &local("NVIDIA Something New", 20 * GIB));
        assert_eq!(strange.gpu, None);
        assert_eq!(strange.scenario.compute_capability.as_deref(), Some("8.9"));
        assert_eq!(strange.verdict_now, Some(Verdict::Fits));
    }
}
