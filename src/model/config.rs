//! The fields of a Hugging Face `config.json` that decide memory, under their own names.

use serde::{Deserialize, Serialize};

/// A model's configuration: `config.json` keys (of the text part where a model is multimodal).
/// Keys that do not matter for memory are ignored when read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HfConfig {
    /// `model_type`, such as `llama`; decides which forward pass is replayed.
    pub model_type: String,
    /// Entries of the vocabulary.
    pub vocab_size: u64,
    /// Width of the residual stream.
    pub hidden_size: u64,
    /// Width of the MLP.
    pub intermediate_size: u64,
    /// Decoder layers.
    pub num_hidden_layers: u64,
    /// Query heads.
    pub num_attention_heads: u64,
    /// Key and value heads; absent: as many as query heads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_key_value_heads: Option<u64>,
    /// Width of a head; absent: `hidden_size / num_attention_heads`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_dim: Option<u64>,
    /// Does the head share the embedding's weight?
    pub tie_word_embeddings: bool,
    /// Longest context of the rotary tables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_position_embeddings: Option<u64>,
    /// Biases on the attention projections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention_bias: Option<bool>,
    /// Biases on the MLP projections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mlp_bias: Option<bool>,
    /// Sliding window of the layers that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sliding_window: Option<u64>,
}
