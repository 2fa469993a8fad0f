//! `plimsoll estimate`: one run, its memory, and whether it fits.

use clap::Args;

use super::estimate_view::view;
use super::run_args::RunArgs;
use super::scenario_source::Source;
use super::{Exit, Problems, Report};
use crate::estimate::{Verdict, estimate};

/// Arguments of `plimsoll estimate`.
#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "What is not said has the default of the stack and the method."
)]
pub(super) struct EstimateArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl EstimateArgs {
    pub(super) fn run(&self) -> Result<Report, Problems> {
        let Source { scenario, warnings } = self.run.scenario()?;
        let estimate = estimate(&scenario)?;
        let report = match self.json {
            true => Report::json(&estimate)?,
            false => Report::text(view(&scenario, &estimate)),
        };
        Ok(Report {
            warnings,
            exit: match estimate.verdict {
                Some(Verdict::Exceeds) => Exit::DoesNotFit,
                _ => Exit::Ok,
            },
            ..report
        })
    }
}
