//! A scenario while a configuration is read: single fields at once, those that follow from several settings at the end.

use super::import::Remark;
use super::setting::Setting;
use crate::catalog;
use crate::scenario::{Autocast, Checkpointing, Method, ModelRef, Scenario, Targets, WeightFormat};
use serde_json::Value;

/// Mixed precision as trainers' flags say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    /// `bf16: true`: 16-bit weights, products under autocast.
    Bf16,
    /// `fp16: true`.
    Fp16,
    /// bf16 throughout, without autocast.
    PureBf16,
    /// fp16 throughout.
    PureFp16,
    /// fp32 throughout.
    Fp32,
}

/// What became of a setting.
pub(super) enum Taken {
    /// It is in the scenario.
    Yes,
    /// It is in the scenario, by the nearest that it can say.
    Noted(String),
    /// It says nothing.
    NoMatter,
    /// Nobody knows it.
    Unknown,
    /// It cannot be used, and why; the default is kept.
    Problem(String),
}

/// A scenario in the making.
pub(super) struct Draft {
    pub run: Scenario,
    pub four: Option<usize>,
    pub eight: Option<usize>,
    pub full: bool,
    pub fp4: bool,
    pub double_quant: bool,
    pub precision: Option<(Precision, usize)>,
    /// The dtype that the base is loaded in, where it is named apart.
    pub dtype: Option<WeightFormat>,
    pub checkpointing: bool,
    pub reentrant: bool,
    pub problems: Vec<Remark>,
}

impl Draft {
    pub fn new(run: Scenario) -> Self {
        Draft {
            run,
            four: None,
            eight: None,
            full: false,
            fp4: false,
            double_quant: false,
            precision: None,
            dtype: None,
            checkpointing: false,
            reentrant: false,
            problems: Vec::new(),
        }
    }

    pub fn problem(&mut self, key: &str, line: usize, text: impl Into<String>) {
        self.problems.push(Remark {
            key: key.into(),
            line,
            text: text.into(),
        });
    }

    /// Sets a field of the scenario from a value.
    pub fn set(&mut self, field: &str, value: &Value) -> Taken {
        let text = match value {
            Value::Null => return Taken::NoMatter,
            Value::String(text) => text.clone(),
            Value::Array(items) => {
                let names: Vec<_> = items.iter().filter_map(Value::as_str).collect();
                names.join(",")
            }
            other => other.to_string(),
        };
        match self.run.set(field, &text) {
            Ok(()) => Taken::Yes,
            Err(error) => Taken::Problem(error.problem),
        }
    }

    /// A precision flag that is on.
    pub fn precise(&mut self, setting: &Setting, precision: Precision) -> Taken {
        let on = match &setting.value {
            Value::Bool(on) => *on,
            // Axolotl: wherever the card can.
            Value::String(word) if word == "auto" => true,
            Value::Null => return Taken::NoMatter,
            _ => return not_a("truth value"),
        };
        if !on {
            return Taken::Yes;
        }
        if let Some((_, line)) = self.precision.filter(|(other, _)| *other != precision) {
            return Taken::Problem(format!(
                "contradicts the precision set on line {line}; the first counts"
            ));
        }
        self.precision = Some((precision, setting.line));
        Taken::Yes
    }

    /// `load_in_4bit` or `load_in_8bit`.
    pub fn bits(&mut self, setting: &Setting, four: bool) -> Taken {
        match setting.value {
            Value::Bool(true) if four => self.four = Some(setting.line),
            Value::Bool(true) => self.eight = Some(setting.line),
            Value::Bool(false) | Value::Null => {}
            _ => return not_a("truth value"),
        }
        Taken::Yes
    }

    /// A truth value into a place of the draft.
    pub fn flag(place: &mut bool, value: &Value) -> Taken {
        match value {
            Value::Bool(on) => {
                *place = *on;
                Taken::Yes
            }
            Value::Null => Taken::NoMatter,
            _ => not_a("truth value"),
        }
    }

