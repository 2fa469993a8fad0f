//! Which modeling code a model runs, and how that code norms and attends.

/// The modeling code of transformers that a forward pass is written after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `modeling_llama.py` and its kin: Mistral, Qwen2, Qwen3, which differ by biases, norms over heads and windows.
    Llama,
    /// `modeling_gemma.py`.
    Gemma,
    /// `modeling_gemma2.py`.
    Gemma2,
    /// `modeling_gemma3.py`.
    Gemma3,
    /// `modeling_gemma3n.py`.
    Gemma3n,
    /// `modeling_gemma4.py` and `modeling_gemma4_unified.py`.
    Gemma4,
    /// `modeling_phi.py`.
    Phi,
    /// `modeling_phi3.py`.
    Phi3,
    /// `modeling_granite.py`.
    Granite,
    /// `modeling_olmo2.py`.
    Olmo2,
    /// `modeling_olmo3.py`.
    Olmo3,
    /// `modeling_exaone4.py`.
    Exaone4,
    /// `modeling_smollm3.py`.
    SmolLm3,
    /// `modeling_hunyuan_v1_dense.py`.
    Hunyuan,
    /// `modeling_ministral3.py`.
    Ministral3,
    /// `modeling_starcoder2.py`.
    Starcoder2,
    /// `modeling_glm.py`.
    Glm,
    /// `modeling_glm4.py`.
    Glm4,
    /// `modeling_cohere.py`.
    Cohere,
    /// `modeling_cohere2.py`.
    Cohere2,
    /// `modeling_qwen3_moe.py`.
    Qwen3Moe,
    /// `modeling_qwen2_moe.py`.
    Qwen2Moe,
    /// `modeling_olmoe.py`.
    Olmoe,
    /// `modeling_glm4_moe.py`.
    Glm4Moe,
    /// `modeling_deepseek_v2.py`.
    DeepseekV2,
    /// `modeling_deepseek_v3.py` and `modeling_glm4_moe_lite.py`.
    DeepseekV3,
    /// `modeling_llama4.py`.
    Llama4,
    /// `modeling_mistral4.py`.
    Mistral4,
    /// `modeling_apertus.py`.
    Apertus,
    /// `modeling_mllama.py`, batches without images.
    Mllama,
    /// `modeling_minimax_m2.py`.
    MiniMaxM2,
    /// `modeling_seed_oss.py`.
    SeedOss,
    /// `modeling_granitemoehybrid.py`, layers of attention and MLP alone.
    GraniteHybrid,
    /// `modeling_mixtral.py`.
    Mixtral,
    /// `modeling_gpt_oss.py`.
    GptOss,
    /// `modeling_qwen3_5.py`.
    Qwen35,
    /// `modeling_qwen3_5_moe.py`.
    Qwen35Moe,
    /// `modeling_qwen3_next.py`.
    Qwen3Next,
    /// `modeling_lfm2.py`.
    Lfm2,
}

/// How a norm computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// `LlamaRMSNorm`: the weight scales what is back in the dtype of the input.
    Rms,
    /// `GemmaRMSNorm`: one plus the weight scales in fp32.
    ZeroCentred,
    /// `Gemma4RMSNorm`: the weight scales in fp32; the root is a power.
    ByPower,
    /// `Llama4TextRMSNorm`: the weight scales what is back in the dtype of the input, nothing else held.
    RmsThenWeight,
    /// `Olmo2RMSNorm`: the weight scales in fp32.
    RmsInFp32,
    /// `CohereLayerNorm`: mean and variance in fp32, step by step, without a bias.
    Centred,
    /// `nn.LayerNorm`: one kernel, a weight and a bias.
    Layer,
}

