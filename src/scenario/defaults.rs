//! What a run has when nothing is said: the defaults of each stack, and moving between stacks and methods.

use super::{
    AdapterDtype, Attention, Autocast, BaseDtype, Checkpointing, Float8, Harness, Loader, Lora, Method,
    ModelRef, Objective, Optimizer, Qat, Release, Scenario, SdpaBackend, Stack, Targets, Transformers,
    WeightFormat, fields,
};

impl Scenario {
    /// The run that a stack performs when only its method is chosen.
    ///
    /// Model, card, batch and sequence length are no stack's business: they are the same everywhere, so that stacks
    /// compare like with like. What follows the stack:
    ///
    /// | | `hf` | `unsloth` | source |
    /// | --- | --- | --- | --- |
    /// | optimizer | `adamw_torch_fused`; QLoRA `adamw_8bit` | `adamw_8bit` | `TrainingArguments.optim`; QLoRA is run with an 8-bit optimizer; Unsloth's patched configs (`models/rl.py`) |
    /// | checkpointing | on, non-reentrant | off-loaded | TRL `SFTConfig.gradient_checkpointing=True`, transformers 5 `use_reentrant=False`; `use_gradient_checkpointing="unsloth"` |
    /// | autocast | bf16 | bf16 | TRL `SFTConfig.bf16=True` |
    /// | adapters | r 16, alpha 32, fp32 | r 16, alpha 16, fp32 | TRL `ModelConfig`, PEFT `autocast_adapter_dtype=True`; `get_peft_model`, `prepare_model_for_training` |
    /// | rest of a quantized model | fp32 | as loaded | PEFT `prepare_model_for_kbit_training`, which Unsloth does not call |
    /// | allocator | segments | expandable segments | `unsloth_zoo/__init__.py` sets `PYTORCH_ALLOC_CONF` |
    /// | batches | padded | padding-free | TRL `SFTConfig.padding_free=False`; `utils/padding_choice.py` turns it on |
    /// | clipping | on | on | `TrainingArguments.max_grad_norm=1.0` |
    pub fn for_stack(stack: Stack, method: Method) -> Self {
        let unsloth = stack == Stack::Unsloth;
        let qlora = method == Method::Qlora;
        Scenario {
            model: ModelRef::Catalog("meta-llama/Llama-3.1-8B".into()),
            gpu: Some("rtx-4090".into()),
            stack,
            method,
            weights: WeightFormat::usual(method),
            skip_modules: Vec::new(),
            dtype: BaseDtype::Auto,
            autocast: Autocast::Bf16,
            lora: Lora {
                rank: 16,
                alpha: if unsloth { 16.0 } else { 32.0 },
                dropout: 0.0,
                targets: Targets::all_linear(),
                use_dora: false,
                use_rslora: false,
                modules_to_save: Vec::new(),
                adapter_dtype: AdapterDtype::Fp32,
            },
            prepare_kbit: qlora && !unsloth,
            batch: 2,
            seq: 2048,
            grad_accum: 1,
            optimizer: if unsloth || qlora {
                Optimizer::Adamw8bit
            } else {
                Optimizer::AdamwTorchFused
            },
            checkpointing: if unsloth {
                Checkpointing::Unsloth
            } else {
                Checkpointing::Hf
            },
            attention: Attention::Sdpa,
            sdpa_backend: SdpaBackend::Auto,
            padding: false,
            padding_free: unsloth,
            packing: 1,
            lengths: Vec::new(),
            objective: Objective::Sft,
            loader: Loader::FastLanguageModel,
            release: Release::Current,
            qat: Qat::Off,
            transformers: Transformers::Current,
            clip: true,
            use_cache: false,
            harness: Harness::Trainer,
            keep_outputs: false,
            liger: false,
            float8: Float8::Off,
            expandable_segments: unsloth,
            compute_capability: None,
            memory_gib: None,
        }
    }

    /// The same run under another stack: what was at the old stack's default takes the new one's, the rest stays.
    pub fn set_stack(&mut self, stack: Stack) {
        self.rebase(stack, self.method);
    }

    /// The same run with another method: as [`Scenario::set_stack`], and weights that the method cannot train on become
    /// the usual ones.
    pub fn set_method(&mut self, method: Method) {
        self.rebase(self.stack, method);
        if !self.weights.suits(method) {
            self.set_weights(WeightFormat::usual(method));
        }
    }

    /// The same run on weights in another format. Nothing else changes but the method where the format asks for it:
    /// 4-bit weights make LoRA and full fine-tuning QLoRA, 16-bit and wider ones make QLoRA LoRA.
    pub fn set_weights(&mut self, weights: WeightFormat) {
        self.weights = weights;
        if !weights.is_quantized() {
            self.dtype = BaseDtype::Auto;
        }
        if !weights.suits(self.method) {
            self.method = if weights.is_4bit() {
                Method::Qlora
            } else {
                Method::Lora
            };
        }
    }

    fn rebase(&mut self, stack: Stack, method: Method) {
        let old = Scenario::for_stack(self.stack, self.method);
        let new = Scenario::for_stack(stack, method);
        for field in fields::ALL {
            if field.text(self) == field.text(&old) {
                // A default is a valid value: nothing to report.
                let _ = field.set(self, &field.text(&new));
            }
        }
        self.stack = stack;
        self.method = method;
        if stack != Stack::Hf || !self.weights.is_quantized() {
            self.dtype = BaseDtype::Auto;
        }
    }
}

impl Default for Scenario {
    /// QLoRA with Hugging Face's libraries.
    fn default() -> Self {
        Scenario::for_stack(Stack::Hf, Method::Qlora)
    }
}

impl Default for Lora {
    /// Those of the default scenario.
    fn default() -> Self {
        Scenario::default().lora
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_every_stack_and_method_are_valid() {
        for &stack in Stack::ALL {
            for &method in Method::ALL {
                assert_eq!(
                    Scenario::for_stack(stack, method).problems(),
                    [],
                    "{stack} {method}"
                );
            }
        }
    }

    #[test]
    fn switching_there_and_back_changes_nothing() {
        for &stack in Stack::ALL {
            for &method in Method::ALL {
                let mut run = Scenario {
                    batch: 7,
                    ..Scenario::default()
                };
                let before = run.clone();
                run.set_stack(stack);
                run.set_method(method);
                let expected = Scenario {
                    batch: 7,
                    ..Scenario::for_stack(stack, method)
                };
                assert_eq!(run, expected);
                run.set_method(Method::Qlora);
                run.set_stack(Stack::Hf);
                assert_eq!(run, before);
            }
        }
    }

    #[test]
    fn what_the_user_chose_survives_a_switch() {
        let mut run = Scenario::default();
        run.lora.rank = 64;
        run.optimizer = Optimizer::Lion8bit;
        run.weights = WeightFormat::Nf4;
        run.set_stack(Stack::Unsloth);
        assert_eq!(
            (run.lora.rank, run.optimizer, run.weights),
            (64, Optimizer::Lion8bit, WeightFormat::Nf4)
        );
        run.set_method(Method::Full);
        assert_eq!(run.weights, WeightFormat::Bf16);
        assert_eq!(run.lora.rank, 64);
    }

    #[test]
    fn no_format_contradicts_the_method_after_it_is_chosen() {
        for &method in Method::ALL {
            for &weights in WeightFormat::ALL {
                let mut run = Scenario::for_stack(Stack::Hf, method);
                run.set_weights(weights);
                assert_eq!(run.problems(), [], "{method} {weights}");
                assert_eq!(run.weights, weights);
            }
        }
    }
}
