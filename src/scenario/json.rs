//! The scenario as JSON: fields left out have the defaults of the stack and method that the object names, and every
//! error names its field.

use super::{Method, Scenario, Stack, quoted};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

impl Serialize for Scenario {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Scenario::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Scenario {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(Map::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

fn read(given: Map<String, Value>) -> Result<Scenario, serde_json::Error> {
    let defaults = Scenario::default();
    let stack: Stack = first(&given, "stack", defaults.stack)?;
    let method: Method = first(&given, "method", defaults.method)?;
    let base = whole(&Scenario::for_stack(stack, method))?;
    for key in given.keys() {
        known(&base, key)?;
    }
    let mut full = base.clone();
    overlay(&mut full, given.clone())?;
    parse(full).map_err(|error| {
        // Serde names no field when a value has the wrong type: the first that cannot stand alone is the culprit.
        let culprit = one_by_one(given).into_iter().find_map(|(name, alone)| {
            let mut full = base.clone();
            overlay(&mut full, alone).ok()?;
            parse(full).err().map(|error| prefixed(&name, &error))
        });
        culprit.unwrap_or(error)
    })
}

/// The given fields, each in an object of its own, with its name.
fn one_by_one(given: Map<String, Value>) -> Vec<(String, Map<String, Value>)> {
    let alone = |key: String, value| Map::from_iter([(key, value)]);
    let mut fields = Vec::new();
    for (key, value) in given {
        match value {
            Value::Object(inner) if key == "lora" => fields.extend(inner.into_iter().map(|(name, value)| {
                let inner = Value::Object(alone(name.clone(), value));
                (name, alone("lora".into(), inner))
            })),
            value => fields.push((key.clone(), alone(key, value))),
        }
    }
    fields
}

/// One of the two fields that decide the defaults of the rest.
fn first<T: for<'a> Deserialize<'a>>(
    given: &Map<String, Value>,
    key: &str,
    default: T,
) -> Result<T, serde_json::Error> {
    match given.get(key) {
        Some(value) => T::deserialize(value).map_err(|error| prefixed(key, &error)),
        None => Ok(default),
    }
}

/// The error with the name of its field, unless it begins with it.
fn prefixed(field: &str, error: &serde_json::Error) -> serde_json::Error {
    let text = error.to_string();
    let names_itself = text
        .split_once(": ")
        .is_some_and(|(start, _)| !start.contains(' '));
    serde_json::Error::custom(if names_itself {
        text
    } else {
        format!("{field}: {text}")
    })
}

/// The derived reader, for which every field must be there.
fn parse(full: Map<String, Value>) -> Result<Scenario, serde_json::Error> {
    Scenario::deserialize(Value::Object(full))
}

fn whole(scenario: &Scenario) -> Result<Map<String, Value>, serde_json::Error> {
    match serde_json::to_value(scenario)? {
        Value::Object(fields) => Ok(fields),
        _ => Ok(Map::new()),
    }
}

/// Lays the given fields over the defaults, those of `lora` one by one.
fn overlay(full: &mut Map<String, Value>, given: Map<String, Value>) -> Result<(), serde_json::Error> {
    for (key, value) in given {
        match (full.get_mut(&key), value) {
            (Some(Value::Object(inner)), Value::Object(given)) if key == "lora" => {
                for (key, value) in given {
                    known(inner, &key)?;
                    inner.insert(key, value);
                }
            }
            (_, _) if key == "lora" => return Err(serde_json::Error::custom("lora: expected an object")),
            (_, value) => drop(full.insert(key, value)),
        }
    }
    Ok(())
}

fn known(fields: &Map<String, Value>, key: &str) -> Result<(), serde_json::Error> {
    if fields.contains_key(key) {
        return Ok(());
    }
    let hint = super::closest(key, fields.keys().map(String::as_str)).map_or_else(
        || {
            format!(
                "; known are {}",
                fields.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
            )
        },
        |near| format!("; did you mean '{near}'?"),
    );
    Err(serde_json::Error::custom(format!(
        "unknown field {}{hint}",
        quoted(key)
    )))
}

#[cfg(test)]
mod tests {
    use super::super::{Checkpointing, ModelRef, Optimizer, WeightFormat};
    use super::*;

    fn read(text: &str) -> Result<Scenario, String> {
        serde_json::from_str(text).map_err(|error: serde_json::Error| error.to_string())
    }

    #[test]
    fn fields_left_out_have_the_defaults_of_the_named_stack_and_method() {
        let run = read(r#"{"stack": "unsloth", "method": "lora", "lora": {"rank": 8}}"#).unwrap();
        assert_eq!(run.checkpointing, Checkpointing::Unsloth);
        assert_eq!(
            (run.weights, run.optimizer),
            (WeightFormat::Bf16, Optimizer::Adamw8bit)
        );
        assert_eq!((run.lora.rank, run.lora.alpha), (8, 16.0));
        assert_eq!(read("{}"), Ok(Scenario::default()));
    }

    #[test]
    fn every_error_names_its_field() {
        let message = |text| read(text).unwrap_err();
        assert_eq!(
            message(r#"{"bacth": 2}"#),
            "unknown field 'bacth'; did you mean 'batch'?"
        );
        assert_eq!(
            message(r#"{"lora": {"rang": 2}}"#),
            "unknown field 'rang'; did you mean 'rank'?"
        );
        assert_eq!(
            message(r#"{"batch": "two"}"#),
            "batch: invalid type: string \"two\", expected u64"
        );
        assert_eq!(
            message(r#"{"batch": -1}"#),
            "batch: invalid value: integer `-1`, expected u64"
        );
        assert_eq!(
            message(r#"{"stack": "torchtune"}"#),
            "stack: 'torchtune' is not known; use one of hf, unsloth"
        );
        assert_eq!(
            message(r#"{"lora": {"targets": 3}}"#),
            "targets: expected 'all-linear' or a list of module names"
        );
        assert_eq!(
            message(r#"{"lora": {"rank": 1.5}}"#),
            "rank: invalid type: floating point `1.5`, expected u64"
        );
        assert_eq!(message(r#"{"lora": []}"#), "lora: expected an object");
        assert_eq!(
            message(r#"{"model": {"hidden_size": "wide"}}"#),
            "model.hidden_size: invalid type: string \"wide\", expected u64"
        );
        assert_eq!(
            message(r#"{"model": 3}"#),
            "model: give a Hub id, or an object with the fields of a config.json"
        );
        assert!(message("[]").contains("expected a map"));
    }

    #[test]
    fn an_absent_card_is_the_default_and_null_is_none() {
        assert_eq!(read(r#"{"gpu": null}"#).unwrap().gpu, None);
        assert_eq!(read(r#"{"seq": 512}"#).unwrap().gpu.as_deref(), Some("rtx-4090"));
    }

    #[test]
    fn a_model_may_be_a_whole_config_json() {
        let run = read(
            r#"{"model": {"model_type": "llama", "hidden_size": 64, "use_cache": true, "head_dim": null}}"#,
        );
        let ModelRef::Config(config) = run.unwrap().model else {
            panic!("an inline model");
        };
        assert_eq!((config.model_type.as_str(), config.hidden_size), ("llama", 64));
    }
}
