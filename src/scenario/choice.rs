//! The closed choices of a scenario: each an enum with its slug (in URLs, JSON and on the command line),
//! its label, and one line on what it does to memory.

use super::FieldError;

/// Declares an enum whose variants carry a slug, a label and a memory note, with `ALL`, parsing, `Display` and serde.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident, $field:literal { $($variant:ident = $slug:literal $(| $alias:literal)*, $label:literal, $note:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $(#[doc = $note] $variant,)+
        }

        impl $name {
            /// Every value, in the order in which they are offered.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The name used in URLs, JSON and on the command line.
            pub const fn slug(self) -> &'static str {
                match self { $($name::$variant => $slug,)+ }
            }

            /// The name shown to a person.
            pub const fn label(self) -> &'static str {
                match self { $($name::$variant => $label,)+ }
            }

            /// One line: what this choice does to memory.
            pub const fn note(self) -> &'static str {
                match self { $($name::$variant => $note,)+ }
            }
        }

        #[cfg(feature = "module")]
        const _: () = {
            use wasm_bindgen::prelude::wasm_bindgen;
            #[wasm_bindgen(typescript_custom_section)]
            const TYPE: &str = concat!(
                "/**\n", $(" * - `", $slug, "`: ", $note, "\n",)+
                " */\nexport type ", stringify!($name), " =", $(" | \"", $slug, "\"",)+ ";\n",
            );
        };

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.slug())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::scenario::FieldError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                const NAMES: &[&[&str]] = &[$(&[$slug $(, $alias)*]),+];
                Ok(Self::ALL[chosen($field, text, NAMES)?])
            }
        }

        impl $crate::scenario::field_value::FieldValue for $name {
            fn write(&self) -> String {
                self.slug().into()
            }

            fn read(&mut self, _: &str, text: &str) -> Result<(), $crate::scenario::FieldError> {
                *self = text.parse()?;
                Ok(())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.slug())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// Which of these is named; each has a slug, and what else it goes by.
fn chosen(field: &str, text: &str, names: &[&[&str]]) -> Result<usize, FieldError> {
    let is_named = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(text));
    let named = names.iter().position(|names| is_named(names));
    named.ok_or_else(|| FieldError::choice(field, text, names.iter().map(|names| names[0])))
}

choice! {
    /// The training software: the same run costs different memory under each.
    Stack, "stack" {
        Hf = "hf", "Hugging Face", "Transformers + PEFT + bitsandbytes, trained by Trainer or a plain loop";
        Unsloth = "unsloth", "Unsloth", "Unsloth's patched models, fused kernels and off-loaded checkpointing";
    }
}

choice! {
    /// What is trained.
    Method, "method" {
        Qlora = "qlora", "QLoRA", "frozen 4-bit base weights, trained low-rank adapters";
        Lora = "lora", "LoRA", "frozen base weights at their full width, trained low-rank adapters";
        Full = "full", "Full", "every weight trained: gradients and optimizer states for all of them";
    }
}

choice! {
    /// How the base weights are stored on the GPU.
    WeightFormat, "weights" {
        Bf16 = "bf16", "bf16", "2 bytes a weight";
        Fp16 = "fp16", "fp16", "2 bytes a weight";
        Fp32 = "fp32", "fp32", "4 bytes a weight";
        Int8 = "int8", "int8", "LLM.int8: 1 byte a weight and a scale per row; linear layers only";
        Nf4 = "nf4", "nf4", "4-bit blocks of 64 with fp32 scales: 0.5625 bytes a weight; linear layers only";
        Nf4Dq = "nf4-dq", "nf4 double quant", "4-bit blocks whose scales are quantized again: 0.516 bytes a weight";
        Fp4 = "fp4", "fp4", "as nf4 with a floating-point code: 0.5625 bytes a weight";
        Fp4Dq = "fp4-dq", "fp4 double quant", "as nf4 double quant with a floating-point code";
        Dynamic4bit = "dynamic-4bit", "Unsloth dynamic 4-bit", "nf4 double quant, the sensitive layers left at 16 bit";
        Fp8 = "fp8", "fp8 (torchao)", "1 byte a weight and a scale per row, dequantized for each product";
        Fp8Dynamic = "fp8-dynamic", "FP8 dynamic", "1 byte a weight, row-wise scales";
        Fp8Block = "fp8-block", "FP8 block", "1 byte a weight, a scale per 128 x 128 block";
        Mxfp4 = "mxfp4", "MXFP4", "4-bit blocks of 32 with a byte of scale: 0.531 bytes a weight";
    }
}

