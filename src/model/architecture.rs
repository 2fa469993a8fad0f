//! The architecture that a forward pass is written against: dimensions and the kinds of its parts.

use super::HfConfig;

/// A decoder-only language model.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// Entries of the vocabulary.
    pub vocab: u64,
    /// Width of the residual stream.
    pub hidden: u64,
    /// Decoder layers.
    pub layers: u64,
    /// Does the head share the embedding's weight?
    pub tied: bool,
    /// The attention of a layer.
    pub attention: Attention,
    /// The MLP of a layer.
    pub mlp: Mlp,
}

/// Grouped-query attention.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// Query heads.
    pub heads: u64,
    /// Key and value heads.
    pub kv_heads: u64,
    /// Width of a head.
    pub head_dim: u64,
    /// Biases on the query, key and value projections.
    pub qkv_bias: bool,
    /// Bias on the output projection.
    pub output_bias: bool,
    /// RMSNorm over each query and key head.
    pub head_norm: bool,
    /// Tokens a token looks back at, in layers that have a window.
    pub sliding_window: Option<u64>,
}

/// Gated MLP: `down(act(gate(x)) * up(x))`.
#[derive(Clone, Debug, PartialEq)]
pub struct Mlp {
    /// Width.
    pub width: u64,
    /// Biases on its projections.
    pub bias: bool,
    /// PyTorch's name of the activation function.
    pub activation: &'static str,
}

impl Architecture {
    /// The architecture of a configuration.
    ///
    /// # Errors
    /// The reason, when no forward pass is written for it.
    pub fn from_config(config: &HfConfig) -> Result<Self, String> {
        let config = config.clone().completed();
        match config.model_type.as_str() {
            "llama" | "mistral" | "qwen2" | "qwen3" => {}
            other => return Err(format!("no forward pass is written for model type '{other}'")),
        }
        let activation = match config.hidden_act.as_deref() {
            Some("silu" | "swish") | None => "silu",
            Some(other) => return Err(format!("the activation function '{other}' is not written for this model type")),
        };
        let heads = config.num_attention_heads.max(1);
        let scope = config.attention_bias_scope.as_deref().unwrap_or("");
        let biased = config.attention_bias == Some(true);
        Ok(Architecture {
            vocab: config.vocab_size,
            hidden: config.hidden_size,
            layers: config.num_hidden_layers,
            tied: config.tie_word_embeddings,
            attention: Attention {
                heads,
                kv_heads: config.num_key_value_heads.unwrap_or(heads).max(1),
                head_dim: config.head_dim.unwrap_or(config.hidden_size / heads),
                qkv_bias: biased,
                output_bias: biased && scope == "qkvo",
                head_norm: config.qk_norm.as_deref() == Some("head"),
                sliding_window: config.sliding_window,
            },
            mlp: Mlp { width: config.intermediate_size, bias: config.mlp_bias == Some(true), activation },
        })
    }
}
