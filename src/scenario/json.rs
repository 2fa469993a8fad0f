//! The scenario as JSON: fields left out have the defaults of the stack and method that the object names, and every
//! error names its field.

use super::number::json_number_text;
use super::{FieldError, Method, ModelRef, Scenario, Stack, cut, fields};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::str::FromStr;

impl<'de> Deserialize<'de> for Scenario {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = Map::deserialize(deserializer)?;
        Scenario::from_json(given).map_err(|problems| D::Error::custom(FieldError::list(&problems)))
    }
}

impl Scenario {
    /// Reads a JSON object, as [`Deserialize`] does.
    ///
    /// # Errors
    /// The first field that cannot be read; of an inline model all of them.
    pub fn from_json(given: Map<String, Value>) -> Result<Self, Vec<FieldError>> {
        let defaults = Scenario::default();
        let stack: Stack = first(&given, "stack", defaults.stack)?;
        let method: Method = first(&given, "method", defaults.method)?;
        let mut scenario = Scenario::for_stack(stack, method);
        for (key, value) in given {
            match (key.as_str(), value) {
                ("stack" | "method", _) => {}
                ("model", value) => scenario.model = ModelRef::from_json(value)?,
                ("lora", Value::Object(adapter)) => {
                    for (key, value) in adapter {
                        set(&mut scenario, true, &key, &value)?;
                    }
                }
                ("lora", _) => return Err(FieldError::new("lora", "expected an object").into()),
                (key, value) => set(&mut scenario, false, key, &value)?,
            }
        }
        Ok(scenario)
    }
}

impl From<FieldError> for Vec<FieldError> {
    fn from(problem: FieldError) -> Self {
        vec![problem]
    }
}

/// One of the two fields that decide the defaults of the rest.
fn first<T: FromStr<Err = FieldError>>(
    given: &Map<String, Value>,
    name: &str,
    default: T,
) -> Result<T, FieldError> {
    match given.get(name) {
        Some(value) => text(name, value)?.parse(),
        None => Ok(default),
    }
}

fn set(scenario: &mut Scenario, in_lora: bool, name: &str, value: &Value) -> Result<(), FieldError> {
    match fields::named(name).filter(|field| field.in_lora() == in_lora) {
        Some(field) => field.set(scenario, &text(name, value)?),
        None => Err(unknown(in_lora, name)),
    }
}

/// The value as a URL would write it.
fn text(name: &str, value: &Value) -> Result<String, FieldError> {
    match value {
        Value::Null => Ok("none".into()),
        Value::Bool(is) => Ok(is.to_string()),
        Value::Number(number) => Ok(json_number_text(number)),
        Value::String(text) => Ok(text.clone()),
        Value::Array(items) => {
            let items: Result<Vec<_>, _> = items.iter().map(|item| text(name, item)).collect();
            Ok(items?.join(","))
        }
        Value::Object(_) => Err(FieldError::new(name, "an object is not expected here")),
    }
}

fn unknown(in_lora: bool, name: &str) -> FieldError {
    let own = fields::ALL
        .iter()
        .filter(|field| field.in_lora() == in_lora)
        .map(|field| field.name);
    let more: &[&str] = if in_lora {
        &[]
    } else {
        &["model", "stack", "method", "lora"]
    };
    let names: Vec<&str> = own.chain(more.iter().copied()).collect();
    let hint = match super::closest(name, names.iter().copied()) {
        Some(near) => format!("did you mean '{near}'?"),
        None if fields::named(name).is_some_and(fields::Field::in_lora) => "it belongs into 'lora'".into(),
        None => format!("known are {}", names.join(", ")),
    };
    FieldError::new(cut(name), format!("is not a field of a scenario; {hint}"))
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
            "bacth: is not a field of a scenario; did you mean 'batch'?"
        );
        assert_eq!(
            message(r#"{"lora": {"rang": 2}}"#),
            "rang: is not a field of a scenario; did you mean 'rank'?"
        );
        assert_eq!(
            message(r#"{"batch": "two"}"#),
            "batch: 'two' is not a whole number between 1 and 65536"
        );
        assert_eq!(
            message(r#"{"batch": -1}"#),
            "batch: '-1' is not a whole number between 1 and 65536"
        );
        assert_eq!(
            message(r#"{"stack": "torchtune"}"#),
            "stack: 'torchtune' is not known; use one of hf, unsloth"
        );
        assert_eq!(
            message(r#"{"lora": {"targets": {}}}"#),
            "targets: an object is not expected here"
        );
        assert_eq!(
            message(r#"{"lora": {"rank": 1.5}}"#),
            "rank: '1.5' is not a whole number between 1 and 65536"
        );
        assert_eq!(message(r#"{"lora": []}"#), "lora: expected an object");
        assert_eq!(
            message(r#"{"model": {"hidden_size": "wide"}}"#),
            "model.hidden_size: expected a whole number, found \"wide\""
        );
        assert_eq!(
            message(r#"{"model": 3}"#),
            "model: give a Hub id, or an object with the fields of a config.json"
        );
        assert_eq!(
            message(r#"{"rank": 8}"#),
            "rank: is not a field of a scenario; it belongs into 'lora'"
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