impl Family {
    /// The types of text models that have a family.
    pub const TYPES: [&'static str; 43] = [
        "llama",
        "mistral",
        "qwen2",
        "qwen3",
        "gemma",
        "gemma2",
        "gemma3",
        "gemma3n",
        "gemma4",
        "gemma4_unified",
        "phi3",
        "granite",
        "olmo2",
        "olmo3",
        "exaone4",
        "smollm3",
        "hunyuan_v1_dense",
        "ministral3",
        "starcoder2",
        "glm",
        "glm4",
        "cohere",
        "cohere2",
        "qwen3_moe",
        "qwen2_moe",
        "olmoe",
        "glm4_moe",
        "deepseek_v2",
        "deepseek_v3",
        "glm4_moe_lite",
        "llama4",
        "mistral4",
        "apertus",
        "mllama",
        "minimax_m2",
        "seed_oss",
        "granitemoehybrid",
        "mixtral",
        "gpt_oss",
        "qwen3_5",
        "qwen3_5_moe",
        "qwen3_next",
        "lfm2",
    ];

    /// The family of a text model's type (without the suffix `_text`).
    pub fn of(text_type: &str) -> Option<Self> {
        Some(match text_type {
            "llama" | "mistral" | "qwen2" | "qwen3" => Family::Llama,
            "gemma" => Family::Gemma,
            "gemma2" => Family::Gemma2,
            "gemma3" => Family::Gemma3,
            "gemma3n" => Family::Gemma3n,
            "gemma4" | "gemma4_unified" => Family::Gemma4,
            "phi" => Family::Phi,
            "phi3" => Family::Phi3,
            "granite" => Family::Granite,
            "olmo2" => Family::Olmo2,
            "olmo3" => Family::Olmo3,
            "exaone4" => Family::Exaone4,
            "smollm3" => Family::SmolLm3,
            "hunyuan_v1_dense" => Family::Hunyuan,
            "ministral3" => Family::Ministral3,
            "starcoder2" => Family::Starcoder2,
            "glm" => Family::Glm,
            "glm4" => Family::Glm4,
            "cohere" => Family::Cohere,
            "cohere2" => Family::Cohere2,
            "qwen3_moe" => Family::Qwen3Moe,
            "qwen2_moe" => Family::Qwen2Moe,
            "olmoe" => Family::Olmoe,
            "glm4_moe" => Family::Glm4Moe,
            "deepseek_v2" => Family::DeepseekV2,
            "deepseek_v3" | "glm4_moe_lite" => Family::DeepseekV3,
            "llama4" => Family::Llama4,
            "mistral4" => Family::Mistral4,
            "apertus" => Family::Apertus,
            "mllama" | "mllama_text_model" => Family::Mllama,
            "minimax_m2" => Family::MiniMaxM2,
            "seed_oss" => Family::SeedOss,
            "granitemoehybrid" => Family::GraniteHybrid,
            "mixtral" => Family::Mixtral,
            "gpt_oss" => Family::GptOss,
            "qwen3_5" => Family::Qwen35,
            "qwen3_5_moe" => Family::Qwen35Moe,
            "qwen3_next" => Family::Qwen3Next,
            "lfm2" => Family::Lfm2,
            _ => return None,
        })
    }

    /// Its norms.
    pub fn norm(self) -> Norm {
        match self {
            Family::Gemma
            | Family::Gemma2
            | Family::Gemma3
            | Family::Qwen35
            | Family::Qwen35Moe
            | Family::Qwen3Next => Norm::ZeroCentred,
            Family::Gemma3n | Family::Gemma4 => Norm::ByPower,
            Family::Llama4 => Norm::RmsThenWeight,
            Family::Olmo2 | Family::Olmo3 | Family::GptOss => Norm::RmsInFp32,
            Family::Cohere | Family::Cohere2 => Norm::Centred,
            Family::Starcoder2 | Family::Phi => Norm::Layer,
            _ => Norm::Rms,
        }
    }

    /// Are embeddings multiplied by a number?
    pub fn multiplies_embeddings(self) -> bool {
        matches!(self, Family::Granite | Family::GraniteHybrid)
    }

    /// Are logits multiplied by a number?
    pub fn multiplies_logits(self) -> bool {
        matches!(
            self,
            Family::Granite | Family::GraniteHybrid | Family::Cohere | Family::Cohere2
        )
    }

