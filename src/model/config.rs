//! The fields of a Hugging Face `config.json` that decide memory, under their own names.

use super::config_json;
use super::config_value::ConfigValue;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// A field by its name: how to reach it.
struct Key {
    name: &'static str,
    get: fn(&HfConfig) -> &dyn ConfigValue,
    get_mut: fn(&mut HfConfig) -> &mut dyn ConfigValue,
}

/// Declares the struct and the table of its keys. A table is read and written by a loop; derived readers of so many
/// fields would be a sixth of the page.
macro_rules! config {
    ($(#[$about:meta])* pub struct $config:ident {
        $($(#[$doc:meta])* $($name:literal)? pub $field:ident: $type:ty,)+
    }) => {
        $(#[$about])*
        pub struct $config {
            $($(#[$doc])* pub $field: $type,)+
        }

        const KEYS: &[Key] = &[$(Key {
            // The key where it is not the field's name.
            name: [$($name,)? stringify!($field)][0],
            get: |config| &config.$field,
            get_mut: |config| &mut config.$field,
        }),+];
    };
}

config! {
/// A model's configuration: `config.json` keys (of the text part where a model is multimodal), and the few that
/// `model_type` implies without naming them.
///
/// Reading one takes a whole `config.json` as well as the essential fields: synonyms are translated, a `text_config` is
/// found, keys that do not matter for memory are ignored.
#[derive(Clone, Debug, Default, PartialEq)]
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
    pub num_key_value_heads: Option<u64>,
    /// Width of a head; absent: `hidden_size / num_attention_heads`.
    pub head_dim: Option<u64>,
    /// Does the head share the embedding's weight?
    pub tie_word_embeddings: bool,
    /// Longest context of the rotary tables.
    pub max_position_embeddings: Option<u64>,
    /// Biases on the attention projections.
    pub attention_bias: Option<bool>,
    /// Biases on the MLP projections.
    pub mlp_bias: Option<bool>,
    /// Sliding window of the layers that have one.
    pub sliding_window: Option<u64>,
    /// Activation of the MLP (`hidden_activation` where Gemma names it so).
    pub hidden_act: Option<String>,
    /// Gate, up and down projections (true) or up and down only (false). Not a Hub key: `model_type` implies it.
    pub mlp_gated: Option<bool>,
    /// LFM2: the real width of the MLP after its automatic adjustment. Not a Hub key.
    pub effective_intermediate_size: Option<u64>,
    /// Which attention projections have a bias: `qkv` or `qkvo`. Not a Hub key: `model_type` implies it.
    pub attention_bias_scope: Option<String>,
    /// Llama 4: norms without weights on rotated queries and keys. GLM 4.5: norms on queries and keys.
    pub use_qk_norm: Option<bool>,
    /// Norms on queries and keys: `head` (one vector of `head_dim`) or `full` (the whole projection). Not a Hub key.
    pub qk_norm: Option<String>,
    /// The number that logits are capped at; absent: they are not, but in types that always do.
    pub final_logit_softcapping: Option<f64>,
    /// Share of each head that is rotated; absent: all of it.
    pub partial_rotary_factor: Option<f64>,
    /// Qwen3-Next: the query projection is twice as wide, the second half gates the output.
    pub attn_output_gate: Option<bool>,
    /// Type of the text part of a multimodal model (`text_config.model_type`).
    pub text_model_type: Option<String>,

    // layers of several kinds
    /// Kinds of layers: layer `i` has the type `pattern[i % len]`; the Hub's `layer_types` is such a pattern.
    pub layer_types_pattern: Option<Vec<String>>,
    /// How many layers attend to the whole context. Not a Hub key.
    pub full_attention_layers: Option<u64>,
    /// Every n-th layer has full attention, the others are linear.
    pub full_attention_interval: Option<u64>,
    /// LFM2: the layers that attend; the others are convolutions.
    pub full_attn_idxs: Option<Vec<u64>>,
    /// Llama 4: tokens a chunked-attention layer sees.
    pub attention_chunk_size: Option<u64>,
    /// Llama 3.2 Vision: layers that attend to the image instead of the text.
    pub cross_attention_layers: Option<Vec<u64>>,
    /// Nemotron-H: one letter a layer, `M` Mamba, `*` attention, `-` MLP, `E` experts.
    pub hybrid_override_pattern: Option<String>,

    // mixture of experts
    /// Experts a layer, as Mixtral, Llama 4, GPT-OSS and Granite name them.
    pub num_local_experts: Option<u64>,
    /// Experts a layer, as Qwen, OLMoE and Gemma 4 name them.
    pub num_experts: Option<u64>,
    /// Experts a layer, as DeepSeek and GLM name them.
    pub n_routed_experts: Option<u64>,
    /// Experts a token is sent to.
    pub num_experts_per_tok: Option<u64>,
    /// The same, as Gemma 4 names it.
    pub top_k_experts: Option<u64>,
    /// DeepSeek and GLM: groups of experts, of which a token chooses some first.
    pub n_group: Option<u64>,
    /// DeepSeek and GLM: groups a token chooses.
    pub topk_group: Option<u64>,
    /// Are a token's routing weights divided by their sum? Absent: as the published models of its type do.
    pub norm_topk_prob: Option<bool>,
    /// Width of one expert; absent: `intermediate_size`.
    pub moe_intermediate_size: Option<u64>,
    /// Experts that see every token.
    pub n_shared_experts: Option<u64>,
    /// Width of the shared expert, as Qwen names it.
    pub shared_expert_intermediate_size: Option<u64>,
    /// Width of the shared expert, as Nemotron-H names it.
    pub moe_shared_expert_intermediate_size: Option<u64>,
    /// How Granite's hybrids tell positions apart: `rope`, or not at all.
    pub position_embedding_type: Option<String>,
    /// Width of the shared MLP, as Granite names it.
    pub shared_intermediate_size: Option<u64>,
    /// Nemotron-H: width to which tokens are projected before the experts.
    pub moe_latent_size: Option<u64>,
    /// The first layers, which have a dense MLP instead of experts.
    pub first_k_dense_replace: Option<u64>,
    /// Qwen: every n-th layer has experts.
    pub decoder_sparse_step: Option<u64>,
    /// Llama 4: every n-th layer has experts.
    pub interleave_moe_layer_step: Option<u64>,
    /// Llama 4: width of the dense MLP in the other layers.
    pub intermediate_size_mlp: Option<u64>,
    /// Gemma 4: experts beside the dense MLP.
    pub enable_moe_block: Option<bool>,

    // multi-head latent attention
    /// Rank of the query projection; absent: not factored.
    pub q_lora_rank: Option<u64>,
    /// Rank of the shared key and value projection.
    pub kv_lora_rank: Option<u64>,
    /// Width of a query or key head that is not rotated.
    pub qk_nope_head_dim: Option<u64>,
    /// Width of a query or key head that is rotated.
    pub qk_rope_head_dim: Option<u64>,
    /// Width of a value head.
    pub v_head_dim: Option<u64>,

    // linear attention, Mamba and convolution layers
    /// Linear attention: kernel of the convolution.
    pub linear_conv_kernel_dim: Option<u64>,
    /// Linear attention: width of a key head.
    pub linear_key_head_dim: Option<u64>,
    /// Linear attention: width of a value head.
    pub linear_value_head_dim: Option<u64>,
    /// Linear attention: key heads.
    pub linear_num_key_heads: Option<u64>,
    /// Linear attention: value heads.
    pub linear_num_value_heads: Option<u64>,
    /// Granite: Mamba heads.
    pub mamba_n_heads: Option<u64>,
    /// Granite: width of a Mamba head.
    pub mamba_d_head: Option<u64>,
    /// Granite: width of the state.
    pub mamba_d_state: Option<u64>,
    /// Granite: kernel of the convolution.
    pub mamba_d_conv: Option<u64>,
    /// Granite: inner width over `hidden_size`.
    pub mamba_expand: Option<u64>,
    /// Granite: groups that share a state projection.
    pub mamba_n_groups: Option<u64>,
    /// Nemotron-H: Mamba heads.
    pub mamba_num_heads: Option<u64>,
    /// Nemotron-H: width of a Mamba head.
    pub mamba_head_dim: Option<u64>,
    /// Nemotron-H: width of the state.
    pub ssm_state_size: Option<u64>,
    /// Nemotron-H: groups that share a state projection.
    pub n_groups: Option<u64>,
    /// Nemotron-H: kernel of the convolution.
    pub conv_kernel: Option<u64>,
    /// LFM2: kernel of the convolution.
    "conv_L_cache" pub conv_l_cache: Option<u64>,

    // Gemma 3n and Gemma 4
    /// Width of a head in full-attention layers.
    pub global_head_dim: Option<u64>,
    /// Key and value heads in full-attention layers.
    pub num_global_key_value_heads: Option<u64>,
    /// One projection serves as key and value in full-attention layers.
    pub attention_k_eq_v: Option<bool>,
    /// The last layers, which reuse keys and values of earlier ones.
    pub num_kv_shared_layers: Option<u64>,
    /// The layers that share keys and values have an MLP twice as wide.
    pub use_double_wide_mlp: Option<bool>,
    /// Width of the embedding every layer has of its own.
    pub hidden_size_per_layer_input: Option<u64>,
    /// Entries of those embeddings.
    pub vocab_size_per_layer_input: Option<u64>,
    /// Copies of the residual stream.
    pub altup_num_inputs: Option<u64>,
    /// Rank of the learned residual beside attention.
    pub laurel_rank: Option<u64>,

    // vision
    /// Patches merged along each side before the language model.
    pub spatial_merge_size: Option<u64>,
    /// Biases in the projector from the tower to the language model.
    pub multimodal_projector_bias: Option<bool>,
    /// Tokens an image takes.
    pub mm_tokens_per_image: Option<u64>,
    /// The vision tower's own fields, as they are.
    pub vision_config: Option<Map<String, Value>>,

    // what no Hub key says: what a model's files hold, and what the user says of it
    /// What the model is called: its Hub id, or a name that the user gave. Not a Hub key.
    pub name: Option<String>,
    /// On the user's word: the `model_type` whose forward pass is replayed instead. Not a Hub key.
    pub treat_as: Option<String>,
    /// How its weights are stored where that is no 16 bit: a weight format such as `nf4-dq`, or a quantization method
    /// that is not replayed, such as `gptq`. Not a Hub key.
    pub stored_as: Option<String>,
    /// Weights beside the language model, counted in its files: vision and audio towers, projectors. Not a Hub key.
    pub tower_params: Option<u64>,
}
}

/// The fields that no `config.json` has: what stands under such a key there means something else.
pub(crate) const NOT_OF_THE_HUB: [&str; 4] = ["name", "treat_as", "stored_as", "tower_params"];

impl HfConfig {
    /// Reads what can be read of a `config.json` or its essential fields, and lists the keys that have a value of the
    /// wrong type, each with what is wrong.
    #[inline(never)]
    pub fn read(keys: Map<String, Value>) -> (Self, Vec<(String, String)>) {
        Self::read_essential(config_json::essential(keys))
    }

    /// As [`HfConfig::read`], of essential fields alone, under their own names.
    pub(crate) fn read_essential(mut keys: Map<String, Value>) -> (Self, Vec<(String, String)>) {
        let mut config = HfConfig::default();
        let mut problems = Vec::new();
        for key in KEYS {
            if let Some(value) = config_json::taken(&mut keys, key.name)
                && let Err(problem) = (key.get_mut)(&mut config).read(value)
            {
                problems.push((key.name.to_owned(), problem));
            }
        }
        (config, problems)
    }

    /// The fields that are not absent, under their keys.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, Value)> {
        KEYS.iter()
            .filter_map(|key| Some((key.name, (key.get)(self).write()?)))
    }

    /// The names of all fields.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KEYS.iter().map(|key| key.name)
    }

    /// Is this a key of a configuration?
    pub fn knows(name: &str) -> bool {
        KEYS.iter().any(|key| key.name == name) || config_json::translates(name)
    }
}

impl Serialize for HfConfig {
    #[inline(never)]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.fields())
    }
}

impl<'de> Deserialize<'de> for HfConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (config, problems) = HfConfig::read(Map::deserialize(deserializer)?);
        match problems.first() {
            None => Ok(config),
            Some((key, problem)) => Err(D::Error::custom(format!("{key}: {problem}"))),
        }
    }
}
