//! The fields of a scenario by name, each read from and written as text: what URLs are made of.
//!
//! `model`, `stack` and `method` are not among them: they come first and decide the defaults of the rest.

use super::limits::Limit;
use super::{FieldError, Scenario, Targets, quoted};
use std::str::FromStr;

/// A field that can be read and set as text. What `get` writes, `set` reads back as the same value.
pub(super) struct Field {
    pub name: &'static str,
    pub get: fn(&Scenario) -> String,
    pub set: fn(&mut Scenario, &str) -> Result<(), FieldError>,
}

/// `field!("name", path.in.scenario, write, read)`
macro_rules! field {
    ($name:literal, $($path:ident).+, $write:path, $read:path) => {
        Field {
            name: $name,
            get: |scenario| $write(&scenario.$($path).+),
            set: |scenario, text| {
                scenario.$($path).+ = $read($name, text)?;
                Ok(())
            },
        }
    };
}

/// Every field, in the order in which URLs name them.
pub(super) const ALL: &[Field] = &[
    field!("weights", weights, ToString::to_string, choice),
    field!("rank", lora.rank, ToString::to_string, count),
    field!("alpha", lora.alpha, ToString::to_string, number),
    field!("dropout", lora.dropout, ToString::to_string, number),
    field!("targets", lora.targets, write_targets, targets),
    field!("use_dora", lora.use_dora, ToString::to_string, flag),
    field!("use_rslora", lora.use_rslora, ToString::to_string, flag),
    field!("modules_to_save", lora.modules_to_save, write_names, names),
    field!("adapter_dtype", lora.adapter_dtype, ToString::to_string, choice),
    field!("prepare_kbit", prepare_kbit, ToString::to_string, flag),
    field!("seq", seq, ToString::to_string, count),
    field!("batch", batch, ToString::to_string, count),
    field!("grad_accum", grad_accum, ToString::to_string, count),
    field!("optimizer", optimizer, ToString::to_string, choice),
    field!("checkpointing", checkpointing, ToString::to_string, choice),
    field!("attention", attention, ToString::to_string, choice),
    field!("sdpa_backend", sdpa_backend, ToString::to_string, choice),
    field!("autocast", autocast, ToString::to_string, choice),
    field!("padding", padding, ToString::to_string, flag),
    field!("clip", clip, ToString::to_string, flag),
    field!("use_cache", use_cache, ToString::to_string, flag),
    field!("harness", harness, ToString::to_string, choice),
    field!("keep_outputs", keep_outputs, ToString::to_string, flag),
    field!("liger", liger, ToString::to_string, flag),
    field!("float8", float8, ToString::to_string, choice),
    field!(
        "expandable_segments",
        expandable_segments,
        ToString::to_string,
        flag
    ),
    field!("compute_capability", compute_capability, write_optional, optional),
    field!("gpu", gpu, write_optional, optional),
];

/// The field of this name.
pub(super) fn named(name: &str) -> Option<&'static Field> {
    ALL.iter().find(|field| field.name == name)
}

impl Scenario {
    /// Sets one field from text, by its name in URLs: all but `model`, `stack` and `method`, which decide the defaults
    /// of the rest.
    ///
    /// # Errors
    /// The field is not known, or cannot have this value; it keeps the one it had.
    pub fn set(&mut self, field: &str, text: &str) -> Result<(), FieldError> {
        let known = named(field).ok_or_else(|| FieldError::new(field, "is not a field of a scenario"))?;
        (known.set)(self, text)
    }
}

fn choice<T: FromStr<Err = FieldError>>(_: &str, text: &str) -> Result<T, FieldError> {
    text.parse()
}

fn count(name: &str, text: &str) -> Result<u64, FieldError> {
    let limit = Limit::of(name);
    let value = text.parse().map_err(|_| {
        FieldError::new(
            name,
            format!(
                "{} is not a whole number between 1 and {}",
                quoted(text),
                limit.most
            ),
        )
    })?;
    limit.check(name, value)
}

fn number(name: &str, text: &str) -> Result<f64, FieldError> {
    let value = text.parse().ok().filter(|value: &f64| value.is_finite());
    value.ok_or_else(|| FieldError::new(name, format!("{} is not a number", quoted(text))))
}

fn flag(name: &str, text: &str) -> Result<bool, FieldError> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "on" | "yes" => Ok(true),
        "false" | "0" | "off" | "no" => Ok(false),
        _ => Err(FieldError::new(
            name,
            format!("{} is neither true nor false", quoted(text)),
        )),
    }
}

fn optional(_: &str, text: &str) -> Result<Option<String>, FieldError> {
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty() && text != "none"))
}

fn write_optional(value: &Option<String>) -> String {
    value.clone().unwrap_or_else(|| "none".into())
}

fn targets(_: &str, text: &str) -> Result<Targets, FieldError> {
    Ok(match text {
        "all-linear" => Targets::all_linear(),
        _ => Targets::Modules(split(text)),
    })
}

fn write_targets(targets: &Targets) -> String {
    match targets {
        Targets::Word(word) => word.clone(),
        Targets::Modules(modules) => modules.join(","),
    }
}

fn names(_: &str, text: &str) -> Result<Vec<String>, FieldError> {
    Ok(split(text))
}

fn write_names(names: &[String]) -> String {
    names.join(",")
}

fn split(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(Into::into)
        .collect()
}
