//! Experts: how many there are, which layers have them, and the parts that hold their weights.

use super::{Family, HfConfig, Part, PartKind};

/// From this many experts on, choosing among them takes another kernel, with scratch of its own
/// (`aten/src/ATen/native/cuda/TensorTopK.cu: should_use_mbtopk`), which is written for the routers of some families.
const MOST_EXPERTS: u64 = 400;
/// As [`MOST_EXPERTS`], where that is written.
const MOST_EXPERTS_BY_BLOCKS: u64 = 800;

/// The experts of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Experts {
    /// How many.
    pub count: u64,
    /// Experts a token is sent to.
    pub per_token: u64,
    /// Width of one.
    pub width: u64,
    /// Are a token's weights divided by their sum?
    pub normalize: bool,
    /// Width of the expert that sees every token.
    pub shared_width: Option<u64>,
    /// Layers before this one have an MLP instead.
    pub first: u64,
    /// Every n-th layer has experts.
    pub every: u64,
    /// Groups of experts, where scores are corrected by a buffer.
    pub groups: Option<Groups>,
    /// How their weights are stored.
    pub storage: ExpertStorage,
    /// Names that adapters' targets have for the stacked weights and the router, where PEFT translates them.
    pub old_names: Option<OldNames>,
}

/// Groups of experts, of which a token chooses some first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Groups {
    /// How many.
    pub count: u64,
    /// Groups that a token chooses.
    pub chosen: u64,
    /// The correction of scores (`e_score_correction_bias`), where there is one.
    pub correction: Option<Correction>,
}

/// The dtype of a correction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Correction {
    /// fp32, whatever the weights'.
    Fp32,
    /// The weights'.
    AsWeights,
}

/// Modules of earlier versions of a mixture of experts, which PEFT takes for its stacked weights and its router
/// (`peft/utils/transformers_weight_conversion.py: _MOE_TARGET_MODULE_MAPPING, _MOE_FUSED_TARGETS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldNames {
    /// Now `gate_up_proj`.
    pub gate_up: [&'static str; 2],
    /// Now `down_proj`.
    pub down: &'static str,
}

impl OldNames {
    /// The router, now its `gate.weight`.
    pub const ROUTER: &'static str = "gate";

    /// Is this one of them?
    pub fn contains(&self, name: &str) -> bool {
        name == Self::ROUTER || name == self.down || self.gate_up.contains(&name)
    }
}

/// How the weights of experts are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpertStorage {
    /// Gate and up behind each other, outputs x inputs.
    Concatenated,
    /// Gate and up in turns, inputs x outputs, with biases; the gate is clamped (GPT-OSS).
    Interleaved,
}