    /// Are logits fp32 as soon as they are made (`MllamaForCausalLM.forward`)?
    pub fn has_fp32_logits(self) -> bool {
        self == Family::Mllama
    }

    /// Do rotary tables stay in fp32?
    pub fn has_fp32_tables(self) -> bool {
        matches!(self, Family::Olmo2 | Family::Olmo3)
    }

    /// Is there one rotary table, of complex numbers?
    pub fn has_complex_tables(self) -> bool {
        matches!(self, Family::DeepseekV2 | Family::Llama4)
    }

    /// Are embeddings multiplied by a scale that the module holds as a buffer?
    pub fn scales_embeddings(self) -> bool {
        matches!(
            self,
            Family::Gemma | Family::Gemma2 | Family::Gemma3 | Family::Gemma3n | Family::Gemma4
        )
    }

    /// Is what a layer returns multiplied by a number that the layer holds as a buffer?
    pub fn scales_layers(self) -> bool {
        self == Family::Gemma4
    }

    /// Are the scores of eager attention capped by a hyperbolic tangent?
    pub fn caps_scores(self) -> bool {
        self == Family::Gemma2
    }

    /// Must attention be eager, its softmax having a column of its own (`_supports_sdpa = False`)?
    pub fn is_always_eager(self) -> bool {
        self == Family::GptOss
    }

    /// Is a mask for layers with a window made although no layer has one, of a window of no tokens
    /// (`Qwen2MoeModel.forward`, `Qwen2MoeConfig.sliding_window`)?
    pub fn masks_an_empty_window(self) -> bool {
        self == Family::Qwen2Moe
    }

    /// As [`masks_an_empty_window`](Self::masks_an_empty_window), of whatever window (`Gemma4TextModel.forward`).
    pub fn masks_an_idle_window(self) -> bool {
        self.masks_an_empty_window()
            || self.masks_in_chunks()
            || matches!(self, Family::Gemma3n | Family::Gemma4)
    }

    /// Is the mask without a window made even if no layer takes it (`causal_mask_mapping` in `Gemma3TextModel.forward` and
    /// its kin)?
    pub fn masks_both_kinds(self) -> bool {
        matches!(
            self,
            Family::Gemma2
                | Family::Gemma3
                | Family::Gemma3n
                | Family::Gemma4
                | Family::Cohere2
                | Family::Olmo3
                | Family::Exaone4
                | Family::GptOss
        )
    }

    /// Is a window a chunk of the sequence, which looks at nothing before it (`create_chunked_causal_mask`)?
    pub fn masks_in_chunks(self) -> bool {
        self == Family::Llama4
    }

    /// Is the router a linear layer that returns more than one tensor?
    pub fn routes_by_a_linear_layer(self) -> bool {
        self == Family::Llama4
    }

    /// Does eager attention take the softmax in the dtype of the scores?
    pub fn keeps_scores_dtype(self) -> bool {
        self == Family::Llama4
    }

    /// Is the mask made without looking for packed sequences (no `position_ids` among its arguments)?
    pub fn ignores_packing(self) -> bool {
        matches!(self, Family::GptOss | Family::GraniteHybrid)
    }

    /// Do layers take `position_ids` among their arguments?
    pub fn passes_positions(self) -> bool {
        self != Family::GraniteHybrid
    }

    /// Are rotary tables as wide as half of what is rotated?
    pub fn has_half_tables(self) -> bool {
        self == Family::GptOss
    }

    /// Is there dropout on the weights of attention, behind attention and behind the MLP
    /// (`SeedOssConfig.attention_dropout`, `residual_dropout`)?
    pub fn has_dropout(self) -> bool {
        self == Family::SeedOss
    }

    /// Where the stacked weights of experts stand in a layer: gates and ups, and downs.
    pub fn expert_paths(self) -> [&'static str; 2] {
        match self {
            Family::Gemma4 => ["experts.gate_up_proj", "experts.down_proj"],
            Family::Llama4 => [
                "feed_forward.experts.gate_up_proj",
                "feed_forward.experts.down_proj",
            ],
            _ => ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"],
        }
    }

