//! The architecture that a forward pass is written against: dimensions and the kinds of its parts.

use super::{Experts, Family, HfConfig, Mixer, Norm, PerLayer, Recurrence, SharedKeys};

/// A decoder-only language model.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// The modeling code.
    pub family: Family,
    /// Entries of the vocabulary.
    pub vocab: u64,
    /// Width of the residual stream.
    pub hidden: u64,
    /// Decoder layers.
    pub layers: u64,
    /// Positions that the model knows (`max_position_embeddings`).
    pub max_positions: u64,
    /// Does the head share the embedding's weight?
    pub tied: bool,
    /// The attention of a layer.
    pub attention: Attention,
    /// The attention of layers without a window, where it has widths of its own.
    pub global_attention: Option<Attention>,
    /// Layers that attend to images alone: batches without any pass them by.
    pub image_layers: Vec<u64>,
    /// Layers that take keys and values from earlier ones.
    pub shared_keys: Option<SharedKeys>,
    /// Residual streams.
    pub streams: u64,
    /// Rank of the learned residual beside attention.
    pub laurel_rank: u64,
    /// The embedding that every layer has of its own.
    pub per_layer: Option<PerLayer>,
    /// The MLP of a layer.
    pub mlp: Mlp,
    /// The experts, in layers that have them.
    pub experts: Option<Experts>,
    /// What layers that do not attend have instead.
    pub recurrence: Option<Recurrence>,
    /// Are the logits capped by a hyperbolic tangent?
    pub caps_logits: bool,
}

/// Grouped-query attention.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// Query heads.
    pub heads: u64,
    /// Key and value heads.
    pub kv_heads: u64,
    /// Width of a query or key head.
    pub head_dim: u64,
    /// Width of a value head.
    pub value_dim: u64,
    /// Keys and values come from a latent that all heads share.
    pub latent: Option<Latent>,
    /// Biases on the query, key and value projections.
    pub qkv_bias: bool,
    /// Bias on the output projection.
    pub output_bias: bool,
    /// Norm over queries and keys.
    pub query_norm: Option<QueryNorm>,
    /// Tokens a token looks back at, in layers that have a window.
    pub sliding_window: Option<u64>,
    /// Which layers have the window: layer `i` does when entry `i % len` says so.
    pub windowed_layers: Vec<bool>,
    /// Width of a head that is rotated.
    pub rotary_dim: u64,
    /// Are rotated queries and keys normed, without weights?
    pub norms_rotated: bool,
    /// Does one projection serve as key and value?
    pub keys_are_values: bool,
}

/// Multi-head latent attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latent {
    /// Rank of the queries' projection, where it is factored.
    pub query_rank: Option<u64>,
    /// Width of the latent of keys and values.
    pub rank: u64,
    /// Width of a query or key head that is rotated; the key's is shared by all heads.
    pub rotary: u64,
}

impl Latent {
    /// The latent attention of a family that has it.
    fn of(config: &HfConfig, family: Family) -> Result<Option<Self>, String> {
        if !matches!(family, Family::DeepseekV2 | Family::DeepseekV3 | Family::Mistral4) {
            return Ok(None);
        }
        let (Some(rank), Some(rotary), Some(_), Some(_)) = (
            config.kv_lora_rank,
            config.qk_rope_head_dim,
            config.qk_nope_head_dim,
            config.v_head_dim,
        ) else {
            return Err("the widths of its latent attention are not given".into());
        };
        if rotary % 2 != 0 || config.attention_bias == Some(true) {
            return Err("latent attention with biases or an odd rotated width is not written".into());
        }
        Ok(Some(Latent {
            query_rank: config.q_lora_rank,
            rank,
            rotary,
        }))
    }
}

