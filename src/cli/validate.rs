//! `plimsoll validate`: real runs on this machine's card, and what they say of the estimates.

mod campaign;
mod chosen;
mod counters;
mod journal;
mod program;
mod progress;
mod repeats;
mod runner;
mod share;
mod view;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use self::campaign::Campaign;
use super::run_args::RunArgs;
use super::{Problems, Report};
use crate::scenario::Stack;
use crate::validate::{Dimension, Matrix};

/// Arguments of `plimsoll validate`.
#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "Without --matrix or --scenarios the one run is measured that the flags name, as `plimsoll estimate` \
                  takes them. --weights hub loads the model's own weights; otherwise they are random, made from its \
                  configuration."
)]
pub(super) struct ValidateArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Measure a built-in list of runs: quick (12), standard, full (up to 70B)
    #[arg(long, value_name = "NAME", help_heading = WHAT, conflicts_with = "scenarios")]
    matrix: Option<MatrixName>,
    /// Measure every scenario of a file: one JSON object or link a line
    #[arg(long, value_name = "FILE", help_heading = WHAT)]
    scenarios: Option<PathBuf>,
    /// Stacks of the matrix, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "hf,unsloth", help_heading = WHAT)]
    stacks: Vec<Stack>,
    /// Measure every run so often
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100), help_heading = WHAT)]
    repeat: u32,
    /// Find the longest sequence, or the largest batch, that really runs
    #[arg(long, value_name = "WHAT", num_args = 0..=1, default_missing_value = "seq", help_heading = WHAT,
          conflicts_with_all = ["matrix", "scenarios", "repeat"])]
    boundary: Option<DimensionName>,

    /// The Python to run; otherwise the active environment's, or the system's
    #[arg(long, value_name = "FILE", help_heading = HOW)]
    python: Option<PathBuf>,
    /// The file that records are appended to
    #[arg(long, value_name = "FILE", default_value = "plimsoll-runs.jsonl", help_heading = HOW)]
    out: PathBuf,
    /// Go on where an earlier validation ended: what the file holds is not run again
    #[arg(long, help_heading = HOW)]
    resume: bool,
    /// Start no new run after so many minutes
    #[arg(long, value_name = "N", help_heading = HOW)]
    minutes: Option<f64>,
    /// Time limit of one run in minutes
    #[arg(long, value_name = "N", default_value_t = 20.0, help_heading = HOW)]
    limit: f64,
    /// Do not keep the allocator's history: no breakdown, a little less host memory
    #[arg(long, help_heading = HOW)]
    no_history: bool,

    /// How far allocated may be off in percent; otherwise 1 with hf, 3 with unsloth
    #[arg(long, value_name = "PERCENT", help_heading = RESULT)]
    tolerance: Option<f64>,
    /// Also write the records without names, paths and serial numbers, ready to be contributed
    #[arg(long, value_name = "FILE", help_heading = RESULT)]
    share: Option<PathBuf>,
    /// Print the comparisons as JSON
    #[arg(long, help_heading = RESULT)]
    json: bool,
}

const WHAT: &str = "What is measured";
const HOW: &str = "How it is measured";
const RESULT: &str = "The result";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum MatrixName {
    Quick,
    Standard,
    Full,
}

impl From<MatrixName> for Matrix {
    fn from(name: MatrixName) -> Self {
        match name {
            MatrixName::Quick => Matrix::Quick,
            MatrixName::Standard => Matrix::Standard,
            MatrixName::Full => Matrix::Full,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DimensionName {
    Seq,
    Batch,
}

impl From<DimensionName> for Dimension {
    fn from(name: DimensionName) -> Self {
        match name {
            DimensionName::Seq => Dimension::Seq,
            DimensionName::Batch => Dimension::Batch,
        }
    }
}

impl ValidateArgs {
    pub(super) fn run(mut self) -> Result<Report, Problems> {
        let hub = self.run.take_hub();
        minutes("limit", Some(self.limit))?;
        let chosen = chosen::choose(&self, hub)?;
        Campaign::prepare(&self)?.run(chosen)
    }
}

/// Minutes as a duration.
fn minutes(flag: &str, minutes: Option<f64>) -> Result<Option<Duration>, Problems> {
    let Some(minutes) = minutes else { return Ok(None) };
    match Duration::try_from_secs_f64(minutes * 60.0) {
        Ok(duration) if minutes > 0.0 => Ok(Some(duration)),
        _ => Err(Problems::one(
            flag,
            format!("'{minutes}' is not a number of minutes above zero"),
        )),
    }
}