choice! {
    /// The dtype of what is not quantized (`from_pretrained(dtype=...)`): embedding, head, norms, and what quantized
    /// weights are made from and read back in.
    BaseDtype, "dtype" {
        Auto = "auto" | "none", "automatic", "bf16 beside quantized weights";
        Bf16 = "bf16" | "bfloat16", "bf16", "2 bytes a weight";
        Fp16 = "fp16" | "float16", "fp16", "2 bytes a weight";
        Fp32 = "fp32" | "float32", "fp32", "4 bytes a weight";
    }
}

choice! {
    /// Mixed precision: what `torch.autocast` or Trainer's `bf16=True` / `fp16=True` computes in.
    Autocast, "autocast" {
        Off = "none", "off", "operations run in the dtype of their inputs";
        Bf16 = "bf16", "bf16", "matrix products in bf16; the casts of fp32 tensors are kept for backward";
        Fp16 = "fp16", "fp16", "matrix products in fp16; the casts of fp32 tensors are kept for backward";
    }
}

choice! {
    /// The optimizer, named as `TrainingArguments.optim` names it.
    Optimizer, "optimizer" {
        AdamwTorchFused = "adamw_torch_fused", "AdamW fused", "two states a trained weight, no temporaries in the step";
        AdamwTorch = "adamw_torch" | "adamw_torch_foreach", "AdamW foreach", "two states a trained weight, and a list of temporaries as large as one state";
        AdamwTorchForloop = "adamw_torch_forloop", "AdamW for-loop", "two states a trained weight, temporaries of one tensor at a time";
        Adamw8bit = "adamw_8bit" | "adamw_bnb_8bit", "AdamW 8-bit", "two 1-byte states a trained weight, in blocks of 256";
        PagedAdamw8bit = "paged_adamw_8bit", "paged AdamW 8-bit", "as AdamW 8-bit, states in managed memory that can leave the GPU";
        PagedAdamw32bit = "paged_adamw_32bit" | "paged_adamw", "paged AdamW 32-bit", "two fp32 states in managed memory that can leave the GPU";
        Lion8bit = "lion_8bit", "Lion 8-bit", "one 1-byte state a trained weight";
        Sgd = "sgd", "SGD", "no states";
        SgdMomentum = "sgd_momentum", "SGD with momentum", "one state a trained weight";
        Adafactor = "adafactor", "Adafactor", "a row and a column of states a matrix, and fp32 temporaries of one tensor";
    }
}

choice! {
    /// Gradient checkpointing: what is recomputed instead of kept.
    Checkpointing, "checkpointing" {
        None = "none" | "off" | "false", "off", "every layer keeps all it needs for backward";
        Hf = "hf" | "true" | "non_reentrant", "on", "each layer keeps only its input; one layer at a time is run again";
        HfReentrant = "hf-reentrant" | "reentrant", "on (reentrant)", "as on, and the recomputed output is held while the layer runs backward";
        Unsloth = "unsloth", "Unsloth off-loaded", "layer inputs wait in pinned host memory";
    }
}

choice! {
    /// The attention implementation (`attn_implementation`).
    Attention, "attention" {
        Sdpa = "sdpa", "SDPA", "PyTorch's fused kernels: no matrix of sequence x sequence";
        FlashAttention2 = "flash_attention_2", "FlashAttention 2", "the flash-attn package: no matrix of sequence x sequence, and no mask for windows";
        Eager = "eager", "eager", "keeps sequence x sequence probabilities for every head";
    }
}