    /// Where the output projection of attention stands in a layer.
    pub fn output_projection(self) -> &'static str {
        match self {
            Family::Phi => "self_attn.dense",
            Family::Lfm2 => "self_attn.out_proj",
            _ => "self_attn.o_proj",
        }
    }

    /// Are rotary frequencies registered before the final norm?
    pub fn rotates_before_its_norm(self) -> bool {
        matches!(self, Family::Phi | Family::Lfm2)
    }

    /// Are positions in tokens, height and width, each sequence with rotary tables of its own?
    pub fn rotates_by_sections(self) -> bool {
        matches!(self, Family::Qwen35 | Family::Qwen35Moe)
    }

    /// Is what attention returns gated, by the second half of the query projection?
    pub fn gates_attention(self) -> bool {
        self.attends_linearly()
    }

    /// Do most layers attend linearly, by the gated delta rule?
    pub fn attends_linearly(self) -> bool {
        matches!(self, Family::Qwen35 | Family::Qwen35Moe | Family::Qwen3Next)
    }

    /// Has the head a bias?
    pub fn has_head_bias(self) -> bool {
        self == Family::Phi
    }

    /// Is its cache one of keys and values as attention takes them (`DynamicCache.update` in its attention)?
    pub fn caches_keys_and_values(self) -> bool {
        !matches!(
            self,
            Family::DeepseekV2
                | Family::DeepseekV3
                | Family::Mistral4
                | Family::GraniteHybrid
                | Family::Gemma3n
                | Family::Gemma4
                | Family::Mllama
                | Family::Llama4
                | Family::Qwen35
                | Family::Lfm2
        )
    }

    /// Are its modules replaced by Liger's RMSNorm, rotation and gated MLP
    /// (`liger_kernel/transformers/monkey_patch.py: MODEL_TYPE_TO_APPLY_LIGER_FN`)?
    pub fn has_liger_kernels(self) -> bool {
        matches!(
            self,
            Family::Llama | Family::SmolLm3 | Family::Gemma | Family::Gemma2 | Family::Gemma3 | Family::Phi3
        )
    }

    /// Do Liger's norms write gradients over what arrives (`_patch_rms_norm_module`, `in_place`)?
    pub fn has_liger_norms_in_place(self) -> bool {
        !matches!(self, Family::Gemma2 | Family::Gemma3)
    }

    /// Are the logits capped by a hyperbolic tangent?
    pub fn caps_logits(self) -> bool {
        matches!(self, Family::Gemma2 | Family::Gemma3n)
    }

    /// Have layers with a window rotary tables of their own?
    pub fn has_tables_by_window(self) -> bool {
        matches!(
            self,
            Family::Gemma3 | Family::Gemma3n | Family::Gemma4 | Family::Olmo3
        )
    }

    /// Share of a head that is rotated, where the configuration does not say.
    pub fn rotated_share(self) -> f64 {
        match self {
            Family::Glm | Family::Glm4 | Family::Glm4Moe | Family::Phi => 0.5,
            Family::Qwen35 | Family::Qwen35Moe | Family::Qwen3Next => 0.25,
            _ => 1.0,
        }
    }

    /// Every n-th layer attends to all, the others have the window, where the configuration does not say
    /// (`configuration_*.py`, `layer_types`). `None`: all layers have the window.
    pub fn full_attention_every(self) -> Option<u64> {
        match self {
            Family::Gemma2 | Family::GptOss => Some(2),
            Family::Gemma3 | Family::Gemma4 => Some(6),
            Family::Gemma3n => Some(5),
            Family::Olmo3 | Family::Exaone4 | Family::Cohere2 | Family::Llama4 => Some(4),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Family;

    #[test]
    fn every_listed_type_has_a_family() {
        for name in Family::TYPES {
            assert!(Family::of(name).is_some(), "{name}");
        }
    }
}
