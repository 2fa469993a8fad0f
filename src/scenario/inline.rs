//! A model outside the catalog: its `config.json` fields, from JSON or written out in a URL as `config.hidden_size=4096`.

use super::FieldError;
use super::number::json_number_text;
use crate::model::HfConfig;
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

/// Keys that hold text.
const TEXTS: &[&str] = &[
    "model_type",
    "text_model_type",
    "hidden_act",
    "attention_bias_scope",
    "qk_norm",
    "hybrid_override_pattern",
    "name",
    "treat_as",
    "stored_as",
];

/// Reads the fields that can be read and names those that cannot, each with what is wrong with it.
#[inline(never)]
pub(super) fn read(keys: Map<String, Value>) -> (HfConfig, Vec<FieldError>) {
    let (config, problems) = HfConfig::read(keys);
    let named = |(key, problem)| FieldError::new(format!("model.{key}"), problem);
    (config, problems.into_iter().map(named).collect())
}

/// A configuration from the texts of its fields, as [`texts`] gives them, and what is wrong with those that cannot be
/// read.
pub fn from_texts<'t>(fields: impl IntoIterator<Item = (&'t str, &'t str)>) -> (HfConfig, Vec<FieldError>) {
    let mut keys = Map::new();
    for (key, text) in fields {
        parse(&mut keys, key, text);
    }
    read(keys)
}

/// The fields of a config that are not at zero or absent, as `(key, text)` for a URL. [`from_texts`] inverts it.
#[inline(never)]
pub fn texts(config: &HfConfig) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for (key, value) in config.fields() {
        match value {
            // An empty tower is still a tower.
            Value::Object(tower) if tower.is_empty() => pairs.push((key.into(), String::new())),
            Value::Object(tower) => {
                pairs.extend(
                    tower
                        .into_iter()
                        .map(|(inner, value)| (format!("{key}.{inner}"), text(&value))),
                );
            }
            // False is written: where the key is absent, some types tie the embeddings.
            Value::Bool(_) => pairs.push((key.into(), text(&value))),
            _ if is_required(key) && (value == 0 || value == "") => {}
            _ => pairs.push((key.into(), text(&value))),
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
        Value::Bool(is) => is.to_string(),
        Value::Number(number) => json_number_text(number),
        other => any_text(other),
    }
}

#[cold]
#[inline(never)]
fn any_text(value: &Value) -> String {
    value.to_string()
}

/// Puts one field of a URL into the keys: `key` is what follows `config.`.
#[inline(never)]
pub(super) fn parse(keys: &mut Map<String, Value>, key: &str, text: &str) {
    let value = if TEXTS.contains(&key) {
        // A name stays text, whatever it looks like.
        text.into()
    } else if LISTS.contains(&key) {
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
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    if let Ok(whole) = text.parse::<u64>() {
        return whole.into();
    }
    // Words that the standard library takes for numbers, such as "inf", are no JSON numbers and stay text.
    let number = super::number(text).and_then(Number::from_f64);
    number.map_or_else(|| text.into(), Value::Number)
}