/// What a norm over queries and keys spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryNorm {
    /// Each head.
    Head,
    /// The whole projection.
    Full,
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
        let modules = config.modules();
        let Some(family) = Family::of(config.text_type()) else {
            return Err(not_written(config.text_type()));
        };
        let activation = match modules.hidden_act {
            "silu" | "swish" if family != Family::Apertus => "silu",
            "gelu_pytorch_tanh" | "gelu" if family != Family::Phi => "gelu",
            "gelu_new" if family == Family::Phi => "gelu_new",
            "xielu" if family == Family::Apertus => "xielu",
            other => return Err(unknown_activation(other)),
        };
        // Of what only other families have there is nothing to be read.
        let own = match family {
            Family::Llama => Own::default(),
            _ => Own::of(config, family)?,
        };
        let streams = own.streams.max(1);
        let heads = config.num_attention_heads.max(1);
        let (scope, biased) = (modules.bias_scope, modules.attention_bias);
        let latent = own.latent;
        let head_dim = match (latent, config.qk_nope_head_dim) {
            (Some(latent), Some(unrotated)) => unrotated.saturating_add(latent.rotary),
            _ => config.head_dim.unwrap_or(config.hidden_size / heads),
        };
        // Gemma 4 rotates the whole width, a part of it by nothing.
        let share = config
            .partial_rotary_factor
            .filter(|_| family != Family::Gemma4)
            .unwrap_or_else(|| family.rotated_share());
        let rotary_dim = match latent {
            Some(latent) => latent.rotary,
            None => (head_dim as f64 * share) as u64,
        };
        let attention = Attention {
            heads,
            kv_heads: config.num_key_value_heads.unwrap_or(heads).max(1),
            head_dim,
            value_dim: match latent {
                Some(_) => config.v_head_dim.unwrap_or(head_dim),
                None => head_dim,
            },
            latent,
            qkv_bias: biased,
            output_bias: biased && scope == "qkvo",
            query_norm: match modules.qk_norm {
                Some("head") => Some(QueryNorm::Head),
                Some(_) => Some(QueryNorm::Full),
                None => None,
            },
            sliding_window: match config.sliding_window {
                None if family.masks_an_empty_window() => Some(0),
                _ if family == Family::Llama4 => config.attention_chunk_size,
                window => window,
            },
            windowed_layers: windowed_layers(config, family),
            rotary_dim,
            norms_rotated: family == Family::Llama4 && config.use_qk_norm != Some(false),
            keys_are_values: false,
        };
        Ok(Architecture {
            family,
            vocab: config.vocab_size,
            hidden: config.hidden_size,
            layers: config.num_hidden_layers,
            max_positions: config.max_position_embeddings.unwrap_or(2048),
            tied: config.tie_word_embeddings,
            global_attention: match family {
                Family::Gemma4 => attention.without_window(config),
                _ => None,
            },
            attention,
            image_layers: own.image_layers,
            shared_keys: own.shared_keys,
            streams,
            laurel_rank: config.laurel_rank.unwrap_or(64),
            per_layer: own.per_layer,
            mlp: Mlp {
                width: match family {
                    Family::GraniteHybrid => config.shared_intermediate_size,
                    Family::Lfm2 => config.effective_intermediate_size,
                    Family::Llama4 => config.intermediate_size_mlp,
                    _ => None,
                }
                .unwrap_or(config.intermediate_size),
                bias: modules.mlp_bias,
                activation,
            },
            experts: own.experts,
            recurrence: own.recurrence,
            caps_logits: family.caps_logits() || config.final_logit_softcapping.is_some(),
        })
    }
}

/// What only some families have.
#[derive(Default)]
struct Own {
    latent: Option<Latent>,
    image_layers: Vec<u64>,
    shared_keys: Option<SharedKeys>,
    streams: u64,
    per_layer: Option<PerLayer>,
    experts: Option<Experts>,
    recurrence: Option<Recurrence>,
}

