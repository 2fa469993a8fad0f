//! The native companion: parse, run, report.

use std::process::ExitCode;

use clap::Parser;
use plimsoll::cli::{Cli, Report};

fn main() -> ExitCode {
    Cli::parse().run().unwrap_or_else(Report::from).print()
}
