//! The closed choices and switches of the form.

use crate::scenario::{
    AdapterDtype, Attention, Autocast, BaseDtype, Checkpointing, FieldError, Float8, Harness, Loader, Method,
    Objective, Optimizer, Qat, Release, Scenario, SdpaBackend, Stack, Transformers, WeightFormat,
};

/// One value that a setting offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The value's name in URLs.
    pub slug: &'static str,
    /// The name shown.
    pub label: &'static str,
    /// What it does to memory.
    pub note: &'static str,
}

/// A choice of one among a few.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The training software.
    Stack,
    /// What is trained.
    Method,
    /// Storage of the base weights.
    Weights,
    /// Mixed precision.
    Autocast,
    /// The optimizer.
    Optimizer,
    /// Gradient checkpointing.
    Checkpointing,
    /// Attention implementation.
    Attention,
    /// SDPA kernel.
    SdpaBackend,
    /// What runs the steps.
    Harness,
    /// Float8 products.
    Float8,
    /// Dtype of the adapters.
    AdapterDtype,
    /// The class that loads the model.
    Loader,
    /// The release of transformers.
    Transformers,
    /// The release of Unsloth.
    Release,
    /// Dtype of what is not quantized.
    Dtype,
    /// What is learned.
    Objective,
    /// Quantization-aware training.
    Qat,
}

macro_rules! settings {
    ($($setting:ident, $name:literal, $type:ty, $($field:ident).+;)+) => {
        impl Setting {
            /// The name in URLs and in [`FieldError`]s.
            pub fn name(self) -> &'static str {
                match self { $(Setting::$setting => $name,)+ }
            }

            /// What can be chosen, in order.
            pub fn offers(self) -> Vec<Offer> {
                match self {
                    $(Setting::$setting => <$type>::ALL
                        .iter()
                        .map(|v| Offer { slug: v.slug(), label: v.label(), note: v.note() })
                        .collect(),)+
                }
            }

            /// The slug of the scenario's value.
            pub fn chosen(self, scenario: &Scenario) -> &'static str {
                match self { $(Setting::$setting => scenario.$($field).+.slug(),)+ }
            }

            /// Sets the value of that slug and nothing else.
            ///
            /// # Errors
            /// The slug is none of those offered.
            pub fn set(self, slug: &str, scenario: &mut Scenario) -> Result<(), FieldError> {
                match self { $(Setting::$setting => scenario.$($field).+ = slug.parse()?,)+ }
                Ok(())
            }
        }
    };
}

settings! {
    Stack, "stack", Stack, stack;
    Method, "method", Method, method;
    Weights, "weights", WeightFormat, weights;
    Autocast, "autocast", Autocast, autocast;
    Optimizer, "optimizer", Optimizer, optimizer;
    Checkpointing, "checkpointing", Checkpointing, checkpointing;
    Attention, "attention", Attention, attention;
    SdpaBackend, "sdpa_backend", SdpaBackend, sdpa_backend;
    Harness, "harness", Harness, harness;
    Float8, "float8", Float8, float8;
    AdapterDtype, "adapter_dtype", AdapterDtype, lora.adapter_dtype;
    Loader, "loader", Loader, loader;
    Transformers, "transformers", Transformers, transformers;
    Release, "release", Release, release;
    Dtype, "dtype", BaseDtype, dtype;
    Objective, "objective", Objective, objective;
    Qat, "qat", Qat, qat;
}

/// A setting that is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// `prepare_model_for_kbit_training`.
    PrepareKbit,
    /// Padding in the batch.
    Padding,
    /// Sequences behind each other in one row.
    PaddingFree,
    /// Gradient clipping.
    Clip,
    /// `config.use_cache`.
    UseCache,
    /// Outputs held through backward.
    KeepOutputs,
    /// Liger kernels.
    Liger,
    /// Expandable segments.
    ExpandableSegments,
    /// DoRA.
    Dora,
}

impl Switch {
    /// The name in URLs and in [`FieldError`]s.
    pub fn name(self) -> &'static str {
        match self {
            Switch::PrepareKbit => "prepare_kbit",
            Switch::Padding => "padding",
            Switch::PaddingFree => "padding_free",
            Switch::Clip => "clip",
            Switch::UseCache => "use_cache",
            Switch::KeepOutputs => "keep_outputs",
            Switch::Liger => "liger",
            Switch::ExpandableSegments => "expandable_segments",
            Switch::Dora => "use_dora",
        }
    }

    /// The name shown.
    pub fn label(self) -> &'static str {
        match self {
            Switch::PrepareKbit => "prepare for k-bit training",
            Switch::Padding => "padding in the batch",
            Switch::PaddingFree => "padding-free batches",
            Switch::Clip => "gradient clipping",
            Switch::UseCache => "key-value cache left on",
            Switch::KeepOutputs => "outputs held through backward",
            Switch::Liger => "Liger kernels",
            Switch::ExpandableSegments => "expandable segments",
            Switch::Dora => "DoRA",
        }
    }

    /// One line: what it does to memory when it is on.
    pub fn note(self) -> &'static str {
        match self {
            Switch::PrepareKbit => "everything that is not quantized becomes fp32: embedding, head, norms",
            Switch::PaddingFree => {
                "the sequences of a micro-batch lie behind each other in one row, as Unsloth's collator lays them"
            }
            Switch::Padding => "a mask that is not all ones keeps SDPA from its leanest kernels",
            Switch::Clip => "the norm of all gradients is taken before the step: small temporaries",
            Switch::UseCache => "every layer's keys and values are kept through the forward pass",
            Switch::KeepOutputs => "the logits live on while backward runs",
            Switch::Liger => "loss without whole logits, fused norms and MLP",
            Switch::ExpandableSegments => "segments grow in place: less is lost to gaps",
            Switch::Dora => "a magnitude per output and whole weight norms in forward",
        }
    }

    /// Is it on?
    pub fn get(self, scenario: &Scenario) -> bool {
        match self {
            Switch::PrepareKbit => scenario.prepare_kbit,
            Switch::Padding => scenario.padding,
            Switch::PaddingFree => scenario.padding_free,
            Switch::Clip => scenario.clip,
            Switch::UseCache => scenario.use_cache,
            Switch::KeepOutputs => scenario.keep_outputs,
            Switch::Liger => scenario.liger,
            Switch::ExpandableSegments => scenario.expandable_segments,
            Switch::Dora => scenario.lora.use_dora,
        }
    }

    /// Turns it on or off.
    pub fn set(self, on: bool, scenario: &mut Scenario) {
        *match self {
            Switch::PrepareKbit => &mut scenario.prepare_kbit,
            Switch::Padding => &mut scenario.padding,
            Switch::PaddingFree => &mut scenario.padding_free,
            Switch::Clip => &mut scenario.clip,
            Switch::UseCache => &mut scenario.use_cache,
            Switch::KeepOutputs => &mut scenario.keep_outputs,
            Switch::Liger => &mut scenario.liger,
            Switch::ExpandableSegments => &mut scenario.expandable_segments,
            Switch::Dora => &mut scenario.lora.use_dora,
        } = on;
    }
}
