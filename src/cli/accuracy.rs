//! `plimsoll report`: how accurate the estimates are, for others to read.

mod charts;
mod markdown;
mod page;

use std::path::PathBuf;

use clap::Args;

use super::score::{Rows, read_rows};
use super::{Exit, Problems, Report};
use crate::score::{self, LineError, RowScore, Summary};

/// Arguments of `plimsoll report`.
#[derive(Debug, Args)]
#[command(after_help = "Without --html, Markdown is printed.")]
pub(super) struct ReportArgs {
    /// Files of measured runs, one JSON object a line; - reads standard input
    #[arg(required = true)]
    files: Vec<String>,
    /// Write a page with charts, whole in one file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write Markdown to a file instead of printing it
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

/// What a report is made of.
struct Accuracy {
    rows: Vec<RowScore>,
    /// By source, and overall.
    score: score::Report,
    /// The same rows by a field: its title, and a summary a value.
    groups: Vec<(&'static str, Vec<Summary>)>,
}

/// What rows are grouped by.
const FIELDS: [(&str, &str); 3] = [("stack", "stack"), ("method", "method"), ("card", "gpu")];

impl Accuracy {
    fn of(rows: Vec<RowScore>, lines: Vec<LineError>) -> Self {
        let by = |field| score::Report::of(&rows, Some(field), Vec::new()).groups;
        Accuracy {
            groups: FIELDS.iter().map(|(title, field)| (*title, by(*field))).collect(),
            score: score::Report::of(&rows, None, lines),
            rows,
        }
    }
}

impl ReportArgs {
    pub(super) fn run(&self) -> Result<Report, Problems> {
        let Rows { rows, lines, files } = read_rows(&self.files);
        let mut errors: Vec<_> = files
            .into_iter()
            .chain(lines.iter().map(LineError::to_string))
            .collect();
        let scored = rows.iter().map(|(file, row)| RowScore::of(row, file)).collect();
        let accuracy = Accuracy::of(scored, lines);
        let markdown = markdown::text(&accuracy);
        let mut write = |flag, path: &PathBuf, text: &str| {
            if let Err(error) = std::fs::write(path, text) {
                errors.push(format!("{flag}: {}: {error}", path.display()));
            }
        };
        if let Some(path) = &self.markdown {
            write("markdown", path, &markdown);
        }
        if let Some(path) = &self.html {
            let page = page::html(&accuracy).map_err(|error| Problems::one("charts", error))?;
            write("html", path, &page);
        }
        let printed = self.html.is_none() && self.markdown.is_none();
        Ok(Report {
            text: if printed { markdown } else { String::new() },
            exit: if errors.is_empty() {
                Exit::Ok
            } else {
                Exit::BadInput
            },
            errors,
            ..Report::default()
        })
    }
}