    /// The model by the name that a loader takes: the catalog's, or a repository of Unsloth's that holds it.
    pub fn model(&mut self, value: &Value) -> Taken {
        let Some(name) = value.as_str() else {
            return not_a("model's name");
        };
        if name == super::settle::model_name(&self.run) && matches!(self.run.model, ModelRef::Config(_)) {
            return Taken::Yes;
        }
        if let Some(model) = catalog::model(name) {
            self.run.model = ModelRef::Catalog(model.id.clone());
            return Taken::Yes;
        }
        if let Some(mirror) = catalog::mirror(name) {
            let id = &mirror.model.id;
            self.run.model = ModelRef::Catalog(id.clone());
            return match mirror.listed {
                true => Taken::Yes,
                false => Taken::Noted(format!("'{name}' is taken for {id}, which has its name")),
            };
        }
        // A name that is not known stays: the estimate refuses it and names the nearest.
        self.run.model = ModelRef::Catalog(name.into());
        let near: Vec<_> = catalog::nearest_models(name, 3)
            .iter()
            .map(|model| model.id.as_str())
            .collect();
        let hint = match near.is_empty() {
            true => String::new(),
            false => format!("; nearest are {}", near.join(", ")),
        };
        Taken::Problem(format!("'{name}' is not in the catalog{hint}"))
    }

    /// Adapted modules: a word for all linear layers, or names.
    pub fn targets(&mut self, value: &Value, all: &str) -> Taken {
        let words: Vec<String> = match value {
            // PEFT matches a text that is no word of its own with the whole name of each module.
            Value::String(text) if text.contains(['*', '(', '[', '|', '\\', '^', '$', '+', '?']) => {
                let text = "a regular expression is not modelled; every linear layer is taken";
                return Taken::Problem(text.into());
            }
            Value::String(text) => text.split(',').map(|word| word.trim().into()).collect(),
            Value::Array(items) => items
                .iter()
                .filter_map(|item| item.as_str().map(Into::into))
                .collect(),
            Value::Null => return Taken::NoMatter,
            _ => return not_a("list of modules"),
        };
        self.run.lora.targets = match words.as_slice() {
            [word] if word == all || word == "all-linear" => Targets::all_linear(),
            _ => Targets::Modules(words),
        };
        Taken::Yes
    }

    /// What follows from several settings.
    pub fn finish(mut self) -> (Scenario, Vec<Remark>) {
        if let (Some(four), Some(eight)) = (self.four, self.eight) {
            let text = format!("contradicts 4-bit loading on line {four}, which counts");
            self.problem("load_in_8bit", eight, text);
        }
        let quantized = match (self.four, self.eight, self.fp4, self.double_quant) {
            (Some(_), _, false, true) => Some(WeightFormat::Nf4Dq),
            (Some(_), _, false, false) => Some(WeightFormat::Nf4),
            (Some(_), _, true, true) => Some(WeightFormat::Fp4Dq),
            (Some(_), _, true, false) => Some(WeightFormat::Fp4),
            (None, Some(_), ..) => Some(WeightFormat::Int8),
            (None, None, ..) => None,
        };
        if let (true, Some(line)) = (self.full, self.four.or(self.eight)) {
            self.problem(
                "load_in_4bit",
                line,
                "contradicts full fine-tuning; adapters are taken to be meant",
            );
        }
        let (wide, autocast) = match self.precision.map_or(Precision::Fp32, |(precision, _)| precision) {
            Precision::Bf16 => (WeightFormat::Bf16, Autocast::Bf16),
            Precision::Fp16 => (WeightFormat::Fp16, Autocast::Fp16),
            Precision::PureBf16 => (WeightFormat::Bf16, Autocast::Off),
            Precision::PureFp16 => (WeightFormat::Fp16, Autocast::Off),
            Precision::Fp32 => (WeightFormat::Fp32, Autocast::Off),
        };
        self.run.autocast = autocast;
        self.run.weights = quantized.unwrap_or(self.dtype.unwrap_or(wide));
        self.run.method = match quantized {
            Some(format) if format.is_4bit() => Method::Qlora,
            Some(_) => Method::Lora,
            None if self.full => Method::Full,
            None => Method::Lora,
        };
        self.run.checkpointing = match (self.checkpointing, self.reentrant) {
            (false, _) => Checkpointing::None,
            (true, false) => Checkpointing::Hf,
            (true, true) => Checkpointing::HfReentrant,
        };
        if self.run.method == Method::Full {
            self.run.lora = Scenario::for_stack(self.run.stack, Method::Full).lora;
        }
        (self.run, self.problems)
    }
}

/// The value is no such thing.
pub(super) fn not_a(what: &str) -> Taken {
    Taken::Problem(format!("is no {what}"))
}
