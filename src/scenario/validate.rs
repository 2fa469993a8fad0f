//! What is wrong with a scenario, field by field, before anything is computed from it.

use super::limits::{self, Limit};
use super::size::Size;
use super::{
    BaseDtype, Checkpointing, FieldError, Method, ModelRef, Objective, Qat, Scenario, Stack, WeightFormat,
    config_problems, lora_problems, quoted,
};
use crate::catalog::{self, Gpu};

impl Scenario {
    /// Every field that cannot be used as it is, with what would be accepted; empty when the scenario is sound. Numbers
    /// of a sound scenario are small enough for 64-bit arithmetic.
    ///
    /// ```
    /// use plimsoll::scenario::Scenario;
    /// let run = Scenario { gpu: Some("rtx-4900".into()), ..Scenario::default() };
    /// let text = run.problems()[0].to_string();
    /// assert!(text.starts_with("gpu: 'rtx-4900' is not in the catalog; nearest are rtx-4090, "));
    /// ```
    pub fn problems(&self) -> Vec<FieldError> {
        let mut problems = Vec::new();
        problems.extend(self.model_problems());
        problems.extend(self.gpu_problem());
        problems.extend(self.capability_problem());
        problems.extend(self.choice_problems());
        problems.extend(self.dtype_problem());
        for (field, value) in [
            ("batch", self.batch),
            ("seq", self.seq),
            ("grad_accum", self.grad_accum),
            ("packing", self.packing),
        ] {
            problems.extend(Limit::of(field).check(field, value).err());
        }
        let lengths = self.lengths.iter();
        problems.extend(lengths.filter_map(|&length| Limit::of("lengths").check("lengths", length).err()));
        problems.extend(self.memory_problem());
        problems.extend(self.batching_problem());
        if self.method != Method::Full {
            problems.extend(lora_problems::of(&self.lora));
        }
        if problems.is_empty() {
            problems.extend(self.size_problem());
        }
        problems
    }

    /// The closed choices that can contradict others, by name: no other is ever blamed.
    pub const CHOICES_AT_ODDS: [&str; 2] = ["checkpointing", "weights"];

    /// Those of [`Scenario::problems`] that are about [`Scenario::CHOICES_AT_ODDS`]. A form that asks this of every value
    /// it offers need not look anything else up.
    pub fn choice_problems(&self) -> Vec<FieldError> {
        let mut problems = Vec::from_iter(self.weights_problem());
        if self.checkpointing == Checkpointing::Unsloth && self.stack != Stack::Unsloth {
            let text = "off-loaded checkpointing is Unsloth's; use checkpointing=hf, or stack=unsloth";
            problems.push(FieldError::new("checkpointing", text));
        }
        problems
    }