impl Own {
    #[inline(never)]
    fn of(config: &HfConfig, family: Family) -> Result<Self, String> {
        if let Some(reason) = refused(config, family) {
            return Err(reason.into());
        }
        Ok(Own {
            latent: Latent::of(config, family)?,
            image_layers: match family {
                // `MllamaTextConfig.__post_init__`
                Family::Mllama => config
                    .cross_attention_layers
                    .clone()
                    .unwrap_or_else(|| vec![3, 8, 13, 18, 23, 28, 33, 38]),
                _ => Vec::new(),
            },
            shared_keys: SharedKeys::of(config, family),
            streams: streams(config, family),
            per_layer: PerLayer::of(config, family),
            experts: Experts::of(config, family)?,
            recurrence: Recurrence::of(config, family)?,
        })
    }
}

/// Residual streams.
fn streams(config: &HfConfig, family: Family) -> u64 {
    match family {
        Family::Gemma3n => config.altup_num_inputs.unwrap_or(4),
        _ => 1,
    }
}

/// Why a family does not do what a configuration asks of it.
pub(super) fn refused(config: &HfConfig, family: Family) -> Option<&'static str> {
    if family.masks_an_empty_window() && config.sliding_window.is_some() {
        return Some("sliding windows are not written for this model type");
    }
    if family == Family::GraniteHybrid {
        let attends = config.full_attention_layers.unwrap_or(0) == config.num_hidden_layers;
        let listed = config.layer_types_pattern.as_ref();
        let is_attention = |kind: &String| kind.contains("attention") && !kind.contains("linear");
        if !attends && !listed.is_some_and(|types| types.iter().all(is_attention)) {
            return Some(
                "state-space layers (Mamba) are not modelled: their kernels are no part of transformers",
            );
        }
        if config.num_local_experts.unwrap_or(0) > 0 {
            return Some("the experts of this model type are not written");
        }
        // `GraniteMoeHybridModel.__init__` makes rotary tables for "rope" alone.
        let positions = config.position_embedding_type.as_deref();
        if positions.is_some_and(|kind| kind != "rope") {
            return Some("attention without rotary positions is not written for this model type");
        }
    }
    let is_without = family == Family::Gemma3n && config.hidden_size_per_layer_input.unwrap_or(0) == 0;
    if is_without || !matches!(streams(config, family), 1 | 4) {
        return Some(
            "Gemma 3n with other than four streams, or without embeddings of layers, is not written",
        );
    }
    None
}

#[cold]
#[inline(never)]
fn unknown_activation(name: &str) -> String {
    format!("the activation function '{name}' is not written for this model type")
}

/// Why there is no forward pass for a type of model.
#[cold]
#[inline(never)]
pub(super) fn not_written(text_type: &str) -> String {
    let reason = match text_type {
        "kimi_k2" | "internlm2" | "internlm3" | "mimo" | "exaone" => {
            "its modeling code is no part of transformers but comes with the model"
        }
        "lfm2_moe" => "layers of short convolutions are not modelled",
        "nemotron_h" | "mamba" | "mamba2" | "falcon_h1" | "bamba" | "jamba" => {
            "state-space layers are not modelled"
        }
        "phimoe" => "its router, which samples experts, is not written",
        _ => "no forward pass is written",
    };
    format!("{reason} (model type '{text_type}')")
}

/// Which layers have a sliding window.
fn windowed_layers(config: &HfConfig, family: Family) -> Vec<bool> {
    if family.masks_an_empty_window() {
        return vec![false];
    }
    match (&config.layer_types_pattern, family.full_attention_every()) {
        (Some(types), _) => types
            .iter()
            .map(|t| matches!(t.as_str(), "sliding_attention" | "chunked_attention"))
            .collect(),
        (None, Some(every)) => (1..=every).map(|i| i != every).collect(),
        (None, None) => vec![true],
    }
}

impl Architecture {
    /// Its norms.
    pub fn norm(&self) -> Norm {
        self.family.norm()
    }

