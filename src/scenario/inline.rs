//! A model outside the catalog: its `config.json` fields, from JSON or written out in a URL as `config.hidden_size=4096`.

use super::FieldError;
use crate::model::HfConfig;
use serde::Deserialize;
use serde_json::{Map, Number, Value};

/// Keys that hold lists; in a URL their elements are separated by commas.
const LISTS: &[&str] = &[
    "layer_types_pattern",
    "layer_types",
    "cross_attention_layers",
    "full_attn_idxs",
    "vision_config.deepstack_visual_indexes",
    "vision_config.fullatt_block_indexes",
    "vision_config.intermediate_layers_indices",
];

/// Reads the fields that can be read and names those that cannot, each with what is wrong with it.
pub(super) fn read(keys: Map<String, Value>) -> (HfConfig, Vec<FieldError>) {
    match from_keys(&keys) {
        Ok(config) => (config, Vec::new()),
        // Serde names no field when a value has the wrong type: try them one by one.
        Err(_) => {
            let mut problems = Vec::new();
            let mut sound = Map::new();
            for (key, value) in keys {
                match from_keys(&Map::from_iter([(key.clone(), value.clone())])) {
                    Ok(_) => drop(sound.insert(key, value)),
                    Err(error) => problems.push(FieldError::new(format!("model.{key}"), error.to_string())),
                }
            }
            (from_keys(&sound).unwrap_or_default(), problems)
        }
    }
}

fn from_keys(keys: &Map<String, Value>) -> Result<HfConfig, serde_json::Error> {
    <HfConfig as Deserialize>::deserialize(Value::Object(keys.clone()))
}

/// The fields of a config that are not at zero or absent, as `(key, text)` for a URL. [`parse`] and [`read`] invert it.
pub(super) fn write(config: &HfConfig) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    // A config has only plain fields: it cannot fail to be written.
    if let Ok(Value::Object(keys)) = serde_json::to_value(config) {
        for (key, value) in keys {
            match value {
                Value::Object(tower) => {
                    // An empty tower is still a tower.
                    if tower.is_empty() {
                        pairs.push((key, String::new()));
                        continue;
                    }
                    pairs.extend(
                        tower
                            .into_iter()
                            .map(|(inner, value)| (format!("{key}.{inner}"), text(&value))),
                    );
                }
                // Written even when false: where it is absent, some types tie the embeddings.
                Value::Bool(_) => pairs.push((key, text(&value))),
                _ if is_required(&key) && (value == 0 || value == "") => {}
                _ => pairs.push((key, text(&value))),
            }
        }
    }
    pairs
}

/// Fields that are zero or empty when absent.
fn is_required(key: &str) -> bool {
    matches!(
        key,
        "model_type"
            | "vocab_size"
            | "hidden_size"
            | "intermediate_size"
            | "num_hidden_layers"
            | "num_attention_heads"
    )
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// Puts one field of a URL into the keys: `key` is what follows `config.`.
pub(super) fn parse(keys: &mut Map<String, Value>, key: &str, text: &str) {
    let value = if LISTS.contains(&key) {
        Value::Array(
            text.split(',')
                .filter(|item| !item.is_empty())
                .map(scalar)
                .collect(),
        )
    } else {
        scalar(text)
    };
    match key.split_once('.') {
        None if key == "vision_config" => drop(keys.entry(key).or_insert_with(|| Value::Object(Map::new()))),
        None => drop(keys.insert(key.into(), value)),
        Some((outer, inner)) => {
            let outer = keys.entry(outer).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(outer) = outer {
                outer.insert(inner.into(), value);
            }
        }
    }
}

fn scalar(text: &str) -> Value {
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => match text.parse::<Number>() {
            Ok(number) => Value::Number(number),
            Err(_) => Value::String(text.into()),
        },
    }
}

/// Does this field of a URL say anything? Zeros say nothing and are let pass.
pub(super) fn is_known(key: &str, text: &str) -> bool {
    let mut alone = Map::new();
    parse(&mut alone, key, text);
    let unread = from_keys(&alone).is_ok_and(|config| config == HfConfig::default());
    !unread || matches!(text, "" | "0" | "false")
}