impl Experts {
    /// The experts of a configuration, if its family has any.
    ///
    /// # Errors
    /// The reason, when they cannot be replayed.
    pub(super) fn of(config: &HfConfig, family: Family) -> Result<Option<Self>, String> {
        let count = match family {
            Family::Qwen3Moe | Family::Qwen2Moe | Family::Olmoe | Family::Qwen35Moe | Family::Qwen3Next => {
                config.num_experts
            }
            Family::Mixtral | Family::GptOss | Family::MiniMaxM2 | Family::Llama4 => config.num_local_experts,
            Family::Glm4Moe | Family::DeepseekV2 | Family::DeepseekV3 | Family::Mistral4 => {
                config.n_routed_experts
            }
            Family::Gemma4 if config.enable_moe_block == Some(true) => config.num_experts,
            _ => return Ok(None),
        };
        let per_token = match family {
            Family::Gemma4 => config.top_k_experts,
            _ => config.num_experts_per_tok,
        };
        let (Some(count), Some(per_token)) = (count, per_token) else {
            return Err("the number of experts is not given".into());
        };
        if count == 0 || per_token == 0 || per_token > count {
            return Err(format!("{per_token} of {count} experts a token cannot be"));
        }
        let most = match family.attends_linearly() {
            true => MOST_EXPERTS_BY_BLOCKS,
            false => MOST_EXPERTS,
        };
        if count >= most {
            return Err(format!("choosing among {most} or more experts is not modelled"));
        }
        let width = match family {
            Family::Mixtral | Family::GptOss | Family::MiniMaxM2 | Family::Llama4 => config.intermediate_size,
            _ => config.moe_intermediate_size.unwrap_or(config.intermediate_size),
        };
        let groups = match family {
            Family::MiniMaxM2 => Some(Groups {
                count: 1,
                chosen: 1,
                correction: Some(Correction::AsWeights),
            }),
            Family::DeepseekV2 if config.n_group.unwrap_or(1) > 1 => {
                return Err("routers that choose groups of experts greedily are not written".into());
            }
            Family::Glm4Moe | Family::DeepseekV3 | Family::Mistral4 => {
                // `DeepseekV3Config.n_group`
                let (all, chosen) = match config.text_type() {
                    "deepseek_v3" => (8, 4),
                    _ => (1, 1),
                };
                let groups = (config.n_group.unwrap_or(all), config.topk_group.unwrap_or(chosen));
                if groups.0 == 0 || groups.1 == 0 || groups.1 > groups.0 || count / groups.0 < 2 {
                    return Err(format!(
                        "{count} experts cannot be chosen by {} of {} groups",
                        groups.1, groups.0
                    ));
                }
                Some(Groups {
                    count: groups.0,
                    chosen: groups.1,
                    correction: match config.text_type() {
                        "mistral4" => None,
                        "deepseek_v3" => Some(Correction::AsWeights),
                        _ => Some(Correction::Fp32),
                    },
                })
            }
            _ => None,
        };
        Ok(Some(Experts {
            count,
            per_token,
            width,
            normalize: config
                .norm_topk_prob
                .filter(|_| family != Family::Qwen35Moe)
                .unwrap_or(!matches!(family, Family::Qwen2Moe | Family::Olmoe))
                // `modular_deepseek_v2.py: del self.norm_topk_prob`
                && family != Family::DeepseekV2,
            shared_width: match family {
                Family::Qwen2Moe | Family::Qwen35Moe | Family::Qwen3Next => {
                    config.shared_expert_intermediate_size
                }
                Family::Glm4Moe | Family::DeepseekV3 | Family::Mistral4 => {
                    Some(width.saturating_mul(config.n_shared_experts.unwrap_or(1)))
                }
                Family::DeepseekV2 => Some(width.saturating_mul(config.n_shared_experts.unwrap_or(2))),
                _ => None,
            },
            // `first_k_dense_replace`, which other families do not know
            first: match family {
                Family::Glm4Moe | Family::DeepseekV2 | Family::DeepseekV3 | Family::Mistral4 => {
                    config.first_k_dense_replace.unwrap_or(match config.text_type() {
                        "deepseek_v3" => 3,
                        "glm4_moe" | "glm4_moe_lite" => 1,
                        _ => 0,
                    })
                }
                _ => 0,
            },
            groups,
            every: match family {
                Family::Qwen3Moe | Family::Qwen2Moe | Family::Qwen3Next => {
                    config.decoder_sparse_step.unwrap_or(1).max(1)
                }
                Family::Llama4 => config.interleave_moe_layer_step.unwrap_or(1).max(1),
                _ => 1,
            },
            storage: match family {
                Family::GptOss => ExpertStorage::Interleaved,
                _ => ExpertStorage::Concatenated,
            },
            // `transformers/conversion_mapping.py: _MODEL_TO_CONVERSION_PATTERN` names these types.
            old_names: match family {
                Family::Mixtral | Family::MiniMaxM2 => Some(OldNames {
                    gate_up: ["w1", "w3"],
                    down: "w2",
                }),
                Family::GptOss
                | Family::Qwen2Moe
                | Family::Qwen35Moe
                | Family::Gemma4
                | Family::Mistral4
                | Family::Llama4 => None,
                _ => Some(OldNames {
                    gate_up: ["gate_proj", "up_proj"],
                    down: "down_proj",
                }),
            },
        }))
    }

