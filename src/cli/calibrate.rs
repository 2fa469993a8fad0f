//! `plimsoll calibrate`: the calibration table from measured runs.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;

use super::score::{Rows, read_rows};
use super::style::HEAD;
use super::table::{Align, table};
use super::{Exit, Problems, Report};
use crate::estimate::calibration::{self, Table};
use crate::score::LineError;
use crate::validate::{Calibration, Observation, calibrate};

/// Arguments of `plimsoll calibrate`.
#[derive(Debug, Args)]
#[command(
    after_help = "The context is the process less what the allocator reserved, by compute capability and stack; \
                        the slack is reserved memory measured over replayed, by stack. Rows hold 5 %, 50 % and 95 % of \
                        runs, widened by the error that a card's runs would have had without that card."
)]
pub(super) struct CalibrateArgs {
    /// Files of measured runs, one JSON object a line; - reads standard input
    #[arg(required = true)]
    files: Vec<String>,
    /// Write the table, as src/estimate/calibration.json is written
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

impl CalibrateArgs {
    pub(super) fn run(&self) -> Result<Report, Problems> {
        let Rows { rows, lines, files } = read_rows(&self.files);
        let mut errors: Vec<_> = files
            .into_iter()
            .chain(lines.iter().map(LineError::to_string))
            .collect();
        let seen: Vec<_> = rows.iter().filter_map(|(_, row)| Observation::of(row)).collect();
        let done = calibrate(&seen, calibration::table());
        if let Some(path) = &self.write
            && let Err(error) = std::fs::write(path, written(&done.table)?)
        {
            errors.push(format!("write: {}: {error}", path.display()));
        }
        let report = match self.json {
            true => Report::json(&done)?,
            false => Report::text(view(&done, rows.len(), seen.len())),
        };
        Ok(Report {
            exit: if errors.is_empty() {
                Exit::Ok
            } else {
                Exit::BadInput
            },
            errors,
            ..report
        })
    }
}

/// The table, a row a line.
fn written(table: &Table) -> Result<String, Problems> {
    let lines = |rows: Vec<Result<String, serde_json::Error>>| -> Result<String, Problems> {
        let rows: Result<Vec<_>, _> = rows.into_iter().collect();
        Ok(rows?.join(",\n    "))
    };
    let contexts = lines(table.contexts.iter().map(serde_json::to_string).collect())?;
    let slack = lines(table.slack.iter().map(serde_json::to_string).collect())?;
    Ok(format!(
        "{{\n  \"contexts\": [\n    {contexts}\n  ],\n  \"slack\": [\n    {slack}\n  ]\n}}\n"
    ))
}

fn view(done: &Calibration, rows: usize, used: usize) -> String {
    let mut text = format!("{used} of {rows} rows name a card and what the allocator reserved on it\n\n");
    text += &contexts(&done.table);
    // Writing to a String cannot fail.
    text.push('\n');
    text += &slack(&done.table);
    text.push('\n');
    text += &left_out(done);
    let _ = match done.between_cards_percent {
        Some(error) => writeln!(
            text,
            "Intervals are widened by {error:.1} %, the error between cards."
        ),
        None => writeln!(
            text,
            "No generation has runs on two cards yet: how cards differ is not known, and intervals are as narrow as one \
             card's runs."
        ),
    };
    text
}

fn contexts(table_of: &Table) -> String {
    let columns = [
        ("from", Align::Right),
        ("stack", Align::Left),
        ("5 %", Align::Right),
        ("expected", Align::Right),
        ("95 %", Align::Right),
        ("runs", Align::Right),
        ("source", Align::Left),
    ];
    let rows: Vec<_> = table_of
        .contexts
        .iter()
        .map(|row| {
            let [low, expected, high] = row.mib.map(|mib| format!("{mib} MiB"));
            let stack = row.stack.map_or("any", |stack| stack.slug());
            let capability = format!("{}.{}", row.capability.0, row.capability.1);
            [
                capability,
                stack.into(),
                low,
                expected,
                high,
                row.runs.to_string(),
                row.source.clone(),
            ]
        })
        .collect();
    format!(
        "{HEAD}CUDA context and libraries{HEAD:#}\n{}",
        table(columns, &rows)
    )
}

fn slack(table_of: &Table) -> String {
    let columns = [
        ("stack", Align::Left),
        ("below", Align::Right),
        ("above", Align::Right),
        ("runs", Align::Right),
        ("source", Align::Left),
    ];
    let percent = |thousandths: u64| format!("{:.1} %", thousandths as f64 / 10.0);
    let rows: Vec<_> = table_of
        .slack
        .iter()
        .map(|row| {
            let stack = row.stack.map_or("any", |stack| stack.slug());
            [
                stack.into(),
                percent(row.below),
                percent(row.above),
                row.runs.to_string(),
                row.source.clone(),
            ]
        })
        .collect();
    format!(
        "{HEAD}reserved beside its replay{HEAD:#}\n{}",
        table(columns, &rows)
    )
}

fn left_out(done: &Calibration) -> String {
    if done.left_out.is_empty() {
        return String::new();
    }
    let columns = [
        ("left out", Align::Left),
        ("stack", Align::Left),
        ("runs", Align::Right),
        ("context", Align::Right),
        ("processes within", Align::Right),
    ];
    let rows: Vec<_> = done
        .left_out
        .iter()
        .map(|card| {
            let covered = card.covered.map(|share| format!("{:.0} %", share * 100.0));
            [
                card.card.clone(),
                card.stack.slug().into(),
                card.runs.to_string(),
                format!("{:+.1} %", card.context_error_percent),
                covered.unwrap_or_default(),
            ]
        })
        .collect();
    format!(
        "{HEAD}one card left out{HEAD:#}, judged by the others\n{}\n",
        table(columns, &rows)
    )
}
