//! The run that a command is about: a whole scenario, changed by flags.

use clap::Args;

use super::Problems;
use super::flags::Flags;
use super::model_source::{self, Found, Which};
use super::scenario_source::{self, Source};
use crate::scenario::{FieldError, ModelRef, Scenario, WeightFormat};

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
        let found = self.flags.model.as_deref().map(model_source::find).transpose()?;
        if let Some(found) = &found {
            source.warnings.extend(found.warnings.iter().cloned());
        }
        match change(&mut source, &self.flags, found.as_ref()) {
            problems if problems.is_empty() => Ok(source),
            problems => Err(problems.into()),
        }
    }
}

/// Applies the flags: stack and method first, for they decide the defaults of the rest. Gives every problem of the flags
/// and of the scenario they make.
fn change(source: &mut Source, flags: &Flags, found: Option<&Found>) -> Vec<FieldError> {
    let Source { scenario, warnings } = source;
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
    if let Some(found) = found {
        let method = scenario.method;
        found.apply(scenario);
        // What was said of the method stays, and contradicts the files where it does.
        if flags.method.is_some() {
            scenario.method = method;
        }
    }
    problems.extend(own_model(scenario, flags, found, warnings));
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

/// What the flags say of a model outside the catalog: what it is treated as, and whether another storage is meant than
/// its files'. Gives what is wrong with that.
fn own_model(
    scenario: &mut Scenario,
    flags: &Flags,
    found: Option<&Found>,
    warnings: &mut Vec<String>,
) -> Option<FieldError> {
    let ModelRef::Config(config) = &mut scenario.model else {
        let named = flags.treat_as.is_some();
        return named.then(|| FieldError::new("treat_as", "is for models outside the catalog"));
    };
    if flags.treat_as.is_some() {
        config.treat_as.clone_from(&flags.treat_as);
    }
    if flags.weights.is_some()
        && let Some(method) = config
            .stored_as
            .take_if(|method| method.parse::<WeightFormat>().is_err())
    {
        warnings.push(format!(
            "the model's files hold {method}; estimated is its 16-bit original"
        ));
    }
    let own = match &found?.model {
        Which::Own(own) => own,
        Which::Catalog(_) => return None,
    };
    let explanations = own
        .check
        .iter()
        .filter(|check| !check.agrees)
        .flat_map(|check| &check.explanations);
    warnings.extend(own.remarks.iter().chain(explanations).cloned());
    let refused = own.refused.as_ref().filter(|_| flags.treat_as.is_none())?;
    let hint = own.nearest.map_or(String::new(), |name| {
        format!("; --treat-as {name} estimates it as that")
    });
    Some(FieldError::new("model", format!("{refused}{hint}")))
}
