//! The command line of the native companion: a thin door to [`estimate`](crate::estimate::estimate), the
//! [`catalog`](crate::catalog) and [`score`](crate::score). Nothing is computed here.

mod accuracy;
mod advise;
mod advise_view;
mod calibrate;
mod doctor;
mod estimate;
mod estimate_view;
mod explain;
mod flags;
mod gpus;
mod import;
mod inspect;
mod model_source;
mod models;
mod report;
mod run_args;
mod scenario_source;
mod score;
mod score_view;
mod script;
mod solve;
mod style;
mod table;
mod validate;

pub use report::{Exit, Problems, Report};

use clap::{Parser, Subcommand};

/// Will this fine-tuning run fit on that card? Replays one training step, allocation by allocation.
#[derive(Debug, Parser)]
#[command(name = "plimsoll", version, about, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str =
    "Exit codes: 0 it fits, or all is well; 1 it does not fit, or is beyond the tolerance; 2 bad input.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Estimate the memory of one run and say whether it fits
    Estimate(Box<estimate::EstimateArgs>),
    /// Say what to do: the decision tree, what each change saves, and settings that fit
    Advise(Box<advise::AdviseArgs>),
    /// Solve for the longest sequence, largest batch, rank and model, and the smallest and cheapest card
    Solve(Box<solve::SolveArgs>),
    /// Look at the cards of this machine, and say what they are good for
    Doctor(Box<doctor::DoctorArgs>),
    /// Write a script or configuration that runs the scenario
    Script(Box<script::ScriptArgs>),
    /// Read a trainer's configuration into a scenario
    Import(import::ImportArgs),
    /// Hold published claims about memory against a run
    Explain(Box<explain::ExplainArgs>),
    /// Show what a model's own files say: of the Hub, a folder, a config.json, a safetensors or GGUF header
    Inspect(inspect::InspectArgs),
    /// List the models of the catalog
    Models(models::ModelsArgs),
    /// List the cards of the catalog
    Gpus(gpus::GpusArgs),
    /// Hold estimates against measured runs
    Score(score::ScoreArgs),
    /// Write the accuracy of the estimates as a page with charts, or as Markdown
    Report(accuracy::ReportArgs),
    /// Recompute the calibration table from measured runs
    Calibrate(calibrate::CalibrateArgs),
    /// Measure real runs on this machine's card and hold the estimates against them
    Validate(Box<validate::ValidateArgs>),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Problems`] hold one line for everything that cannot be used.
    pub fn run(self) -> Result<Report, Problems> {
        match self.command {
            Command::Estimate(args) => args.run(),
            Command::Advise(args) => args.run(),
            Command::Solve(args) => args.run(),
            Command::Doctor(args) => args.run(),
            Command::Script(args) => args.run(),
            Command::Import(args) => args.run(),
            Command::Explain(args) => args.run(),
            Command::Inspect(args) => args.run(),
            Command::Models(args) => args.run(),
            Command::Gpus(args) => args.run(),
            Command::Score(args) => args.run(),
            Command::Report(args) => args.run(),
            Command::Calibrate(args) => args.run(),
            Command::Validate(args) => args.run(),
        }
    }
}
