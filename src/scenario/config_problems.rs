//! What is wrong with the fields of an inline model. Models of the catalog are known to be sound.

use super::{FieldError, quoted};
use crate::model::{Family, HfConfig};
use serde_json::Value;

/// Fields for which zero means "none".
const MAY_BE_ZERO: &[&str] = &[
    "num_local_experts",
    "num_experts",
    "n_routed_experts",
    "num_experts_per_tok",
    "n_shared_experts",
    "first_k_dense_replace",
    "num_kv_shared_layers",
    "hidden_size_per_layer_input",
    "vocab_size_per_layer_input",
    "shared_intermediate_size",
    "shared_expert_intermediate_size",
    "moe_shared_expert_intermediate_size",
    "full_attention_layers",
    "intermediate_size",
    "tower_params",
];

#[inline(never)]
pub(super) fn of(config: &HfConfig) -> Vec<FieldError> {
    let mut problems = Vec::new();
    if config.model_type.is_empty() {
        problems.push(problem(
            "model_type",
            "is missing; it names the architecture, such as llama",
        ));
    }
    problems.extend(number_problems(config));
    problems.extend(treated_problem(config));
    if config.intermediate_size == 0 && config.moe_intermediate_size.is_none() {
        problems.push(problem("intermediate_size", "must be at least 1"));
    }
    if problems.is_empty() {
        problems.extend(head_problems(config));
        problems.extend(layer_problems(config));
        problems.extend(expert_problem(config));
    }
    problems
}

fn problem(key: &str, text: impl Into<String>) -> FieldError {
    FieldError::new(format!("model.{key}"), text)
}

/// Largest accepted values: well above any published model.
fn most(key: &str) -> u64 {
    match key {
        "hidden_size" => 1 << 20,
        "num_hidden_layers" => 1 << 10,
        "num_attention_heads" | "num_key_value_heads" => 1 << 12,
        "num_local_experts" | "num_experts" | "n_routed_experts" => 1 << 14,
        "tower_params" => 1 << 40,
        "max_position_embeddings" | "sliding_window" | "attention_chunk_size" => 1 << 32,
        key if key.ends_with("head_dim") => 1 << 16,
        _ => 1 << 24,
    }
}

/// Zeros, negative and enormous numbers, whichever field they are in.
fn number_problems(config: &HfConfig) -> Vec<FieldError> {
    let vision = config.vision_config.iter().flatten();
    let vision = vision.filter_map(|(key, value)| number_problem(&format!("vision_config.{key}"), value));
    config
        .fields()
        .filter_map(|(key, value)| number_problem(key, &value))
        .chain(vision)
        .collect()
}

fn number_problem(key: &str, value: &Value) -> Option<FieldError> {
    let number = value.as_number()?;
    if key == "partial_rotary_factor" {
        let sound = number.as_f64().is_some_and(|share| share > 0.0 && share <= 1.0);
        return (!sound).then(|| problem(key, format!("{number} is not a share above 0 and at most 1")));
    }
    let most = most(key);
    match number.as_u64() {
        Some(0) if !MAY_BE_ZERO.contains(&key) && !key.starts_with("vision_config.") => {
            Some(problem(key, "must be at least 1"))
        }
        Some(value) if value > most => Some(problem(
            key,
            format!("{value} is above {most}: no model is that large"),
        )),
        None if number
            .as_f64()
            .is_none_or(|value| !(0.0..=most as f64).contains(&value)) =>
        {
            Some(problem(key, format!("{number} is not between 0 and {most}")))
        }
        _ => None,
    }
}

fn treated_problem(config: &HfConfig) -> Option<FieldError> {
    let name = config.treat_as.as_deref()?;
    let known = Family::of(name).is_some();
    (!known).then(|| FieldError::choice("model.treat_as", name, Family::TYPES.into_iter()))
}

fn head_problems(config: &HfConfig) -> Vec<FieldError> {
    let mut problems = Vec::new();
    let (hidden, heads) = (config.hidden_size, config.num_attention_heads);
    let latent = config.qk_nope_head_dim.is_some();
    let width = config.head_dim.unwrap_or(hidden / heads.max(1));
    if config.head_dim.is_none() && !latent && !hidden.is_multiple_of(heads.max(1)) {
        let text = format!("{hidden} is not a multiple of the {heads} attention heads; give head_dim");
        problems.push(problem("hidden_size", text));
    } else if !latent && !width.is_multiple_of(2) {
        let text = format!("heads are {width} wide, and rotary embeddings need an even width");
        problems.push(problem("head_dim", text));
    }
    for (key, kv) in [
        ("num_key_value_heads", config.num_key_value_heads),
        ("num_global_key_value_heads", config.num_global_key_value_heads),
    ] {
        if let Some(kv) = kv.filter(|kv| !heads.is_multiple_of(*kv)) {
            let text = format!("{heads} attention heads cannot share {kv} key and value heads evenly");
            problems.push(problem(key, text));
        }
    }
    if let Some(width) = config.global_head_dim.filter(|width| !width.is_multiple_of(2)) {
        let text = format!("heads are {width} wide, and rotary embeddings need an even width");
        problems.push(problem("global_head_dim", text));
    }
    if let (Some(keys), Some(values)) = (config.linear_num_key_heads, config.linear_num_value_heads)
        && !values.is_multiple_of(keys.max(1))
    {
        let text = format!("{values} value heads cannot share {keys} key heads evenly");
        problems.push(problem("linear_num_value_heads", text));
    }
    problems
}

