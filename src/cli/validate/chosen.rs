//! What is to be measured: one run, a file of them, a matrix, or a boundary.

use super::ValidateArgs;
use crate::cli::scenario_source::Source;
use crate::cli::{Problems, scenario_source};
use crate::scenario::Scenario;
use crate::validate::{Dimension, Run, Weights, matrix};

/// What is to be measured.
pub(super) enum Chosen {
    /// Runs, in this order.
    Runs(Vec<Run>),
    /// The largest size at which this runs.
    Boundary(Box<Scenario>, Dimension, Weights),
}

/// Reads what the user chose.
///
/// # Errors
/// Every field that cannot be used.
pub(super) fn choose(args: &ValidateArgs, hub: bool) -> Result<Chosen, Problems> {
    let weights = if hub { Weights::Hub } else { Weights::Random };
    if let Some(name) = args.matrix {
        return Ok(Chosen::Runs(repeated(
            matrix(name.into(), &args.stacks, weights),
            args.repeat,
        )));
    }
    if let Some(file) = &args.scenarios {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Problems::one("scenarios", format!("{}: {error}", file.display())))?;
        let runs = from_file(&file.display().to_string(), &text, weights)?;
        return Ok(Chosen::Runs(repeated(runs, args.repeat)));
    }
    let Source { scenario, .. } = args.run.scenario()?;
    match args.boundary {
        Some(dimension) => Ok(Chosen::Boundary(Box::new(scenario), dimension.into(), weights)),
        None => Ok(Chosen::Runs(repeated(
            vec![Run::new(scenario, weights, 1)],
            args.repeat,
        ))),
    }
}

fn from_file(file: &str, text: &str, weights: Weights) -> Result<Vec<Run>, Problems> {
    let (mut runs, mut problems) = (Vec::new(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() {
            continue;
        }
        match scenario_source::parse(line) {
            Ok(Source { scenario, .. }) => match scenario.problems() {
                found if found.is_empty() => runs.push(Run::new(scenario, weights, 1)),
                found => problems.extend(found.iter().map(|p| format!("{file}:{}: {p}", index + 1))),
            },
            Err(Problems(found)) => {
                problems.extend(found.iter().map(|p| format!("{file}:{}: {p}", index + 1)))
            }
        }
    }
    if runs.is_empty() && problems.is_empty() {
        problems.push(format!("{file}: holds no scenario"));
    }
    match problems.is_empty() {
        true => Ok(runs),
        false => Err(Problems(problems)),
    }
}

/// Every run so often, the repetitions behind each other.
fn repeated(runs: Vec<Run>, times: u32) -> Vec<Run> {
    runs.into_iter()
        .flat_map(|run| (1..=times).map(move |time| Run::new(run.scenario.clone(), run.weights_from, time)))
        .collect()
}
