//! Reads a Hub `config.json`: finds the text part and translates synonyms into the keys of [`super::HfConfig`].

use serde_json::{Map, Value};

/// Other names of a key, from the configuration classes of transformers and from remote-code models.
const SYNONYMS: &[(&str, &str)] = &[
    ("n_embd", "hidden_size"),
    ("d_model", "hidden_size"),
    ("n_layer", "num_hidden_layers"),
    ("n_layers", "num_hidden_layers"),
    ("num_layers", "num_hidden_layers"),
    ("n_head", "num_attention_heads"),
    ("n_heads", "num_attention_heads"),
    ("num_kv_heads", "num_key_value_heads"),
    ("n_head_kv", "num_key_value_heads"),
    ("multi_query_group_num", "num_key_value_heads"),
    ("kv_channels", "head_dim"),
    ("n_inner", "intermediate_size"),
    ("ffn_dim", "intermediate_size"),
    ("ffn_hidden_size", "intermediate_size"),
    ("padded_vocab_size", "vocab_size"),
    ("n_positions", "max_position_embeddings"),
    ("max_sequence_length", "max_position_embeddings"),
    ("seq_length", "max_position_embeddings"),
    ("activation_function", "hidden_act"),
];

/// Keys with a rule of their own in [`essential`].
const OTHERS: &[&str] = &[
    "block_auto_adjust_ff_dim",
    "block_ff_dim",
    "block_ffn_dim_multiplier",
    "block_multiple_of",
    "hidden_activation",
    "layer_types",
    "rope_parameters",
    "use_sliding_window",
];

/// Fields of a vision tower that decide its size; the rest of a `vision_config` is dropped.
const VISION: &[&str] = &[
    "attention_heads",
    "deepstack_visual_indexes",
    "depth",
    "embed_dim",
    "fullatt_block_indexes",
    "head_dim",
    "hidden_size",
    "image_size",
    "intermediate_layers_indices",
    "intermediate_size",
    "max_num_tiles",
    "mlp_ratio",
    "num_attention_heads",
    "num_global_layers",
    "num_heads",
    "num_hidden_layers",
    "num_position_embeddings",
    "out_hidden_size",
    "patch_size",
    "pixel_shuffle_ratio",
    "pooling_kernel_size",
    "position_embedding_size",
    "projector_input_dim",
    "projector_output_dim",
    "spatial_merge_size",
    "standardize",
    "supported_aspect_ratios",
    "temporal_patch_size",
    "use_clipped_linears",
    "vision_output_dim",
    "window_size",
];

/// Is this key found here under another name?
pub(super) fn translates(name: &str) -> bool {
    let vision = name
        .strip_prefix("vision_config.")
        .is_some_and(|inner| VISION.contains(&inner));
    vision || SYNONYMS.iter().any(|(synonym, _)| *synonym == name) || OTHERS.contains(&name)
}

/// The keys that decide memory, under the names of [`super::HfConfig`]. Unknown keys are left in.
pub(super) fn essential(mut keys: Map<String, Value>) -> Map<String, Value> {
    lift_text_part(&mut keys);
    for (synonym, name) in SYNONYMS {
        if let Some(value) = taken(&mut keys, synonym) {
            set_absent(&mut keys, name, value);
        }
    }
    // Gemma names both; `hidden_act` is the legacy one and ignored by its code.
    if let Some(value) = taken(&mut keys, "hidden_activation") {
        keys.insert("hidden_act".into(), value);
    }
    // Qwen2 carries a window that it does not use, or one of no tokens.
    let unused = keys.get("use_sliding_window") == Some(&Value::Bool(false));
    if unused || keys.get("sliding_window") == Some(&Value::from(0)) {
        taken(&mut keys, "sliding_window");
    }
    if let Some(factor) = keys
        .get("rope_parameters")
        .and_then(|r| r.get("partial_rotary_factor"))
        .cloned()
    {
        set_absent(&mut keys, "partial_rotary_factor", factor);
    }
    name_experts(&mut keys);
    adjust_width(&mut keys);
    if let Some(Value::Array(mut types)) = taken(&mut keys, "layer_types") {
        types.truncate(period(&types));
        set_absent(&mut keys, "layer_types_pattern", Value::Array(types));
    }
    // Gemma 3n gives a width a layer, all equal.
    if let Some(Value::Array(widths)) = keys.get("intermediate_size") {
        let widest = widths.iter().filter_map(Value::as_u64).max().unwrap_or(0);
        keys.insert("intermediate_size".into(), widest.into());
    }
    if let Some(Value::Object(vision)) = keys.get_mut("vision_config") {
        let mut kept = Map::new();
        for (key, value) in std::mem::take(vision) {
            if VISION.contains(&key.as_str()) {
                kept.insert(key, value);
            }
        }
        *vision = kept;
    }
    if ties_by_default(&keys) {
        set_absent(&mut keys, "tie_word_embeddings", Value::Bool(true));
    }
    keys
}

/// Takes a key's value out. It leaves null there, which is as good as no key: maps that things are removed from would weigh
/// some kilobytes more in the page.
pub(super) fn taken(keys: &mut Map<String, Value>, name: &str) -> Option<Value> {
    keys.get_mut(name)
        .map(Value::take)
        .filter(|value| !value.is_null())
}

/// Gives a key its value unless it has one.
fn set_absent(keys: &mut Map<String, Value>, name: &str, value: Value) {
    let slot = keys.entry(name).or_insert(Value::Null);
    if slot.is_null() {
        *slot = value;
    }
}

