//! `plimsoll inspect`: what a model's own files say.

use clap::Args;
use serde_json::{Map, Value};

use super::model_source::{self, Which};
use super::models::count;
use super::table::{Align, table};
use super::{Problems, Report};
use crate::bytes::Bytes;
use crate::catalog;
use crate::checkpoint::OwnModel;
use crate::scenario::Scenario;

/// Arguments of `plimsoll inspect`.
#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// Hub id, folder, config.json, safetensors file or index, adapter folder, or GGUF file
    model: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl InspectArgs {
    pub(super) fn run(&self) -> Result<Report, Problems> {
        let found = model_source::find(&self.model)?;
        let adapter = found.adapter.as_ref();
        let adapter = adapter.map_or_else(String::new, |adapter| format!("{}\n\n", adapter.words()));
        let report = match &found.model {
            Which::Catalog(id) => {
                let Some(model) = catalog::model(id) else {
                    let mut run = Scenario::default();
                    found.apply(&mut run);
                    return Err(run.problems().into());
                };
                match self.json {
                    true => Report::json(&model.config)?,
                    false => Report::text(format!(
                        "{adapter}{id}: of the catalog, {} weights\n{}",
                        count(model.computed_params),
                        fields(
                            &model
                                .config
                                .fields()
                                .map(|(key, value)| (key.to_owned(), value))
                                .collect()
                        )
                    )),
                }
            }
            Which::Own(own) if self.json => Report::json(own)?,
            Which::Own(own) => {
                let mut run = Scenario::default();
                found.apply(&mut run);
                Report::text(adapter + &view(own, &found.place, &run))
            }
        };
        Ok(Report {
            warnings: found.warnings,
            ..report
        })
    }
}

/// The model of a run, by its files.
fn view(own: &OwnModel, place: &str, run: &Scenario) -> String {
    let mut text = format!("{}: from {place}\n", own.config.label());
    if let Some(reason) = &own.refused {
        text.push_str(&format!("\nnot modelled: {reason}\n"));
    }
    for problem in run.problems() {
        text.push_str(&format!("\n{problem}"));
    }
    let config: Map<String, Value> = own
        .config
        .fields()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    text.push('\n');
    text.push_str(&fields(&config));
    if let Some(inventory) = &own.inventory {
        let rows: Vec<[String; 5]> = inventory
            .lines
            .iter()
            .map(|line| {
                [
                    line.part.label().into(),
                    line.dtype.into(),
                    line.tensors.to_string(),
                    count(line.weights),
                    Bytes(line.bytes).to_string(),
                ]
            })
            .collect();
        let columns = [
            ("stored", Align::Left),
            ("dtype", Align::Left),
            ("tensors", Align::Right),
            ("weights", Align::Right),
            ("bytes", Align::Right),
        ];
        text.push('\n');
        text.push_str(&table(columns, &rows));
    }
    if let Some(check) = &own.check {
        let word = if check.agrees { "agree" } else { "do not agree" };
        text.push_str(&format!(
            "\nconfiguration and files {word}: {} weights computed, {} stored\n",
            check.computed, check.stored
        ));
    }
    let explanations = own.check.iter().flat_map(|check| &check.explanations);
    for remark in own.remarks.iter().chain(explanations) {
        text.push_str(&format!("- {remark}\n"));
    }
    if !own.skip_modules.is_empty() {
        text.push_str(&format!("- in 16 bit stay {}\n", own.skip_modules.join(", ")));
    }
    text + &format!("\n#{}\n", run.to_fragment())
}

fn fields(config: &Map<String, Value>) -> String {
    let lines = config.iter().map(|(key, value)| match value {
        Value::String(text) => format!("  {key} = {text}\n"),
        value => format!("  {key} = {value}\n"),
    });
    lines.collect()
}