    /// Is choosing among them, for this many tokens, written? The scan of [`MOST_EXPERTS`] and more is up to 65,536 tokens.
    pub fn can_be_chosen_for(&self, tokens: u64) -> bool {
        self.count < MOST_EXPERTS || tokens <= 1 << 16
    }

    /// Has this layer experts?
    pub fn are_in(&self, layer: u64) -> bool {
        layer >= self.first && (layer + 1).is_multiple_of(self.every)
    }

    /// The stacked weights of all experts: gates and ups, and downs.
    pub(super) fn stacks(&self, hidden: u64, family: Family) -> [Part; 2] {
        let [gate_up, down] = family.expert_paths();
        [
            weight(gate_up, [self.count, 2 * self.width, hidden]),
            weight(down, [self.count, hidden, self.width]),
        ]
    }

    /// `Llama4TextMoe.__init__`: stacks of inputs x outputs.
    fn llama4(&self, hidden: u64) -> Vec<Part> {
        let [gate_up, down] = Family::Llama4.expert_paths();
        let width = self.width;
        vec![
            weight(gate_up, [self.count, hidden, 2 * width]),
            weight(down, [self.count, width, hidden]),
            weight("feed_forward.router.weight", [self.count, hidden, 0]),
            Part::linear("feed_forward.shared_expert.gate_proj", hidden, width, false),
            Part::linear("feed_forward.shared_expert.up_proj", hidden, width, false),
            Part::linear("feed_forward.shared_expert.down_proj", width, hidden, false),
        ]
    }

    /// The parts that stand in place of an MLP, in the order of registration.
    pub(super) fn parts(&self, hidden: u64, family: Family) -> Vec<Part> {
        if self.storage == ExpertStorage::Interleaved {
            return vec![
                weight("mlp.router.weight", [self.count, hidden, 0]),
                weight("mlp.router.bias", [self.count, 0, 0]),
                weight("mlp.experts.gate_up_proj", [self.count, hidden, 2 * self.width]),
                weight("mlp.experts.gate_up_proj_bias", [self.count, 2 * self.width, 0]),
                weight("mlp.experts.down_proj", [self.count, self.width, hidden]),
                weight("mlp.experts.down_proj_bias", [self.count, hidden, 0]),
            ];
        }
        if family == Family::Llama4 {
            return self.llama4(hidden);
        }
        let router = [weight("mlp.gate.weight", [self.count, hidden, 0])];
        let experts = self.stacks(hidden, family);
        let mut parts: Vec<Part> = match family {
            Family::Qwen3Moe
            | Family::Glm4Moe
            | Family::DeepseekV2
            | Family::DeepseekV3
            | Family::Mistral4 => experts.into_iter().chain(router).collect(),
            _ => router.into_iter().chain(experts).collect(),
        };
        let gated = matches!(family, Family::Qwen2Moe | Family::Qwen35Moe | Family::Qwen3Next);
        if let (Some(width), false) = (self.shared_width, gated) {
            parts.extend([
                Part::linear("mlp.shared_experts.gate_proj", hidden, width, false),
                Part::linear("mlp.shared_experts.up_proj", hidden, width, false),
                Part::linear("mlp.shared_experts.down_proj", width, hidden, false),
            ]);
        } else if let Some(width) = self.shared_width {
            parts.extend([
                Part::linear("mlp.shared_expert.gate_proj", hidden, width, false),
                Part::linear("mlp.shared_expert.up_proj", hidden, width, false),
                Part::linear("mlp.shared_expert.down_proj", width, hidden, false),
                Part::linear("mlp.shared_expert_gate", hidden, 1, false),
            ]);
        }
        parts
    }
}

/// A bare parameter.
fn weight(path: &'static str, shape: [u64; 3]) -> Part {
    Part {
        path,
        kind: PartKind::Weight(shape),
    }
}