choice! {
    /// Which of PyTorch's fused attention kernels SDPA may use.
    SdpaBackend, "sdpa_backend" {
        Auto = "auto" | "default" | "no_cudnn", "automatic", "flash where it can run, else efficient, else math";
        Flash = "flash", "flash", "keeps output and log-sum-exp";
        Efficient = "efficient", "memory-efficient", "keeps output and a padded log-sum-exp; keys and values repeated under a mask";
        EfficientRepeated = "efficient-repeated", "memory-efficient, heads repeated", "keys and values repeated before the call, as programs do whose card has no flash kernel";
        Math = "math", "math", "plain products: keeps sequence x sequence probabilities";
    }
}

choice! {
    /// What runs the steps.
    Harness, "harness" {
        Trainer = "trainer", "Trainer", "transformers.Trainer: outputs converted to fp32, batches prefetched";
        Loop = "loop", "plain loop", "loss = model(**batch).loss; loss.backward(); optimizer.step()";
        StepFunction = "step-function", "step in a function", "as the plain loop in a function: what a step leaves is dropped when it returns";
    }
}

choice! {
    /// Unsloth's class that loads the model.
    Loader, "loader" {
        FastLanguageModel = "fastlanguagemodel", "FastLanguageModel", "hand-written layers where the architecture has them, else as FastModel";
        FastModel = "fastmodel", "FastModel", "transformers' own layers, compiled";
    }
}

choice! {
    /// What is learned, and so which of TRL's trainers runs.
    Objective, "objective" {
        Sft = "sft", "next tokens", "SFTTrainer: every token is learned from those before it";
        Dpo = "dpo", "preferences", "DPOTrainer: a micro-batch holds pairs of answers, the chosen and the rejected one; the reference is a frozen copy of the adapters";
    }
}

choice! {
    /// The release of Unsloth, named by the last one that allocates so.
    Release, "release" {
        AllLogits = "2024.10", "Unsloth up to 2024.10", "all logits at once and a copy of them in fp32; adapters' products are made apart; inputs come back from the host into new memory";
        CutLogits = "2025.7", "Unsloth up to 2025.7", "no logits above 1024 tokens (cut cross entropy), all of them below; one staging buffer";
        Current = "2026.10", "Unsloth 2026.10", "logits in tiles or chunks, padding-free batches, two staging buffers";
    }
}

choice! {
    /// Quantization-aware training: what frozen weights are rounded to and back whenever they are used (`qat_scheme`).
    Qat, "qat" {
        Off = "none", "off", "weights are used as they are";
        Int4 = "int4", "int4", "every linear layer multiplies with a copy of its weight that is rounded to 4 bit in groups of 128 and back; the copies live as long as the layer's graph";
        Int8 = "int8", "int8", "as int4, to 8 bit with a scale for every row";
        Cactus = "cactus", "cactus", "as int8, in groups of 32";
        Int8Int4 = "int8-int4" | "phone-deployment", "int8-int4", "inputs to 8 bit by tokens, weights to 4 bit in groups of 32, the embedding to 8 bit by rows; no function is fused";
        Fp8Int4 = "fp8-int4", "fp8-int4", "inputs to 8-bit floats by tokens, weights to 8-bit floats by rows and then to 4 bit in groups of 128; no function is fused";
        Fp8Fp8 = "fp8-fp8", "fp8-fp8", "inputs and weights to 8-bit floats by tokens and rows; no function is fused";
    }
}

choice! {
    /// The release of transformers, named by the last one that allocates so.
    Transformers, "transformers" {
        ShiftedLogits = "4.48", "transformers up to 4.48", "the loss copies the fp32 logits once more to shift them; SDPA gets repeated keys and values";
        Current = "5.17", "transformers 5.17", "the loss shifts the labels";
    }
}

choice! {
    /// Matrix products in float8 while training (torchao's `convert_to_float8_training`).
    Float8, "float8" {
        Off = "none", "off", "no float8 products";
        Tensorwise = "tensorwise", "tensor-wise", "float8 copies of input, weight and gradient with one scale each";
    }
}

choice! {
    /// The dtype of LoRA adapters.
    AdapterDtype, "adapter_dtype" {
        Fp32 = "fp32", "fp32", "4 bytes an adapter weight: PEFT's default (autocast_adapter_dtype=True)";
        Base = "base", "as the base", "adapters in the dtype of the base weights (autocast_adapter_dtype=False)";
    }
}