    /// The card, when one is named and the catalog holds it.
    pub fn card(&self) -> Option<&'static Gpu> {
        catalog::gpu(self.gpu.as_deref()?)
    }

    /// Compute capability as `(major, minor)`: the card's, else the one given.
    pub fn capability(&self) -> Option<(u32, u32)> {
        let card = self.card().and_then(|card| card.compute_capability.as_deref());
        parse_capability(card.or(self.compute_capability.as_deref())?)
    }

    fn model_problems(&self) -> Vec<FieldError> {
        match &self.model {
            ModelRef::Catalog(id) if catalog::model(id).is_some() => Vec::new(),
            ModelRef::Catalog(id) => vec![unknown_model(id)],
            ModelRef::Config(config) => config_problems::of(config),
        }
    }

    fn gpu_problem(&self) -> Option<FieldError> {
        let name = self.gpu.as_deref()?;
        match catalog::gpu(name) {
            Some(_) => None,
            None => Some(unknown_card(name)),
        }
    }

    fn capability_problem(&self) -> Option<FieldError> {
        self.odd_capability(self.compute_capability.as_deref()?)
    }

    #[inline(never)]
    fn odd_capability(&self, text: &str) -> Option<FieldError> {
        if parse_capability(text).is_none() {
            let problem = format!("{} is not a compute capability; write it as 8.9", quoted(text));
            return Some(FieldError::new("compute_capability", problem));
        }
        let card = self.card()?;
        let own = card.compute_capability.as_deref().filter(|own| *own != text)?;
        let problem = format!("{} has {own}; leave it out when a card is named", card.slug);
        Some(FieldError::new("compute_capability", problem))
    }

    fn memory_problem(&self) -> Option<FieldError> {
        self.odd_memory(self.memory_gib?)
    }

    #[inline(never)]
    fn odd_memory(&self, gib: f64) -> Option<FieldError> {
        let problem = match self.card() {
            Some(card) => format!("{} has its own; leave it out when a card is named", card.slug),
            None if (1.0..=4096.0).contains(&gib) => return None,
            None => "give GiB between 1 and 4096".to_owned(),
        };
        Some(FieldError::new("memory_gib", problem))
    }

    fn batching_problem(&self) -> Option<FieldError> {
        let is_usual = self.packing <= 1
            && !self.padding_free
            && self.objective == Objective::Sft
            && self.qat == Qat::Off
            && self.lengths.is_empty();
        match is_usual {
            true => None,
            false => self.odd_batching(),
        }
    }

    #[inline(never)]
    fn odd_batching(&self) -> Option<FieldError> {
        if self.packing > self.seq.max(1) {
            let problem = format!(
                "a sequence of {} tokens holds no {} documents",
                self.seq, self.packing
            );
            return Some(FieldError::new("packing", problem));
        }
        if self.packing > 1 && !self.seq.is_multiple_of(self.packing) {
            let problem = format!(
                "{} documents of equal length do not fill {} tokens; use seq={}",
                self.packing,
                self.seq,
                self.seq / self.packing * self.packing
            );
            return Some(FieldError::new("packing", problem));
        }
        if self.stack == Stack::Hf && (self.padding_free || self.packing > 1) {
            let problem = "is modelled on the Unsloth stack; use stack=unsloth";
            return Some(FieldError::new(
                if self.padding_free {
                    "padding_free"
                } else {
                    "packing"
                },
                problem,
            ));
        }
        if self.objective == Objective::Dpo && (self.stack == Stack::Hf || self.packing > 1) {
            let problem = "preferences are modelled on the Unsloth stack without packing";
            return Some(FieldError::new("objective", problem));
        }
        if self.qat != Qat::Off && self.stack == Stack::Hf {
            let problem = "quantization-aware training is modelled on the Unsloth stack";
            return Some(FieldError::new("qat", problem));
        }
        if !self.lengths.is_empty() && (self.stack == Stack::Hf || self.packing > 1) {
            let problem = "sequences of several lengths are modelled on the Unsloth stack without packing";
            return Some(FieldError::new("lengths", problem));
        }
        if self.stack == Stack::Unsloth && self.packing > 1 && !self.padding_free {
            let problem = "packed batches are padding-free; use padding_free=true";
            return Some(FieldError::new("padding_free", problem));
        }
        None
    }

    fn weights_problem(&self) -> Option<FieldError> {
        match self.weights.suits(self.method) {
            true => None,
            false => Some(self.odd_weights()),
        }
    }

    #[cold]
    #[inline(never)]
    fn odd_weights(&self) -> FieldError {
        let format = self.weights;
        let problem = match self.method {
            Method::Full => format!(
                "{format} weights cannot be trained; use weights=bf16, fp16 or fp32, or an adapter on them: method={}",
                if format.is_4bit() {
                    Method::Qlora
                } else {
                    Method::Lora
                }
            ),
            Method::Lora => format!("LoRA on {format} weights is QLoRA; use method=qlora, or weights=bf16"),
            Method::Qlora => format!(
                "QLoRA keeps its base quantized and {format} is not; use weights={}, or method=lora",
                WeightFormat::usual(Method::Qlora)
            ),
        };
        FieldError::new("weights", problem)
    }

    fn dtype_problem(&self) -> Option<FieldError> {
        let problem = match (self.dtype, self.stack) {
            (BaseDtype::Auto, _) => return None,
            (_, Stack::Unsloth) => "is modelled on the Hugging Face stack",
            _ if self.weights.is_quantized() => return None,
            _ => "goes with quantized weights; others are named as weights=bf16, fp16 or fp32",
        };
        Some(FieldError::new("dtype", problem))
    }

    /// Bounds the products that the fields' own limits leave open, by a rough upper estimate of each part of the run.
    fn size_problem(&self) -> Option<FieldError> {
        let tokens = self.batch.saturating_mul(self.seq);
        if tokens > limits::TOKENS.most {
            return limits::TOKENS.check("batch", tokens).err();
        }
        let config = self.model.config()?;
        let size = Size::of(&config, self);
        let (field, bytes) = size.largest();
        (bytes > limits::BYTES).then(|| too_large(field))
    }
}

