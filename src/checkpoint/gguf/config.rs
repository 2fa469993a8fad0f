//! The settings of a GGUF header under the names of a `config.json`
//! (`gguf-py/gguf/constants.py: Keys`, `convert_hf_to_gguf.py`).

use super::{Setting, Settings};
use crate::checkpoint::{Tensor, problem};
use crate::model::HfConfig;
use crate::scenario::FieldError;
use serde_json::{Map, Value};

/// `general.architecture` and the `model_type` that it is converted from.
const TYPES: &[(&str, &str)] = &[
    ("qwen2moe", "qwen2_moe"),
    ("qwen3moe", "qwen3_moe"),
    ("glm4moe", "glm4_moe"),
    ("command-r", "cohere"),
    ("gpt-oss", "gpt_oss"),
    ("hunyuan-dense", "hunyuan_v1_dense"),
    ("minimax-m2", "minimax_m2"),
    ("mistral3", "ministral3"),
    ("chatglm", "glm"),
    ("granitehybrid", "granitemoehybrid"),
];

/// Settings that are one number, below the architecture's name.
const NUMBERS: &[(&str, &str)] = &[
    ("embedding_length", "hidden_size"),
    ("block_count", "num_hidden_layers"),
    ("feed_forward_length", "intermediate_size"),
    ("attention.head_count", "num_attention_heads"),
    ("attention.head_count_kv", "num_key_value_heads"),
    ("attention.key_length", "head_dim"),
    ("attention.sliding_window", "sliding_window"),
    ("context_length", "max_position_embeddings"),
    ("vocab_size", "vocab_size"),
    ("expert_used_count", "num_experts_per_tok"),
    ("expert_feed_forward_length", "moe_intermediate_size"),
    (
        "expert_shared_feed_forward_length",
        "shared_expert_intermediate_size",
    ),
    ("expert_shared_count", "n_shared_experts"),
    ("leading_dense_block_count", "first_k_dense_replace"),
    ("attention.q_lora_rank", "q_lora_rank"),
    ("attention.kv_lora_rank", "kv_lora_rank"),
];

/// The architecture's name, and its configuration.
pub(super) fn of(
    settings: &Settings,
    tensors: &[Tensor],
    file: &str,
) -> Result<(String, HfConfig), FieldError> {
    let Some(Setting::Text(architecture)) = settings.get("general.architecture") else {
        return Err(problem(file, "general.architecture", "is missing"));
    };
    let mut keys = Map::new();
    let number = |name: &str| match settings.get(&format!("{architecture}.{name}")) {
        // Of lists by layer the largest counts; layers without experts, or attention, have zero.
        Some(Setting::List(_, numbers)) => Ok(numbers.iter().copied().max()),
        Some(Setting::Whole(number)) => Ok(Some(*number)),
        Some(Setting::Negative(number)) => Err(problem(
            file,
            &format!("{architecture}.{name}"),
            format!("{number} is below zero"),
        )),
        _ => Ok(None),
    };
    for (name, key) in NUMBERS {
        if let Some(value) = number(name)? {
            keys.insert((*key).into(), value.into());
        }
    }
    let model_type = model_type(architecture, number("expert_gating_func")?);
    if let Some(experts) = number("expert_count")?.filter(|experts| *experts > 0) {
        let key = match model_type {
            name if name.starts_with("qwen") || name == "olmoe" => "num_experts",
            name if name.starts_with("deepseek") || name.starts_with("glm") => "n_routed_experts",
            _ => "num_local_experts",
        };
        keys.insert(key.into(), experts.into());
    }
    if model_type.starts_with("deepseek") {
        latent(&mut keys, &number)?;
    }
    if !keys.contains_key("vocab_size") {
        let tokens = match settings.get("tokenizer.ggml.tokens") {
            Some(Setting::List(length, _)) => Some(*length),
            _ => None,
        };
        let table = tensors.iter().find(|tensor| tensor.name == "token_embd.weight");
        if let Some(rows) = table.and_then(|table| table.shape.first().copied()).or(tokens) {
            keys.insert("vocab_size".into(), rows.into());
        }
    }
    let holds = |name: &str| tensors.iter().any(|tensor| tensor.name == name);
    keys.insert("tie_word_embeddings".into(), Value::Bool(!holds("output.weight")));
    keys.insert("attention_bias".into(), Value::Bool(holds("blk.0.attn_q.bias")));
    keys.insert("model_type".into(), model_type.into());
    let (config, problems) = HfConfig::read(keys);
    match problems.first() {
        Some((key, wrong)) => Err(problem(file, key, wrong)),
        None => Ok((architecture.clone(), config)),
    }
}

fn model_type(architecture: &str, gating: Option<u64>) -> &str {
    match (architecture, gating) {
        // `LLAMA_EXPERT_GATING_FUNC_TYPE_SIGMOID`
        ("deepseek2", Some(2)) => "deepseek_v3",
        ("deepseek2", _) => "deepseek_v2",
        _ => TYPES
            .iter()
            .find(|(name, _)| *name == architecture)
            .map_or(architecture, |(_, other)| other),
    }
}

/// The widths of latent attention.
fn latent(
    keys: &mut Map<String, Value>,
    number: &dyn Fn(&str) -> Result<Option<u64>, FieldError>,
) -> Result<(), FieldError> {
    keys.remove("head_dim");
    let or = |first: &str, second: &str| Ok::<_, FieldError>(number(first)?.or(number(second)?));
    let key = or("attention.key_length_mla", "attention.key_length")?;
    let value = or("attention.value_length_mla", "attention.value_length")?;
    let rotary = number("rope.dimension_count")?;
    for (name, width) in [
        ("qk_rope_head_dim", rotary),
        (
            "qk_nope_head_dim",
            key.zip(rotary).map(|(key, rotary)| key.saturating_sub(rotary)),
        ),
        ("v_head_dim", value),
        ("num_key_value_heads", number("attention.head_count")?),
    ] {
        if let Some(width) = width {
            keys.insert(name.into(), width.into());
        }
    }
    Ok(())
}
