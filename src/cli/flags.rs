//! The flags of `plimsoll estimate`, named as the scenario's fields are, with hyphens. They are read as text and handed
//! to the scenario's own reader, so that the command line and a URL accept the same and complain alike.

use std::fmt::Display;

use clap::Args;

use crate::scenario::{
    AdapterDtype, Attention, Autocast, BaseDtype, Checkpointing, Float8, Harness, Loader, Method, Objective,
    Optimizer, Qat, Release, SdpaBackend, Stack, Transformers, WeightFormat,
};

/// What the user changed. A switch may be given alone or with `true` or `false`.
#[derive(Debug, Default, Args)]
pub(super) struct Flags {
    /// The model: a Hub id (`plimsoll models` lists those that are known without asking the Hub), a folder, a config.json,
    /// a safetensors or GGUF file
    #[arg(long, value_name = "ID|PATH", help_heading = RUN)]
    pub model: Option<String>,
    /// On your word: the known model type, such as llama, that an unknown one is treated as
    #[arg(long, value_name = "TYPE", help_heading = RUN)]
    pub treat_as: Option<String>,
    #[arg(long, help_heading = RUN, help = one_of("Training software", Stack::ALL))]
    pub stack: Option<String>,
    #[arg(long, help_heading = RUN, help = one_of("What is trained", Method::ALL))]
    pub method: Option<String>,
    #[arg(long, value_name = "FORMAT", help_heading = RUN, help = one_of("Storage of the base weights", WeightFormat::ALL))]
    pub weights: Option<String>,
    /// Modules that quantization leaves in 16 bit (llm_int8_skip_modules), separated by commas
    #[arg(long, value_name = "NAMES", help_heading = RUN)]
    skip_modules: Option<String>,
    #[arg(long, value_name = "DTYPE", help_heading = RUN, help = one_of("Hugging Face: dtype of what is not quantized, beside weights that are", BaseDtype::ALL))]
    dtype: Option<String>,
    /// Sequences per micro-batch (per_device_train_batch_size)
    #[arg(long, value_name = "N", help_heading = RUN)]
    batch: Option<String>,
    /// Tokens per sequence (max_length, max_seq_length)
    #[arg(long, value_name = "N", help_heading = RUN)]
    seq: Option<String>,
    /// Micro-batches per optimizer step (gradient_accumulation_steps)
    #[arg(long, value_name = "N", help_heading = RUN)]
    grad_accum: Option<String>,
    #[arg(long, value_name = "NAME", help_heading = RUN, help = one_of("The optimizer (optim)", Optimizer::ALL))]
    optimizer: Option<String>,
    #[arg(long, value_name = "HOW", help_heading = RUN, help = one_of("Gradient checkpointing", Checkpointing::ALL))]
    checkpointing: Option<String>,
    #[arg(long, value_name = "NAME", help_heading = RUN, help = one_of("Attention implementation", Attention::ALL))]
    attention: Option<String>,
    #[arg(long, value_name = "DTYPE", help_heading = RUN, help = one_of("Mixed precision", Autocast::ALL))]
    autocast: Option<String>,
    /// The card (`plimsoll gpus` lists them), or none
    #[arg(long, value_name = "ID", help_heading = RUN)]
    gpu: Option<String>,

