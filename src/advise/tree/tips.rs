//! What the tree tells one to do, each with its effect in this scenario.

use super::ask::Known;
use super::solved;
use crate::advise::levers::{Cost, Effect, Remedy};
use crate::catalog;
use crate::scenario::{
    Autocast, Checkpointing, Difference, Method, ModelRef, Optimizer, Qat, Scenario, Stack, WeightFormat,
};
use serde::Serialize;

/// A thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tip {
    Fp8,
    Bf16,
    Fp16,
    FourBit,
    Adamw8bit,
    Batch,
    Checkpointing,
    Remedy,
    Seq,
    Model,
    Card,
    Dynamic4bit,
    Qat,
}

/// A thing to do, and what it does to this run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct Advised {
    /// Stable name, such as `adamw-8bit`.
    pub id: &'static str,
    /// What one does, in a few words.
    pub text: String,
    /// The setting as it is written in a training script.
    pub setting: Option<String>,
    /// What it costs.
    pub cost: Cost,
    /// What else it does, to speed and quality.
    pub side_effect: &'static str,
    /// The published claim about it, by its name among the claims.
    pub claim: Option<&'static str>,
    /// The fields that change; empty where the run is so already or nothing of it changes.
    pub changes: Vec<Difference>,
    /// The changed scenario.
    pub scenario: Option<Scenario>,
    /// What the change does to memory.
    pub effect: Option<Effect>,
    /// Why nothing can be said of its effect.
    pub refused: Option<String>,
}

impl Tip {
    /// The tip without its effect: for ways that are not taken.
    pub fn named(self) -> Advised {
        let words = self.words();
        Advised {
            id: words.id,
            text: words.text.into(),
            setting: words.setting.map(Into::into),
            cost: words.cost,
            side_effect: words.side_effect,
            claim: words.claim,
            changes: Vec::new(),
            scenario: None,
            effect: None,
            refused: None,
        }
    }

    /// The tip with its effect in this scenario.
    pub fn advised(self, known: &Known) -> Advised {
        let mut advised = self.named();
        match self {
            Tip::Remedy => advised.take_remedy(known.remedy),
            Tip::Seq | Tip::Model | Tip::Card => advised.solve(self, known),
            Tip::Qat if known.scenario.stack == Stack::Hf => {
                advised.refused = Some("quantization-aware training is modelled on the Unsloth stack".into());
            }
            _ => {
                let after = self.change(known.scenario);
                let variant = variant(&after);
                if let Some(setting) = self.setting_of(&after, variant.as_deref()) {
                    advised.setting = Some(setting);
                }
                if self == Tip::Fp8 && variant.is_none() && cannot_quantize_to_fp8(&after) {
                    advised.refused = Some(
                        "no FP8 repository of this model is known, and quantizing it while loading takes compute capability 9.0"
                            .into(),
                    );
                    return advised;
                }
                advised.apply(known, after);
            }
        }
        advised
    }

    /// The setting where it depends on the stack, or on what is published.
    fn setting_of(self, after: &Scenario, variant: Option<&str>) -> Option<String> {
        let hf = after.stack == Stack::Hf;
        match (self, variant) {
            (Tip::Fp8 | Tip::Dynamic4bit, Some(variant)) if !hf => Some(format!("model_name=\"{variant}\"")),
            (Tip::Dynamic4bit, Some(variant)) => Some(format!("from_pretrained(\"{variant}\")")),
            (Tip::Fp8, _) if hf => Some("TorchAoConfig(Float8WeightOnlyConfig())".into()),
            (Tip::FourBit, _) if hf => {
                Some("BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_use_double_quant=True)".into())
            }
            (Tip::Checkpointing, _) if hf => Some("gradient_checkpointing=True".into()),
            _ => None,
        }
    }

