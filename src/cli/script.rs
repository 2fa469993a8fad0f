//! `plimsoll script`: a script or configuration that runs the scenario.

use clap::Args;

use super::run_args::RunArgs;
use super::scenario_source::Source;
use super::{Problems, Report};
use crate::export::{Target, script};
use crate::scenario::{Difference, Stack};

/// Arguments of `plimsoll script`.
#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "Where a trainer cannot run the scenario as it is, what it runs instead is said on standard error."
)]
pub(super) struct ScriptArgs {
    #[arg(long = "for", value_name = "TRAINER", help = trainers())]
    target: Option<String>,
    /// Print JSON: the text, the scenario that it runs, and the differences
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    run: RunArgs,
}

fn trainers() -> String {
    let all: Vec<_> = Target::ALL.iter().map(|target| target.slug()).collect();
    format!("What runs it: {}; without one that of the stack", all.join(", "))
}

impl ScriptArgs {
    pub(super) fn run(&self) -> Result<Report, Problems> {
        let Source {
            scenario,
            mut warnings,
        } = self.run.scenario()?;
        let target = match (&self.target, scenario.stack) {
            (Some(name), _) => name
                .parse()
                .map_err(|error: String| Problems::one("for", error))?,
            (None, Stack::Unsloth) => Target::Unsloth,
            (None, Stack::Hf) => Target::Transformers,
        };
        let script = script(&scenario, target).map_err(|reason| Problems::one(target.slug(), reason))?;
        for Difference { field, from, to } in &script.differences {
            warnings.push(format!("{field}: the {} runs {to}, not {from}", target.label()));
        }
        warnings.extend(script.notes.iter().map(ToString::to_string));
        let report = match self.json {
            true => Report::json(&script)?,
            false => Report::text(script.text),
        };
        Ok(Report { warnings, ..report })
    }
}