#[cold]
#[inline(never)]
fn too_large(field: &str) -> FieldError {
    let most = limits::BYTES >> 60;
    let problem = format!("asks for more than {most} EiB together with the rest of the run");
    FieldError::new(field, problem)
}

#[cold]
#[inline(never)]
fn unknown_model(id: &str) -> FieldError {
    let near = catalog::nearest_models(id, 3).into_iter();
    let near = near.map(|model| model.id.as_str()).collect();
    unknown("model", id, near, "give its config.json fields instead")
}

#[cold]
#[inline(never)]
fn unknown_card(name: &str) -> FieldError {
    let near = catalog::nearest_gpus(name, 3).into_iter();
    let near = near.map(|gpu| gpu.slug.as_str()).collect();
    unknown(
        "gpu",
        name,
        near,
        "leave it out for an estimate without a verdict",
    )
}

fn unknown(field: &str, name: &str, near: Vec<&str>, otherwise: &str) -> FieldError {
    let hint = match near.as_slice() {
        [] => otherwise.to_owned(),
        near => format!("nearest are {}", near.join(", ")),
    };
    FieldError::new(field, format!("{} is not in the catalog; {hint}", quoted(name)))
}

/// `8.9` as `(8, 9)`.
pub fn parse_capability(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    let digits = |part: &str| {
        let plain = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| part.parse().ok()).flatten()
    };
    Some((digits(major)?, digits(minor)?))
}

#[cfg(test)]
mod tests {
    use super::super::Targets;
    use super::*;

    #[track_caller]
    fn complaint(change: impl FnOnce(&mut Scenario)) -> String {
        let mut run = Scenario::default();
        change(&mut run);
        FieldError::list(&run.problems())
    }

    #[test]
    fn zeros_are_refused_and_say_what_is_accepted() {
        assert_eq!(
            complaint(|run| run.lora.rank = 0),
            "rank: must be at least 1 and at most 65536"
        );
        assert_eq!(
            complaint(|run| run.seq = 0),
            "seq: must be at least 1 and at most 4194304"
        );
        assert_eq!(
            complaint(|run| run.batch = 0),
            "batch: must be at least 1 and at most 65536"
        );
        assert_eq!(
            complaint(|run| run.grad_accum = 0),
            "grad_accum: must be at least 1 and at most 65536"
        );
    }

    #[test]
    fn absurd_sizes_are_refused_with_the_reason() {
        assert_eq!(
            complaint(|run| run.batch = u64::MAX),
            "batch: 18446744073709551615 is above 65536: no card holds more sequences"
        );
        assert_eq!(
            complaint(|run| (run.batch, run.seq) = (65_536, 4096)),
            "batch: 268435456 is above 16777216: batch x seq is the number of tokens on the card at once, and no card \
             holds more"
        );
        assert_eq!(
            complaint(|run| {
                run.model = ModelRef::Catalog("meta-llama/Llama-3.1-405B".into());
                run.batch = 1;
                run.seq = 4_194_304;
            }),
            "seq: asks for more than 1 EiB together with the rest of the run"
        );
    }