fn layer_problems(config: &HfConfig) -> Vec<FieldError> {
    let layers = config.num_hidden_layers;
    let mut problems = Vec::new();
    if config.layer_types_pattern.as_ref().is_some_and(Vec::is_empty) {
        problems.push(problem(
            "layer_types_pattern",
            "is empty; leave it out when all layers are alike",
        ));
    }
    let is_word =
        |kind: &String| !kind.is_empty() && kind.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if let Some(kind) = config
        .layer_types_pattern
        .iter()
        .flatten()
        .find(|kind| !is_word(kind))
    {
        problems.push(problem(
            "layer_types_pattern",
            format!("{} is no kind of layer", quoted(kind)),
        ));
    }
    for (key, indices) in [
        ("cross_attention_layers", &config.cross_attention_layers),
        ("full_attn_idxs", &config.full_attn_idxs),
    ] {
        if let Some(index) = indices.iter().flatten().find(|index| **index >= layers) {
            problems.push(problem(
                key,
                format!("there is no layer {index}: the model has {layers}"),
            ));
        }
    }
    for (key, count) in [
        ("first_k_dense_replace", config.first_k_dense_replace),
        ("num_kv_shared_layers", config.num_kv_shared_layers),
        ("full_attention_layers", config.full_attention_layers),
    ] {
        if let Some(count) = count.filter(|count| *count > layers) {
            problems.push(problem(
                key,
                format!("{count} is more than the model's {layers} layers"),
            ));
        }
    }
    if let Some(pattern) = &config.hybrid_override_pattern {
        let letters = pattern.chars().count() as u64;
        if letters != layers {
            let text = format!("has {letters} letters for {layers} layers");
            problems.push(problem("hybrid_override_pattern", text));
        } else if let Some(letter) = pattern.chars().find(|letter| !"M*-E".contains(*letter)) {
            let text = format!("'{letter}' is no kind of layer; use M, *, - and E");
            problems.push(problem("hybrid_override_pattern", text));
        }
    }
    problems
}

fn expert_problem(config: &HfConfig) -> Option<FieldError> {
    let experts = config
        .num_local_experts
        .or(config.num_experts)
        .or(config.n_routed_experts)
        .filter(|n| *n > 0)?;
    let chosen = config.num_experts_per_tok.filter(|chosen| *chosen > experts)?;
    Some(problem(
        "num_experts_per_tok",
        format!("{chosen} is more than the {experts} experts"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;

    fn sound() -> HfConfig {
        catalog::model("Qwen/Qwen2.5-0.5B").unwrap().config.clone()
    }

    #[track_caller]
    fn complaint(change: impl FnOnce(&mut HfConfig)) -> String {
        let mut config = sound();
        change(&mut config);
        FieldError::list(&of(&config))
    }

    #[test]
    fn every_config_of_the_catalog_is_sound() {
        for model in catalog::models() {
            assert_eq!(of(&model.config), [], "{}", model.id);
        }
    }

    #[test]
    fn missing_dimensions_are_named() {
        let fields: Vec<_> = of(&HfConfig::default())
            .into_iter()
            .map(|problem| problem.field)
            .collect();
        assert_eq!(
            fields,
            [
                "model.model_type",
                "model.vocab_size",
                "model.hidden_size",
                "model.num_hidden_layers",
                "model.num_attention_heads",
                "model.intermediate_size",
            ]
        );
    }

    #[test]
    fn dimensions_that_do_not_divide_are_named() {
        assert_eq!(
            complaint(|c| (c.hidden_size, c.head_dim) = (900, None)),
            "model.hidden_size: 900 is not a multiple of the 14 attention heads; give head_dim"
        );
        assert_eq!(
            complaint(|c| c.num_key_value_heads = Some(3)),
            "model.num_key_value_heads: 14 attention heads cannot share 3 key and value heads evenly"
        );
        assert_eq!(
            complaint(|c| c.head_dim = Some(63)),
            "model.head_dim: heads are 63 wide, and rotary embeddings need an even width"
        );
        assert_eq!(
            complaint(|c| (c.global_head_dim, c.num_global_key_value_heads) = (Some(65), Some(4))),
            "model.num_global_key_value_heads: 14 attention heads cannot share 4 key and value heads evenly; \
             model.global_head_dim: heads are 65 wide, and rotary embeddings need an even width"
        );
    }

    #[test]
    fn divisors_cannot_be_zero() {
        assert_eq!(
            complaint(|c| c.num_key_value_heads = Some(0)),
            "model.num_key_value_heads: must be at least 1"
        );
        assert_eq!(
            complaint(|c| c.attention_chunk_size = Some(0)),
            "model.attention_chunk_size: must be at least 1"
        );
        assert_eq!(
            complaint(|c| c.layer_types_pattern = Some(Vec::new())),
            "model.layer_types_pattern: is empty; leave it out when all layers are alike"
        );
    }

    #[test]
    fn enormous_numbers_are_refused() {
        assert_eq!(
            complaint(|c| c.vocab_size = u64::MAX),
            "model.vocab_size: 18446744073709551615 is above 16777216: no model is that large"
        );
        assert_eq!(
            complaint(|c| c.cross_attention_layers = Some(vec![3, 24])),
            "model.cross_attention_layers: there is no layer 24: the model has 24"
        );
    }
}
