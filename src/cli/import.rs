//! `plimsoll import`: a trainer's configuration, read into a scenario.

use std::fmt::Write;
use std::io::Read;

use clap::Args;

use super::style::{DIM, HEAD};
use super::{Problems, Report};
use crate::export::{Imported, import};
use crate::scenario::{Difference, Scenario};

/// Arguments of `plimsoll import`.
#[derive(Debug, Args)]
#[command(after_help = "plimsoll estimate --scenario FILE reads the same files and estimates at once.")]
pub(super) struct ImportArgs {
    /// An Axolotl or LLaMA-Factory YAML, a Python script or its keyword arguments, training_args.json or
    /// adapter_config.json; - for standard input
    file: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl ImportArgs {
    pub(super) fn run(&self) -> Result<Report, Problems> {
        let text = match self.file.as_str() {
            "-" => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).map(|_| text)
            }
            file => std::fs::read_to_string(file),
        };
        let text = text.map_err(|error| Problems::one(&self.file, error))?;
        let imported = import(&text).map_err(|reason| Problems::one(&self.file, reason))?;
        let report = match self.json {
            true => Report::json(&imported)?,
            false => Report::text(view(&imported)),
        };
        Ok(Report {
            warnings: remarks(&imported),
            ..report
        })
    }
}

/// What its reader should know, a line each.
pub(super) fn remarks(imported: &Imported) -> Vec<String> {
    let all = imported
        .problems
        .iter()
        .chain(&imported.unknown)
        .chain(&imported.notes);
    all.map(ToString::to_string)
        .chain(imported.assumptions.iter().cloned())
        .collect()
}

fn view(imported: &Imported) -> String {
    let run = &imported.scenario;
    let mut text = format!("{HEAD}Read as {}{HEAD:#}\n", imported.source.label());
    let defaults = Scenario::for_stack(run.stack, run.method);
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "  {} {} on {}",
        run.stack.label(),
        run.method.label(),
        run.weights.label()
    );
    for Difference { field, to, .. } in defaults.differences(run) {
        let _ = writeln!(text, "  {field} = {to}");
    }
    if !imported.unread.is_empty() {
        let _ = writeln!(
            text,
            "{DIM}not read, for they hardly matter to memory or are not modelled: {}{DIM:#}",
            imported.unread.join(", ")
        );
    }
    let _ = writeln!(text, "link  #{}", run.to_fragment());
    text
}