    /// Has this layer a sliding window?
    pub fn is_windowed(&self, index: u64) -> bool {
        let pattern = &self.attention.windowed_layers;
        // `Gemma4TextConfig.__post_init__`: "Last layer must use `full_attention`".
        let forced = self.family == Family::Gemma4 && index.saturating_add(1) == self.layers;
        !forced
            && self.attention.sliding_window.is_some()
            && pattern
                .get(index as usize % pattern.len().max(1))
                .copied()
                .unwrap_or(false)
    }

    /// Does this layer attend? Those that do not have a [`Recurrence`].
    pub fn attends(&self, index: u64) -> bool {
        self.recurrence.as_ref().is_none_or(|r| r.attends(index))
    }

    /// What this layer has in place of attention, if it has.
    pub fn mixer_of(&self, index: u64) -> Option<Mixer> {
        let recurrence = self.recurrence.as_ref().filter(|r| !r.attends(index));
        recurrence.map(|r| r.mixer)
    }

    /// Is this layer passed by?
    pub fn is_skipped(&self, index: u64) -> bool {
        self.image_layers.contains(&index)
    }

    /// Rows of the embedding: there are some for images (`MllamaTextModel.__init__`).
    pub fn embedding_rows(&self) -> u64 {
        self.vocab + if self.family == Family::Mllama { 8 } else { 0 }
    }

    /// The experts of this layer, if it has any.
    pub fn experts_of(&self, index: u64) -> Option<&Experts> {
        self.experts.as_ref().filter(|experts| experts.are_in(index))
    }

    /// A number for each layer; layers of the same number are alike in parts and forward pass.
    pub fn kind_of_layer(&self, index: u64) -> u32 {
        u32::from(self.is_windowed(index))
            + 2 * u32::from(self.rotates(index))
            + 4 * u32::from(self.experts_of(index).is_some())
            + 8 * u32::from(!self.attends(index))
            + 16 * u32::from(self.takes_keys(index))
            + 32 * u32::from(self.lends_keys(index))
            + 64 * u32::from(self.is_skipped(index))
    }

    /// Have queries and keys of this layer rotary positions?
    pub fn rotates(&self, index: u64) -> bool {
        match self.family {
            // `no_rope_layer_interval`
            Family::SmolLm3 | Family::Llama4 => !(index + 1).is_multiple_of(4),
            Family::Cohere2 => self.is_windowed(index),
            Family::Exaone4 => self.attention.sliding_window.is_none() || self.is_windowed(index),
            _ => true,
        }
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
        let vectors = if self.norm() == Norm::Layer { 2 } else { 1 };
        let mut weights = vec![
            (self.embedding_rows().saturating_mul(self.hidden), 1),
            (self.hidden, vectors),
        ];
        if !self.tied {
            weights.push((self.vocab.saturating_mul(self.hidden), 1));
        }
        if self.family.has_head_bias() {
            weights.push((self.vocab, 1));
        }
        weights
    }

    /// Elements of the buffers that a checkpoint stores with a layer's weights.
    pub fn buffers(&self, index: u64) -> u64 {
        self.corrections(index) + u64::from(self.family.scales_layers())
    }

    /// Corrections of a router's scores, one for each expert.
    pub fn corrections(&self, index: u64) -> u64 {
        self.experts_of(index)
            .filter(|experts| experts.groups.is_some_and(|groups| groups.correction.is_some()))
            .map_or(0, |experts| experts.count)
    }

    /// Weights of the model, buffers that are stored with them included.
    pub fn parameters(&self) -> u64 {
        let mut sum = 0u64;
        let mut add = |elements: u64, count: u64| sum = sum.saturating_add(elements.saturating_mul(count));
        for (elements, count) in self.outside_layers() {
            add(elements, count);
        }
        for (index, count) in self.kinds() {
            add(self.buffers(index), count);
        }
        for (_, count, part) in self.parts() {
            let (weight, bias) = part.elements();
            add(weight, count);
            add(bias, count);
        }
        sum
    }
}