    #[test]
    fn unknown_models_and_cards_suggest_the_nearest() {
        assert_eq!(
            complaint(|run| run.model = ModelRef::Catalog("meta-lama/Llama-3.1-8B".into())),
            "model: 'meta-lama/Llama-3.1-8B' is not in the catalog; nearest are meta-llama/Llama-3.1-8B, \
             meta-llama/Llama-3.1-8B-Instruct, meta-llama/Llama-3.2-1B"
        );
        assert_eq!(
            complaint(|run| run.gpu = Some("toaster".into())),
            "gpu: 'toaster' is not in the catalog; leave it out for an estimate without a verdict"
        );
    }

    #[test]
    fn weights_that_contradict_the_method_name_the_way_out() {
        let of = |method, weights| complaint(|run| (run.method, run.weights) = (method, weights));
        assert_eq!(
            of(Method::Lora, WeightFormat::Nf4),
            "weights: LoRA on nf4 weights is QLoRA; use method=qlora, or weights=bf16"
        );
        assert_eq!(
            of(Method::Qlora, WeightFormat::Bf16),
            "weights: QLoRA keeps its base quantized and bf16 is not; use weights=nf4-dq, or method=lora"
        );
        assert_eq!(
            of(Method::Full, WeightFormat::Nf4Dq),
            "weights: nf4-dq weights cannot be trained; use weights=bf16, fp16 or fp32, or an adapter on them: \
             method=qlora"
        );
        assert_eq!(of(Method::Lora, WeightFormat::Int8), "");
    }

    #[test]
    fn the_dtype_beside_quantized_weights_needs_such_weights() {
        assert_eq!(complaint(|run| run.dtype = BaseDtype::Fp32), "");
        assert_eq!(
            complaint(|run| (run.method, run.weights, run.dtype) =
                (Method::Lora, WeightFormat::Bf16, BaseDtype::Fp32)),
            "dtype: goes with quantized weights; others are named as weights=bf16, fp16 or fp32"
        );
        assert_eq!(
            complaint(|run| (run.stack, run.dtype) = (Stack::Unsloth, BaseDtype::Fp16)),
            "dtype: is modelled on the Hugging Face stack"
        );
        let mut run = Scenario {
            dtype: BaseDtype::Fp16,
            ..Scenario::default()
        };
        run.set_method(Method::Full);
        assert_eq!(run.problems(), []);
    }

    #[test]
    fn one_stack_cannot_use_the_checkpointing_of_another() {
        assert_eq!(
            complaint(|run| run.checkpointing = Checkpointing::Unsloth),
            "checkpointing: off-loaded checkpointing is Unsloth's; use checkpointing=hf, or stack=unsloth"
        );
    }

    #[test]
    fn compute_capabilities_are_checked_against_their_form_and_the_card() {
        let of = |text: &str| complaint(|run| run.compute_capability = Some(text.into()));
        assert_eq!(of("8.9"), "");
        assert_eq!(
            of("sm_89"),
            "compute_capability: 'sm_89' is not a compute capability; write it as 8.9"
        );
        assert_eq!(
            of("9.0"),
            "compute_capability: rtx-4090 has 8.9; leave it out when a card is named"
        );
        assert_eq!(parse_capability("12.0"), Some((12, 0)));
        for bad in ["", ".", "8", "8.", "+8.9", "8.9.1", "999.0", "८.९"] {
            assert_eq!(parse_capability(bad), None, "{bad}");
        }
    }

    #[test]
    fn adapters_do_not_matter_to_full_fine_tuning() {
        let mut run = Scenario::for_stack(Stack::Hf, Method::Full);
        run.lora.rank = 0;
        run.lora.targets = Targets::Modules(Vec::new());
        assert_eq!(run.problems(), []);
    }

    #[test]
    fn every_model_of_the_catalog_passes_at_ordinary_sizes() {
        for model in catalog::models() {
            let run = Scenario {
                model: ModelRef::Catalog(model.id.clone()),
                seq: 131_072,
                ..Scenario::default()
            };
            assert_eq!(run.problems(), [], "{}", model.id);
        }
    }
}
