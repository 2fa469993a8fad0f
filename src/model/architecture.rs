//! The architecture that a forward pass is written against: dimensions and the kinds of its parts.

use super::{HfConfig, Part};

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
            Some(other) => {
                return Err(format!(
                    "the activation function '{other}' is not written for this model type"
                ));
            }
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
            mlp: Mlp {
                width: config.intermediate_size,
                bias: config.mlp_bias == Some(true),
                activation,
            },
        })
    }
}

impl Architecture {
    /// The parts of a decoder layer, in the order of registration.
    pub fn layer(&self, _index: u64) -> Vec<Part> {
        let (a, m) = (&self.attention, &self.mlp);
        let (queries, keys) = (a.heads * a.head_dim, a.kv_heads * a.head_dim);
        let mut parts = vec![
            Part::linear("self_attn.q_proj", self.hidden, queries, a.qkv_bias),
            Part::linear("self_attn.k_proj", self.hidden, keys, a.qkv_bias),
            Part::linear("self_attn.v_proj", self.hidden, keys, a.qkv_bias),
            Part::linear("self_attn.o_proj", queries, self.hidden, a.output_bias),
        ];
        if a.head_norm {
            parts.push(Part::vector("self_attn.q_norm", a.head_dim));
            parts.push(Part::vector("self_attn.k_norm", a.head_dim));
        }
        parts.extend([
            Part::linear("mlp.gate_proj", self.hidden, m.width, m.bias),
            Part::linear("mlp.up_proj", self.hidden, m.width, m.bias),
            Part::linear("mlp.down_proj", m.width, self.hidden, m.bias),
            Part::vector("input_layernorm", self.hidden),
            Part::vector("post_attention_layernorm", self.hidden),
        ]);
        parts
    }

    /// A number for each layer; layers of the same number are alike in parts and forward pass.
    pub fn kind_of_layer(&self, _index: u64) -> u32 {
        0
    }

    /// Layers by kind: the index of one of them, and how many there are.
    pub fn kinds(&self) -> Vec<(u64, u64)> {
        let mut kinds: Vec<(u32, u64, u64)> = Vec::new();
        for index in 0..self.layers {
            let kind = self.kind_of_layer(index);
            match kinds.iter_mut().find(|k| k.0 == kind) {
                Some(k) => k.2 += 1,
                None => kinds.push((kind, index, 1)),
            }
        }
        kinds
            .into_iter()
            .map(|(_, index, count)| (index, count))
            .collect()
    }

    /// Weights outside the decoder layers: elements and number of the embedding and head, the final norm.
    pub fn outside_layers(&self) -> Vec<(u64, u64)> {
        let tables = if self.tied { 1 } else { 2 };
        vec![(self.vocab.saturating_mul(self.hidden), tables), (self.hidden, 1)]
    }

    /// Weights of the model.
    pub fn parameters(&self) -> u64 {
        let mut sum = 0u64;
        let mut add = |elements: u64, count: u64| sum = sum.saturating_add(elements.saturating_mul(count));
        for (elements, count) in self.outside_layers() {
            add(elements, count);
        }
        for (index, count) in self.kinds() {
            for part in self.layer(index) {
                let (weight, bias) = part.elements();
                add(weight, count);
                add(bias, count);
            }
        }
        sum
    }
}