    /// Rank of the adapters (r)
    #[arg(long, value_name = "N", help_heading = ADAPTERS)]
    rank: Option<String>,
    /// Scale of the adapters (lora_alpha)
    #[arg(long, value_name = "X", help_heading = ADAPTERS)]
    alpha: Option<String>,
    /// Dropout before the adapters (lora_dropout)
    #[arg(long, value_name = "X", help_heading = ADAPTERS)]
    dropout: Option<String>,
    /// Adapted modules (target_modules): all-linear, or names separated by commas
    #[arg(long, value_name = "NAMES", help_heading = ADAPTERS)]
    targets: Option<String>,
    #[arg(long, value_name = "DTYPE", help_heading = ADAPTERS, help = one_of("Dtype of the adapters", AdapterDtype::ALL))]
    adapter_dtype: Option<String>,
    /// Weight-decomposed adapters
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = ADAPTERS)]
    use_dora: Option<String>,
    /// Rank-stabilised scale
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = ADAPTERS)]
    use_rslora: Option<String>,
    /// Modules trained whole beside the adapters, separated by commas
    #[arg(long, value_name = "NAMES", help_heading = ADAPTERS)]
    modules_to_save: Option<String>,
    /// QLoRA: call prepare_model_for_kbit_training: true or false
    #[arg(long, value_name = "BOOL", help_heading = ADAPTERS)]
    prepare_kbit: Option<String>,

    #[arg(long, value_name = "KERNEL", help_heading = DETAILS, help = one_of("Kernel of SDPA", SdpaBackend::ALL))]
    sdpa_backend: Option<String>,
    /// The batch holds padding
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = DETAILS)]
    padding: Option<String>,
    /// Clip gradients: true or false
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = DETAILS)]
    clip: Option<String>,
    /// Do not clip gradients (max_grad_norm 0)
    #[arg(long, conflicts_with = "clip", help_heading = DETAILS)]
    no_clip: bool,
    #[arg(long, value_name = "NAME", help_heading = DETAILS, help = one_of("What runs the steps", Harness::ALL))]
    harness: Option<String>,
    /// use_cache left on while training
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = DETAILS)]
    use_cache: Option<String>,
    /// The model's output object is held through backward
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = DETAILS)]
    keep_outputs: Option<String>,
    /// Liger kernels
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = DETAILS)]
    liger: Option<String>,
    #[arg(long, value_name = "RECIPE", help_heading = DETAILS, help = one_of("Float8 products", Float8::ALL))]
    float8: Option<String>,
    /// PYTORCH_ALLOC_CONF=expandable_segments:True
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = DETAILS)]
    expandable_segments: Option<String>,
    /// Compute capability such as 8.9, when no card is named
    #[arg(long, value_name = "X.Y", help_heading = DETAILS)]
    compute_capability: Option<String>,
    /// GiB of device memory, when no card is named
    #[arg(long, value_name = "GIB", help_heading = DETAILS)]
    memory_gib: Option<String>,
    /// Unsloth: sequences behind each other in one row, as its default collator lays them
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = DETAILS)]
    padding_free: Option<String>,
    /// Unsloth: documents of equal length packed into each sequence
    #[arg(long, value_name = "N", help_heading = DETAILS)]
    packing: Option<String>,
    /// Unsloth: tokens of the sequences of a micro-batch, in turn, where they differ: 2040,1200
    #[arg(long, value_name = "N,N", help_heading = DETAILS)]
    lengths: Option<String>,
    #[arg(long, value_name = "NAME", help_heading = DETAILS, help = one_of("What is learned", Objective::ALL))]
    objective: Option<String>,
    #[arg(long, value_name = "CLASS", help_heading = DETAILS, help = one_of("Unsloth's class that loads the model", Loader::ALL))]
    loader: Option<String>,
    #[arg(long, value_name = "VERSION", help_heading = DETAILS, help = one_of("Unsloth's release", Release::ALL))]
    release: Option<String>,
    #[arg(long, value_name = "SCHEME", help_heading = DETAILS, help = one_of("Unsloth's quantization-aware training (qat_scheme)", Qat::ALL))]
    qat: Option<String>,
    #[arg(long, value_name = "VERSION", help_heading = DETAILS, help = one_of("Hugging Face: the release of transformers", Transformers::ALL))]
    transformers: Option<String>,
}

const RUN: &str = "The run";
const ADAPTERS: &str = "Adapters";
const DETAILS: &str = "Details";

/// Help for a closed choice, with everything that is accepted.
fn one_of<T: Display>(what: &str, all: &[T]) -> String {
    let all: Vec<_> = all.iter().map(ToString::to_string).collect();
    format!("{what}: {}", all.join(", "))
}

impl Flags {
    /// The fields that were given, by name, but for `model`, `stack` and `method`, which decide the defaults of the rest.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let clip = match self.no_clip {
            true => Some("false"),
            false => self.clip.as_deref(),
        };
        [
            ("weights", &self.weights),
            ("skip_modules", &self.skip_modules),
            ("dtype", &self.dtype),
            ("rank", &self.rank),
            ("alpha", &self.alpha),
            ("dropout", &self.dropout),
            ("targets", &self.targets),
            ("use_dora", &self.use_dora),
            ("use_rslora", &self.use_rslora),
            ("modules_to_save", &self.modules_to_save),
            ("adapter_dtype", &self.adapter_dtype),
            ("prepare_kbit", &self.prepare_kbit),
            ("seq", &self.seq),
            ("batch", &self.batch),
            ("grad_accum", &self.grad_accum),
            ("optimizer", &self.optimizer),
            ("checkpointing", &self.checkpointing),
            ("attention", &self.attention),
            ("sdpa_backend", &self.sdpa_backend),
            ("autocast", &self.autocast),
            ("padding", &self.padding),
            ("use_cache", &self.use_cache),
            ("harness", &self.harness),
            ("keep_outputs", &self.keep_outputs),
            ("liger", &self.liger),
            ("float8", &self.float8),
            ("expandable_segments", &self.expandable_segments),
            ("compute_capability", &self.compute_capability),
            ("memory_gib", &self.memory_gib),
            ("padding_free", &self.padding_free),
            ("packing", &self.packing),
            ("lengths", &self.lengths),
            ("objective", &self.objective),
            ("loader", &self.loader),
            ("release", &self.release),
            ("qat", &self.qat),
            ("transformers", &self.transformers),
            ("gpu", &self.gpu),
        ]
        .into_iter()
        .map(|(name, value)| (name, value.as_deref()))
        .chain([("clip", clip)])
        .filter_map(|(name, value)| Some((name, value?)))
    }
}
