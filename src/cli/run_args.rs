//! The run that a command is about: a whole scenario, changed by flags.

use clap::Args;

use super::Problems;
use super::flags::Flags;
use super::scenario_source::{self, Source};
use crate::scenario::{FieldError, ModelRef, Scenario};

/// What names a run.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Start from a whole scenario: a JSON file, a Plimsoll URL or its fragment, a trainer's YAML or script, or - for
    /// standard input
    #[arg(long, value_name = "FILE|URL")]
    scenario: Option<String>,
    #[command(flatten)]
    flags: Flags,
}

impl RunArgs {
    /// Is a card named by a flag?
    pub(super) fn names_a_card(&self) -> bool {
        self.flags.fields().any(|(name, _)| name == "gpu")
    }

    /// Were weights of the Hub asked for (`--weights hub`)? That is no format, and taken away.
    pub(super) fn take_hub(&mut self) -> bool {
        let weights = &mut self.flags.weights;
        let hub = weights.as_deref() == Some("hub");
        if hub {
            *weights = None;
        }
        hub
    }

    /// The scenario that the user named, changed by the flags.
    ///
    /// # Errors
    /// Every field that cannot be used, at once.
    pub(super) fn scenario(&self) -> Result<Source, Problems> {
        let mut source = match &self.scenario {
            Some(name) => scenario_source::read(name)?,
            None => Source::default(),
        };
        match change(&mut source.scenario, &self.flags) {
            problems if problems.is_empty() => Ok(source),
            problems => Err(problems.into()),
        }
    }
}

/// Applies the flags: stack and method first, for they decide the defaults of the rest. Gives every problem of the flags
/// and of the scenario they make.
fn change(scenario: &mut Scenario, flags: &Flags) -> Vec<FieldError> {
    let mut problems = Vec::new();
    match flags.stack.as_deref().map(str::parse).transpose() {
        Ok(stack) => stack.into_iter().for_each(|stack| scenario.set_stack(stack)),
        Err(problem) => problems.push(problem),
    }
    match flags.method.as_deref().map(str::parse).transpose() {
        Ok(method) => method.into_iter().for_each(|method| scenario.set_method(method)),
        Err(problem) => problems.push(problem),
    }
    let decided = problems.is_empty();
    match flags.model.as_deref().map(model).transpose() {
        Ok(model) => model.into_iter().for_each(|model| scenario.model = model),
        Err(problem) => problems.push(problem),
    }
    // Weights that are named without a method say which method is meant.
    if let (Some(Ok(weights)), None) = (flags.weights.as_deref().map(str::parse), &flags.method) {
        scenario.set_weights(weights);
    }
    problems.extend(
        flags
            .fields()
            .filter_map(|(name, text)| scenario.set(name, text).err()),
    );
    // Without the stack and method that were meant, these contradict them for no fault of their own.
    let follows = |field: &str| matches!(field, "weights" | "checkpointing");
    problems.extend(
        scenario
            .problems()
            .into_iter()
            .filter(|problem| decided || !follows(&problem.field)),
    );
    problems
}

/// A Hub id, or the file of a `config.json`.
fn model(name: &str) -> Result<ModelRef, FieldError> {
    if !name.ends_with(".json") {
        return Ok(ModelRef::Catalog(name.into()));
    }
    let text = std::fs::read_to_string(name)
        .map_err(|error| FieldError::new("model", format!("{name}: {error}")))?;
    serde_json::from_str(&text).map_err(|error| FieldError::new("model", format!("{name}: {error}")))
}