    /// The run with the tip taken; the same run where it has it already.
    fn change(self, run: &Scenario) -> Scenario {
        let mut run = run.clone();
        match self {
            Tip::Fp8 if run.method != Method::Full => {
                let format = match run.stack {
                    Stack::Hf => WeightFormat::Fp8,
                    Stack::Unsloth => WeightFormat::Fp8Dynamic,
                };
                if run.method == Method::Qlora {
                    run.method = Method::Lora;
                    run.prepare_kbit = false;
                }
                run.set_weights(format);
            }
            Tip::Bf16 if !run.weights.is_quantized() => {
                (run.autocast, run.weights) = (Autocast::Bf16, WeightFormat::Bf16);
            }
            Tip::Bf16 => run.autocast = Autocast::Bf16,
            Tip::Fp16 if !run.weights.is_quantized() => {
                (run.autocast, run.weights) = (Autocast::Fp16, WeightFormat::Fp16);
            }
            Tip::Fp16 => run.autocast = Autocast::Fp16,
            Tip::FourBit => {
                if run.method == Method::Full {
                    run.set_method(Method::Qlora);
                } else {
                    run.set_weights(WeightFormat::Nf4Dq);
                }
            }
            Tip::Adamw8bit => run.optimizer = Optimizer::Adamw8bit,
            Tip::Batch => {
                run.grad_accum = run.grad_accum.saturating_mul(run.batch);
                run.batch = 1;
            }
            Tip::Checkpointing => {
                run.checkpointing = match run.stack {
                    Stack::Hf => Checkpointing::Hf,
                    Stack::Unsloth => Checkpointing::Unsloth,
                };
            }
            Tip::Dynamic4bit => {
                if run.method == Method::Full {
                    run.set_method(Method::Qlora);
                }
                run.set_weights(WeightFormat::Dynamic4bit);
            }
            Tip::Qat => {
                // What is rounded in training must not be packed before.
                run.set_weights(WeightFormat::Bf16);
                run.qat = Qat::Int4;
            }
            _ => {}
        }
        run
    }
}

/// The repository that holds a model in its scenario's format.
fn variant(run: &Scenario) -> Option<String> {
    match &run.model {
        ModelRef::Catalog(id) => catalog::variants_of(id)?.repository(run.weights),
        ModelRef::Config(_) => None,
    }
}

/// Unsloth quantizes to FP8 while loading from compute capability 9.0 on (`models/loader_utils.py`).
fn cannot_quantize_to_fp8(run: &Scenario) -> bool {
    run.stack == Stack::Unsloth && run.capability().is_some_and(|capability| capability < (9, 0))
}

impl Advised {
    fn apply(&mut self, known: &Known, after: Scenario) {
        self.changes = known.scenario.differences(&after);
        if self.changes.is_empty() {
            return;
        }
        match known.estimates.estimate(&after) {
            Ok(after) => self.effect = Some(Effect::between(known.estimate, &after)),
            Err(error) => self.refused = Some(error.to_string()),
        }
        self.scenario = Some(after);
    }

    fn take_remedy(&mut self, remedy: Option<&Remedy>) {
        let Some(remedy) = remedy else { return };
        let steps: Vec<_> = remedy.steps.iter().map(|step| step.label).collect();
        self.text = steps.join(", ");
        self.cost = remedy.cost;
        self.changes = remedy
            .steps
            .iter()
            .flat_map(|step| step.changes.clone())
            .collect();
        self.scenario = Some(remedy.scenario.clone());
        self.effect = Some(remedy.effect.clone());
    }

    /// Answers that a solver gives: the longest sequence, the largest model, the cheapest card.
    fn solve(&mut self, tip: Tip, known: &Known) {
        let run = known.scenario;
        let result = match tip {
            Tip::Seq => solved::longest(known.estimates, run, known.solved),
            Tip::Model => solved::smaller_model(known.estimates, run, known.solved),
            _ => solved::larger_card(run, known.solved),
        };
        match result {
            Ok((text, scenario)) => {
                self.text = text;
                if let Some(scenario) = scenario {
                    self.changes = run.differences(&scenario);
                    self.scenario = Some(scenario);
                }
            }
            Err(error) => self.refused = Some(error.to_string()),
        }
    }
}