/// Multimodal models keep the language model's fields in `text_config`.
fn lift_text_part(keys: &mut Map<String, Value>) {
    let Some(Value::Object(text)) = taken(keys, "text_config") else {
        return;
    };
    for (key, value) in text {
        match key.as_str() {
            "model_type" => keys.entry("text_model_type").or_insert(value),
            "tie_word_embeddings" => keys.entry(key).or_insert(value),
            _ => {
                keys.insert(key, value);
                continue;
            }
        };
    }
}

/// Files that transformers 5 writes name the number of experts alike for all types (`attribute_map` of
/// `configuration_*.py`); here it has the name that the type's published files give it.
fn name_experts(keys: &mut Map<String, Value>) {
    let type_of = |key: &str| keys.get(key).and_then(Value::as_str);
    let model_type = type_of("text_model_type")
        .or_else(|| type_of("model_type"))
        .unwrap_or_default();
    let name = match model_type.split('_').next().unwrap_or_default() {
        "qwen2" | "qwen3" | "olmoe" => "num_experts",
        "deepseek" | "glm4" => "n_routed_experts",
        _ => return,
    };
    if let Some(count) = taken(keys, "num_local_experts") {
        set_absent(keys, name, count);
    }
}

/// LFM2 makes its MLP narrower than `intermediate_size` says (`Lfm2MLP.__init__`, `Lfm2Config`).
fn adjust_width(keys: &mut Map<String, Value>) {
    if keys.get("model_type").and_then(Value::as_str) != Some("lfm2") {
        return;
    }
    if let Some(width) = taken(keys, "block_ff_dim") {
        keys.insert("intermediate_size".into(), width);
    }
    let Some(width) = keys.get("intermediate_size").and_then(Value::as_u64) else {
        return;
    };
    let number = |key: &str| keys.get(key).and_then(Value::as_f64).filter(|n| *n > 0.0);
    let width = match keys.get("block_auto_adjust_ff_dim") {
        Some(Value::Bool(false)) => width,
        _ => {
            let share = number("block_ffn_dim_multiplier").unwrap_or(1.0);
            let unit = number("block_multiple_of").unwrap_or(256.0) as u64;
            let width = ((width.saturating_mul(2) / 3) as f64 * share) as u64;
            width.div_ceil(unit.max(1)).saturating_mul(unit)
        }
    };
    set_absent(keys, "effective_intermediate_size", width.into());
}

/// Does the configuration class of this type tie the embeddings unless told otherwise? (Gemma and Cohere classes of
/// transformers; their `config.json` leaves the key out.)
fn ties_by_default(keys: &Map<String, Value>) -> bool {
    let model_type = keys.get("model_type").and_then(Value::as_str).unwrap_or_default();
    model_type.starts_with("gemma") || model_type.starts_with("cohere")
}

/// The length of the shortest unit that, repeated, gives the list.
fn period(list: &[Value]) -> usize {
    (1..list.len())
        .find(|&p| list.iter().zip(&list[p..]).all(|(a, b)| a == b))
        .unwrap_or(list.len())
}

#[cfg(test)]
mod tests {
    use crate::model::HfConfig;

    fn read(text: &str) -> HfConfig {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_whole_config_json_is_read_and_the_rest_of_it_ignored() {
        let config = read(
            r#"{"architectures": ["Qwen2ForCausalLM"], "bos_token_id": 151643, "hidden_act": "silu", "head_dim": null,
                "hidden_size": 896, "intermediate_size": 4864, "model_type": "qwen2", "num_attention_heads": 14,
                "num_hidden_layers": 24, "num_key_value_heads": 2, "rope_theta": 1000000.0, "sliding_window": 32768,
                "use_sliding_window": false, "tie_word_embeddings": true, "vocab_size": 151936}"#,
        );
        let catalog = &crate::catalog::model("Qwen/Qwen2-0.5B-Instruct").unwrap().config;
        assert_eq!(
            (config.hidden_size, config.head_dim, config.sliding_window),
            (896, None, None)
        );
        let completed = HfConfig {
            head_dim: Some(64),
            max_position_embeddings: Some(32768),
            ..config.completed()
        };
        assert_eq!(&completed, catalog);
    }

    #[test]
    fn the_text_part_of_a_multimodal_model_is_found() {
        let config = read(
            r#"{"model_type": "gemma3", "text_config": {"model_type": "gemma3_text", "hidden_size": 2560,
                "layer_types": ["sliding_attention", "full_attention", "sliding_attention", "full_attention"]},
                "vision_config": {"hidden_size": 1152, "dropout": 0.0}}"#,
        );
        assert_eq!((config.model_type.as_str(), config.hidden_size), ("gemma3", 2560));
        assert_eq!(config.text_model_type.as_deref(), Some("gemma3_text"));
        assert_eq!(config.layer_types_pattern.unwrap().len(), 2);
        assert_eq!(config.vision_config.unwrap().len(), 1);
        assert!(config.tie_word_embeddings);
    }

    #[test]
    fn older_names_are_translated() {
        let config =
            read(r#"{"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "n_inner": null}"#);
        assert_eq!(
            (
                config.hidden_size,
                config.num_hidden_layers,
                config.num_attention_heads
            ),
            (768, 12, 12)
        );
        assert_eq!(config.intermediate_size, 0);
    }

    #[test]
    fn every_config_of_the_catalog_reads_back_as_it_was_written() {
        for model in crate::catalog::models() {
            let text = serde_json::to_string(&model.config).unwrap();
            assert_eq!(read(&text), model.config, "{}", model.id);
        }
    }
}
