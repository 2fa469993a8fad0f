//! What a widget lets its reader change: a few fields of a scenario, each with its words.

use super::view::cards;
use crate::catalog;
use crate::scenario::{
    Checkpointing, FieldError, Method, ModelRef, Optimizer, Scenario, Stack, WeightFormat,
};
use serde::Serialize;
use tsify::Tsify;

/// A value that a control offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Tsify)]
pub struct Choice {
    /// As links write it.
    pub value: &'static str,
    /// As a person reads it.
    pub label: &'static str,
    /// Under which it is listed; empty where the list is short.
    pub group: &'static str,
}

/// A field that can be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Tsify)]
pub struct Control {
    /// The field, as links name it.
    pub name: &'static str,
    /// What a person reads beside it.
    pub label: &'static str,
    /// The value, as links write it.
    pub value: String,
    /// What can be chosen; empty for a number.
    pub choices: Vec<Choice>,
}

/// Every control: the field and its words.
const ALL: &[(&str, &str)] = &[
    ("model", "Model"),
    ("gpu", "Card"),
    ("stack", "Stack"),
    ("method", "Method"),
    ("weights", "Base weights"),
    ("rank", "LoRA rank"),
    ("seq", "Sequence length"),
    ("batch", "Micro-batch"),
    ("grad_accum", "Accumulation"),
    ("optimizer", "Optimizer"),
    ("checkpointing", "Checkpointing"),
];

/// The controls of these names, with the scenario's values; and a problem for every name that is none.
pub fn controls(scenario: &Scenario, names: &str) -> (Vec<Control>, Vec<FieldError>) {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for name in names
        .split([',', ' '])
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        match ALL.iter().find(|(known, _)| *known == name) {
            Some(&(name, label)) => known.push(Control {
                name,
                label,
                value: value(scenario, name),
                choices: choices(scenario, name),
            }),
            None => {
                let names = ALL.iter().map(|(name, _)| *name);
                unknown.push(FieldError::choice("controls", name, names));
            }
        }
    }
    (known, unknown)
}

/// The names of all controls, with what a person reads beside them.
pub fn all() -> Vec<Choice> {
    let choice = |&(value, label): &(&'static str, &'static str)| Choice {
        value,
        label,
        group: "",
    };
    ALL.iter().map(choice).collect()
}

/// The scenario with one control at another value; what depends on it goes along, as on the page.
///
/// # Errors
/// The field cannot have this value.
pub fn change(scenario: &mut Scenario, name: &str, value: &str) -> Result<(), FieldError> {
    match name {
        "model" => scenario.model = ModelRef::Catalog(value.to_owned()),
        "stack" => scenario.set_stack(value.parse()?),
        "method" => scenario.set_method(value.parse()?),
        "weights" => *scenario = scenario.with_weights(value.parse()?),
        _ => scenario.set(name, value)?,
    }
    Ok(())
}

fn value(scenario: &Scenario, name: &str) -> String {
    match name {
        "model" => match &scenario.model {
            ModelRef::Catalog(id) => catalog::model(id).map_or(id, |model| &model.id).clone(),
            ModelRef::Config(_) => String::new(),
        },
        "gpu" => scenario.card().map_or("none", |card| &card.slug).into(),
        "stack" => scenario.stack.to_string(),
        "method" => scenario.method.to_string(),
        "weights" => scenario.weights.to_string(),
        "rank" => scenario.lora.rank.to_string(),
        "seq" => scenario.seq.to_string(),
        "batch" => scenario.batch.to_string(),
        "grad_accum" => scenario.grad_accum.to_string(),
        "optimizer" => scenario.optimizer.to_string(),
        _ => scenario.checkpointing.to_string(),
    }
}

/// The choices of a closed field.
macro_rules! all {
    ($type:ty) => {
        <$type>::ALL
            .iter()
            .map(|v| Choice {
                value: v.slug(),
                label: v.label(),
                group: "",
            })
            .collect()
    };
}

fn choices(scenario: &Scenario, name: &str) -> Vec<Choice> {
    match name {
        "model" => models(scenario),
        "gpu" => gpus(),
        "stack" => all!(Stack),
        "method" => all!(Method),
        "weights" => all!(WeightFormat),
        "optimizer" => all!(Optimizer),
        "checkpointing" => all!(Checkpointing),
        _ => Vec::new(),
    }
}

/// The models that can be replayed, and a first line for one that the link spells out.
fn models(scenario: &Scenario) -> Vec<Choice> {
    let own = matches!(scenario.model, ModelRef::Config(_)).then_some(Choice {
        value: "",
        label: "the link's own model",
        group: "",
    });
    let known = catalog::models().iter().filter(|model| model.refused().is_none());
    let known = known.map(|model| Choice {
        value: &model.id,
        label: &model.id,
        group: &model.family,
    });
    own.into_iter().chain(known).collect()
}

fn gpus() -> Vec<Choice> {
    let none = Choice {
        value: "none",
        label: "no card",
        group: "",
    };
    let cards = cards().map(|card| Choice {
        value: &card.slug,
        label: &card.name,
        group: &card.architecture,
    });
    std::iter::once(none).chain(cards).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_has_the_scenarios_value_among_its_choices_and_takes_it_back() {
        let run = Scenario::default();
        let names: Vec<_> = ALL.iter().map(|(name, _)| *name).collect();
        let (controls, unknown) = controls(&run, &names.join(","));
        assert_eq!((controls.len(), unknown), (ALL.len(), vec![]));
        for control in controls {
            let offered = control.choices.iter().any(|choice| choice.value == control.value);
            assert!(offered || control.choices.is_empty(), "{control:?}");
            let mut again = run.clone();
            change(&mut again, control.name, &control.value).unwrap();
            assert_eq!(again, run, "{}", control.name);
        }
    }

    #[test]
    fn an_unknown_control_is_named_with_those_that_there_are() {
        let (known, unknown) = controls(&Scenario::default(), "gpu, colour");
        assert_eq!(known.len(), 1);
        assert!(
            unknown[0]
                .to_string()
                .starts_with("controls: 'colour' is not known; use one of model, gpu,")
        );
    }

    #[test]
    fn what_depends_on_a_choice_goes_along() {
        let mut run = Scenario::default();
        change(&mut run, "weights", "bf16").unwrap();
        assert_eq!(run.method, Method::Lora);
        assert_eq!(change(&mut run, "seq", "long").unwrap_err().field, "seq");
    }
}
