//! `plimsoll score`: estimates held against measured runs.

use std::io::Read;

use clap::Args;

use super::score_view::view;
use super::{Exit, Problems, Report};
use crate::scenario::Scenario;
use crate::score::{self, LineError, Row, RowScore};

/// Arguments of `plimsoll score`.
#[derive(Debug, Args)]
pub(super) struct ScoreArgs {
    /// Files of measured runs, one JSON object a line; - reads standard input
    #[arg(required = true)]
    files: Vec<String>,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    /// Print one JSON line a row instead of the summary
    #[arg(long, conflicts_with = "json")]
    rows: bool,
    /// Count also by a field of the scenario, such as checkpointing, optimizer, model or lora.rank
    #[arg(long, value_name = "FIELD")]
    by: Option<String>,
}

impl ScoreArgs {
    pub(super) fn run(&self) -> Result<Report, Problems> {
        let by = self.by.as_deref();
        check_field(by)?;
        let Rows { rows, lines, files } = read_rows(&self.files);
        let rows: Vec<_> = rows.iter().map(|(file, row)| RowScore::of(row, file)).collect();
        let errors: Vec<_> = files
            .into_iter()
            .chain(lines.iter().map(LineError::to_string))
            .collect();
        let report = self.show(&rows, lines)?;
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

    fn show(&self, rows: &[RowScore], errors: Vec<LineError>) -> Result<Report, Problems> {
        if self.rows {
            let lines: Result<Vec<_>, _> = rows.iter().map(serde_json::to_string).collect();
            return Ok(Report::text(lines?.into_iter().map(|line| line + "\n").collect()));
        }
        let report = score::Report::of(rows, self.by.as_deref(), errors);
        match self.json {
            true => Report::json(&report),
            false => Ok(Report::text(view(&report, self.by.as_deref()))),
        }
    }
}

/// The rows of several files, each with its file's name, and what could not be read.
pub(super) struct Rows {
    pub rows: Vec<(String, Row)>,
    /// Lines that are no rows.
    pub lines: Vec<LineError>,
    /// Files that cannot be read.
    pub files: Vec<String>,
}

/// Reads files of measured runs; `-` is standard input.
pub(super) fn read_rows(names: &[String]) -> Rows {
    let (mut rows, mut lines, mut files) = (Vec::new(), Vec::new(), Vec::new());
    for file in names {
        match read(file) {
            Ok(text) => {
                let (read, errors) = score::read(file, &text);
                rows.extend(read.into_iter().map(|row| (file.clone(), row)));
                lines.extend(errors);
            }
            Err(error) => files.push(format!("{file}: {error}")),
        }
    }
    Rows { rows, lines, files }
}

fn read(file: &str) -> std::io::Result<Vec<u8>> {
    if file != "-" {
        return std::fs::read(file);
    }
    let mut text = Vec::new();
    std::io::stdin().read_to_end(&mut text)?;
    Ok(text)
}

/// Is it a field of a scenario?
fn check_field(name: Option<&str>) -> Result<(), Problems> {
    let Some(name) = name else { return Ok(()) };
    let scenario = serde_json::to_value(Scenario::default())?;
    match name.split('.').try_fold(&scenario, |value, part| value.get(part)) {
        Some(_) => Ok(()),
        None => {
            let fields: Vec<_> = scenario
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, _)| name.as_str())
                .collect();
            Err(Problems::one(
                "by",
                format!("'{name}' is not a field; use one of {}", fields.join(", ")),
            ))
        }
    }
}
