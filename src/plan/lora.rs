//! Adapters: which modules PEFT gives one, and of what size.

use super::not_modelled;
use crate::estimate::EstimateError;
use crate::model::{Architecture, ExpertStorage, OldNames, Part, PartKind};
use crate::replay::Dtype;
use crate::scenario::{AdapterDtype, Lora, Stack, Targets};

/// Adapters.
#[derive(Clone, Debug, PartialEq)]
pub struct LoraPlan {
    /// Rank.
    pub rank: u64,
    /// Is dropout above zero?
    pub dropout: bool,
    /// DoRA: a trained magnitude for each output beside.
    pub dora: bool,
    /// `modules_to_save`: are the embedding and the head trained whole beside the adapters?
    pub saves: [bool; 2],
    /// Which linear layers, and which stacked weights by their old names.
    targets: Targets,
    /// Old names of what is no linear layer any more.
    old_names: Option<OldNames>,
    /// Old linear layers behind one stack of gates and ups.
    fused: u64,
    /// May routers be adapted?
    routers: bool,
    alpha: f64,
    /// Is `alpha` divided by the rank's root (`use_rslora`)?
    by_root: bool,
    /// Dtype of the adapters while training; `None`: that of the weights they adapt.
    pub dtype: Option<Dtype>,
}

/// The adapter of one weight: `lora_A` is rank x inputs, `lora_B` outputs x rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// Columns in.
    pub inputs: u64,
    /// Columns out.
    pub outputs: u64,
    /// Rank, of all experts together.
    pub rank: u64,
    /// Experts of a stacked weight, else 1.
    pub experts: u64,
    /// Is its update scaled by a number other than 1?
    pub scaled: bool,
}

impl LoraPlan {
    /// The adapters of a scenario.
    ///
    /// # Errors
    /// The reason, when PEFT or the replay cannot do it.
    pub(super) fn new(lora: &Lora, arch: &Architecture, stack: Stack) -> Result<Self, EstimateError> {
        let known = |name: &String| matches!(name.as_str(), "embed_tokens" | "lm_head");
        if !lora.modules_to_save.iter().all(known) {
            return not_modelled("modules_to_save other than embed_tokens and lm_head are not modelled yet");
        }
        let plan = LoraPlan {
            rank: lora.rank,
            dropout: lora.dropout > 0.0,
            dora: lora.use_dora,
            saves: ["embed_tokens", "lm_head"]
                .map(|module| lora.modules_to_save.iter().any(|name| name == module)),
            targets: lora.targets.clone(),
            old_names: arch.experts.as_ref().and_then(|experts| experts.old_names),
            fused: match arch.experts.as_ref().map(|experts| experts.storage) {
                Some(ExpertStorage::Interleaved) => 1,
                // Unsloth names the stacks itself (`unsloth/models/_utils.py: get_moe_target_modules`), and no router.
                _ if stack == Stack::Unsloth => 1,
                _ => 2,
            },
            routers: stack == Stack::Hf,
            alpha: lora.alpha,
            by_root: lora.use_rslora,
            dtype: match lora.adapter_dtype {
                AdapterDtype::Fp32 => Some(Dtype::F32),
                AdapterDtype::Base => None,
            },
        };
        plan.check(arch)?;
        Ok(plan)
    }

    fn check(&self, arch: &Architecture) -> Result<(), EstimateError> {
        if let Some(OldNames {
            gate_up: [gate, up], ..
        }) = self.old_names
            && self.targets.contains(gate) != self.targets.contains(up)
        {
            return not_modelled(format!(
                "PEFT adapts the stacked experts of this model by both of {gate} and {up} or by neither"
            ));
        }
        if arch.family.routes_by_a_linear_layer() && self.targets.contains("router") {
            // `peft/tuners/lora/layer.py: Linear.forward` reads `result.dtype`.
            return not_modelled(
                "PEFT fails on the router of this model, a linear layer that returns more than one tensor: name the targets, without router",
            );
        }
        let mut adapted = false;
        for (_, _, part) in arch.parts() {
            let Some(adapter) = self.adapter_of(&part) else {
                continue;
            };
            adapted = true;
            let stacked = matches!(part.kind, PartKind::Weight(_));
            if stacked && (self.dropout || self.dora) {
                // `ParamWrapper.__init__` raises.
                return not_modelled(
                    "adapters on stacked experts or their router take neither dropout nor DoRA in PEFT",
                );
            }
            if stacked && adapter.experts == 1 && part.name() != "weight" {
                return not_modelled("adapters on a stack of one expert are not modelled");
            }
        }
        if !adapted {
            // "Target modules ... not found in the base model" (PEFT).
            return not_modelled("no layer of this model has a name among the targets");
        }
        Ok(())
    }

    /// Is the linear layer of this name adapted? Names that PEFT takes for stacked weights are theirs alone, even where
    /// other layers have linear ones of that name (`_convert_peft_config_moe` removes them from `target_modules`).
    pub fn adapts(&self, name: &str) -> bool {
        self.targets.contains(name) && !self.old_names.is_some_and(|old| old.contains(name))
    }

    /// The adapter of a part, if it has one.
    pub fn adapter_of(&self, part: &Part) -> Option<Adapter> {
        // Where weights are fused, rank and alpha grow alike (`rank_pattern`, `alpha_pattern`).
        let scaled = |fused: u64| {
            let (alpha, rank) = (self.alpha * fused as f64, self.rank.saturating_mul(fused) as f64);
            alpha != if self.by_root { rank.sqrt() } else { rank }
        };
        match part.kind {
            PartKind::Linear { inputs, outputs, .. } => self.adapts(part.name()).then(|| Adapter {
                inputs,
                outputs,
                rank: self.rank,
                experts: 1,
                scaled: scaled(1),
            }),
            PartKind::Weight([experts, outputs, inputs]) => {
                let old = self.old_names?;
                let (name, fused) = match part.path {
                    "mlp.gate.weight" if self.routers => (OldNames::ROUTER, 1),
                    "mlp.experts.gate_up_proj" => (old.gate_up[0], self.fused),
                    "mlp.experts.down_proj" => (old.down, 1),
                    _ => return None,
                };
                let rank = self.rank.saturating_mul(fused);
                let adapter = match inputs {
                    0 => Adapter {
                        inputs: outputs,
                        outputs: experts,
                        rank,
                        experts: 1,
                        scaled: scaled(fused),
                    },
                    _ => Adapter {
                        inputs,
                        outputs,
                        rank: rank.saturating_mul(experts),
                        experts,
                        scaled: scaled(fused),
                    },
                };
                self.targets.contains(name).then_some(adapter)
            }
        }
    }
}
