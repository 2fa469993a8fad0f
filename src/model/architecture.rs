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

/// A linear layer that every decoder layer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinearShape {
    /// Its name, as adapters' targets name it.
    pub name: &'static str,
    /// Where it stands in the layer.
    pub path: &'static str,
    /// Columns in.
    pub inputs: u64,
    /// Columns out.
    pub outputs: u64,
    /// Has it a bias?
    pub bias: bool,
}

impl Architecture {
    /// The linear layers of a decoder layer, in the order of registration.
    pub fn linears(&self) -> [LinearShape; 7] {
        let (a, m) = (&self.attention, &self.mlp);
        let (queries, keys) = (a.heads * a.head_dim, a.kv_heads * a.head_dim);
        let linear = |name, path, inputs, outputs, bias| LinearShape {
            name,
            path,
            inputs,
            outputs,
            bias,
        };
        [
            linear("q_proj", "self_attn.q_proj", self.hidden, queries, a.qkv_bias),
            linear("k_proj", "self_attn.k_proj", self.hidden, keys, a.qkv_bias),
            linear("v_proj", "self_attn.v_proj", self.hidden, keys, a.qkv_bias),
            linear("o_proj", "self_attn.o_proj", queries, self.hidden, a.output_bias),
            linear("gate_proj", "mlp.gate_proj", self.hidden, m.width, m.bias),
            linear("up_proj", "mlp.up_proj", self.hidden, m.width, m.bias),
            linear("down_proj", "mlp.down_proj", m.width, self.hidden, m.bias),
        ]
    }

    /// Elements and number of the weights that are no linear layers: embedding, head, norms.
    pub fn vectors_and_tables(&self) -> Vec<(u64, u64)> {
        let tables = if self.tied { 1 } else { 2 };
        let mut weights = vec![
            (self.vocab.saturating_mul(self.hidden), tables),
            (self.hidden, 2 * self.layers + 1),
        ];
        if self.attention.head_norm {
            weights.push((self.attention.head_dim, 2 * self.layers));
        }
        weights
    }

    /// Weights of the model.
    pub fn parameters(&self) -> u64 {
        let linears = self.linears().iter().fold(0u64, |sum, l| {
            let bias = if l.bias { l.outputs } else { 0 };
            sum.saturating_add(l.inputs.saturating_mul(l.outputs))
                .saturating_add(bias)
        });
        self.vectors_and_tables()
            .iter()
            .fold(linears.saturating_mul(self.layers), |sum, (n, count)| {
                sum.saturating_add(n.saturating_mul(*count))
            })
    }
}
