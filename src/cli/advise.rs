//! `plimsoll advise`: what to do, for one run on one card.

use clap::Args;
use serde::Serialize;

use super::advise_view::view;
use super::run_args::RunArgs;
use super::scenario_source::Source;
use super::{Exit, Problems, Report};
use crate::advise::{self, Advice, Observed};
use crate::scenario::Scenario;

/// Arguments of `plimsoll advise`.
#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "A model and a card are enough: plimsoll advise --model ID --gpu ID"
)]
pub(super) struct AdviseArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Accuracy is worse than it should be: true or false
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    accuracy_drops: Option<bool>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Answer<'a> {
    scenario: &'a Scenario,
    #[serde(flatten)]
    advice: &'a Advice,
}

impl AdviseArgs {
    pub(super) fn run(&self) -> Result<Report, Problems> {
        let Source { scenario, warnings } = self.run.scenario()?;
        let observed = Observed {
            accuracy_drops: self.accuracy_drops,
        };
        let advice = advise::advise(&scenario, observed)?;
        let report = match self.json {
            true => Report::json(&Answer {
                scenario: &scenario,
                advice: &advice,
            })?,
            false => Report::text(view(&scenario, &advice)),
        };
        let beyond_help = scenario.gpu.is_some() && advice.settings.is_none();
        Ok(Report {
            warnings,
            exit: if beyond_help { Exit::DoesNotFit } else { Exit::Ok },
            ..report
        })
    }
}
