//! The configuration classes of transformers: what their arguments are when a row leaves them out.
//!
//! `config_classes.json` holds, for every text configuration class of the catalog's architectures, its `model_type` and
//! the defaults it declares in transformers 5.17.0 (token ids, epsilons and rotary frequencies left out: they cost no
//! memory). What a class declares as null it works out from the other fields, as the model does here.

use serde_json::{Map, Value};

use super::Refusal;
use crate::model::{HfConfig, unsupported_reason};

const CLASSES: &str = include_str!("config_classes.json");

/// Arguments that change values and no sizes.
const WITHOUT_MEMORY: &[&str] = &[
    "_name_or_path",
    "architectures",
    "attention_multiplier",
    "bos_token_id",
    "dtype",
    "embedding_multiplier",
    "eos_token_id",
    "initializer_range",
    "layer_norm_eps",
    "logits_scaling",
    // Only where a window is switched on, which is not modelled.
    "max_window_layers",
    "norm_eps",
    "original_max_position_embeddings",
    "pad_token_id",
    "pretraining_tp",
    "query_pre_attn_scalar",
    "residual_multiplier",
    "rms_norm_eps",
    "rope_theta",
    "routed_scaling_factor",
    "torch_dtype",
    "transformers_version",
];

/// Arguments that classes take without declaring them.
const UNDECLARED: &[&str] = &[
    "global_head_dim",
    "head_dim",
    "num_global_key_value_heads",
    "partial_rotary_factor",
    "sliding_window_pattern",
];

/// The configuration that a class makes of its arguments.
///
/// # Errors
/// Refuses a class that is not known, an architecture that cannot be replayed, a value of the wrong type, and an
/// argument that differs from the class's default and is not modelled.
pub(super) fn config(class: &str, arguments: &Map<String, Value>) -> Result<HfConfig, Refusal> {
    let classes: Map<String, Value> =
        serde_json::from_str(CLASSES).map_err(|error| Refusal(format!("config classes: {error}")))?;
    let Some(Value::Object(defaults)) = classes.get(class) else {
        return Err(Refusal(format!("config class '{class}' is not known")));
    };
    let config = made(defaults, arguments)?;
    if let Some(reason) = unsupported_reason(&config) {
        return Err(Refusal(reason));
    }
    for (name, value) in arguments {
        if WITHOUT_MEMORY.contains(&name.as_str()) || defaults.get(name) == Some(value) {
            continue;
        }
        let is_argument = defaults.contains_key(name) || UNDECLARED.contains(&name.as_str());
        let is_other = matches!(name.as_str(), "model_type" | "use_sliding_window");
        // What changes nothing of the configuration as it is modelled is not modelled.
        let mut others = arguments.clone();
        others.remove(name);
        if !is_argument || is_other || made(defaults, &others)? == config {
            return Err(Refusal(format!("model.config: '{name}' is not modelled")));
        }
    }
    Ok(config)
}

fn made(defaults: &Map<String, Value>, arguments: &Map<String, Value>) -> Result<HfConfig, Refusal> {
    let mut merged = defaults.clone();
    merged.extend(
        arguments
            .iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    // As the classes that have the switch do: no window unless it is switched on.
    if merged.get("use_sliding_window") == Some(&Value::Bool(false)) {
        merged.insert("sliding_window".into(), Value::Null);
    }
    serde_json::from_value(Value::Object(merged)).map_err(|error| Refusal(format!("model.config: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(class: &str, arguments: Value) -> Result<HfConfig, String> {
        let Value::Object(arguments) = arguments else {
            panic!("an object")
        };
        config(class, &arguments).map_err(|refusal| refusal.0)
    }

    #[test]
    fn every_class_names_its_model_type() {
        let classes: Map<String, Value> = serde_json::from_str(CLASSES).unwrap();
        for (class, defaults) in &classes {
            assert!(defaults["model_type"].is_string(), "{class}");
            let read: Result<HfConfig, _> = serde_json::from_value(defaults.clone());
            assert!(read.is_ok(), "{class}: {read:?}");
        }
    }

    #[test]
    fn an_argument_left_out_has_the_default_of_its_class() {
        let mistral = of("MistralConfig", json!({"hidden_size": 1024})).unwrap();
        assert_eq!(mistral.model_type, "mistral");
        assert_eq!(mistral.hidden_size, 1024);
        assert_eq!(mistral.intermediate_size, 14336);
        assert_eq!(mistral.num_key_value_heads, Some(8));
        assert_eq!(mistral.sliding_window, Some(4096));
        assert_eq!(of("Qwen3Config", json!({})).unwrap().head_dim, Some(128));
        assert_eq!(of("LlamaConfig", json!({})).unwrap().head_dim, None);
    }

    #[test]
    fn an_argument_that_is_null_is_not_left_out() {
        let mistral = of("MistralConfig", json!({"sliding_window": null})).unwrap();
        assert_eq!(mistral.sliding_window, None);
    }

    #[test]
    fn a_window_that_is_not_switched_on_is_none() {
        assert_eq!(of("Qwen2Config", json!({})).unwrap().sliding_window, None);
    }

    #[test]
    fn what_cannot_be_expressed_is_refused_by_name() {
        assert_eq!(
            of("BertConfig", json!({})).unwrap_err(),
            "config class 'BertConfig' is not known"
        );
        assert_eq!(
            of("LlamaConfig", json!({"attention_dropout": 0.1})).unwrap_err(),
            "model.config: 'attention_dropout' is not modelled"
        );
        assert_eq!(
            of("LlamaConfig", json!({"colour": "blue"})).unwrap_err(),
            "model.config: 'colour' is not modelled"
        );
        assert_eq!(
            of("LlamaConfig", json!({"n_layer": 2})).unwrap_err(),
            "model.config: 'n_layer' is not modelled"
        );
        assert_eq!(
            of("LlamaConfig", json!({"model_type": "qwen2"})).unwrap_err(),
            "model.config: 'model_type' is not modelled"
        );
        assert_eq!(
            of("LlamaConfig", json!({"hidden_size": "wide"})).unwrap_err(),
            "model.config: hidden_size: expected a whole number, found \"wide\""
        );
    }

    #[test]
    fn an_argument_that_says_the_default_or_costs_no_memory_is_accepted() {
        assert!(
            of(
                "LlamaConfig",
                json!({"attention_dropout": 0.0, "rope_theta": 5e5})
            )
            .is_ok()
        );
    }
}
