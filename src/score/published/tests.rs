//! What the words of published rows mean.

use serde_json::{Value, json};

use super::read;
use crate::scenario::{
    Attention, Autocast, Checkpointing, Harness, Method, ModelRef, Optimizer, Release, Scenario, SdpaBackend,
    Targets, Transformers, WeightFormat,
};
use crate::score::{MeasuredVerdict, Row};

/// A run that is modelled, with some fields changed; null takes a field away.
fn row(changes: Value) -> Row {
    let mut row = json!({
        "id": "a", "source": "somebody", "kind": "measured", "n_gpus": 1, "gpu": "Tesla T4", "gpu_vram_gb": 16,
        "stack": "HF transformers+PEFT plain training loop", "stack_version": "torch 2.13.0+cu130, transformers 5.13.1",
        "model": "HuggingFaceTB/SmolLM2-1.7B", "method": "qlora", "weights_dtype": "bf16", "quant": "nf4 (bnb, double quant)",
        "rank": 8, "targets": ["q_proj", "v_proj"], "optimizer": "torch AdamW", "micro_batch": 2, "seq_len": 512,
        "grad_accum": 1, "checkpointing": "hf", "attention": "eager", "packing": "fixed length",
        "metric": "peak_reserved", "value_gib": 2.0, "rounding_gib": 0.5,
        "other_metrics_gib": {"peak_allocated": 1.5, "process_total": 2.25},
    });
    let fields = row.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        fields.insert(name.clone(), value.clone());
    }
    read(fields).unwrap()
}

fn scenario(changes: Value) -> Scenario {
    row(changes).scenario.unwrap()
}

fn refusal(changes: Value) -> String {
    row(changes).scenario.unwrap_err().to_string()
}

#[test]
fn the_words_of_a_row_and_the_habits_of_its_program_make_a_scenario() {
    let read = scenario(json!({}));
    assert_eq!(read.model, ModelRef::Catalog("HuggingFaceTB/SmolLM2-1.7B".into()));
    assert_eq!(read.gpu.as_deref(), Some("t4"));
    assert_eq!((read.method, read.weights), (Method::Qlora, WeightFormat::Nf4Dq));
    assert_eq!(
        (read.autocast, read.optimizer),
        (Autocast::Off, Optimizer::AdamwTorch)
    );
    assert_eq!((read.batch, read.seq, read.lora.rank), (2, 512, 8));
    assert_eq!((read.attention, read.harness), (Attention::Eager, Harness::Loop));
    assert!(read.prepare_kbit && read.keep_outputs && read.clip && !read.padding);
    assert_eq!(read.problems(), []);
}

#[test]
fn words_are_read_as_their_source_means_them() {
    let weights = |quant: &str| scenario(json!({"quant": quant})).weights;
    assert_eq!(weights("nf4 (no double quant)"), WeightFormat::Nf4);
    assert_eq!(weights("nf4 (bnb)"), WeightFormat::Nf4);
    assert_eq!(
        scenario(json!({"targets": "all linear layers"})).lora.targets,
        Targets::all_linear()
    );
    let backend = |words: &str| scenario(json!({"attention": words})).sdpa_backend;
    let efficient = "sdpa (mem-efficient backend)";
    assert_eq!(backend(efficient), SdpaBackend::Efficient);
    let repeats = json!({"attention": efficient, "stack": "HF transformers+PEFT (+bitsandbytes), one synthetic training step"});
    assert_eq!(scenario(repeats).sdpa_backend, SdpaBackend::EfficientRepeated);
    let release = |version: &str| scenario(json!({"stack_version": version})).transformers;
    assert_eq!(release("transformers 4.48.1"), Transformers::ShiftedLogits);
    assert_eq!(release("transformers 5.13.1"), Transformers::Current);
    assert_eq!(backend("sdpa (default)"), SdpaBackend::Auto);
    assert!(scenario(json!({"packing": "no; padded to longest in batch"})).padding);
    let autocast = |words: &str| scenario(json!({"weights_dtype": words})).autocast;
    assert_eq!(autocast("bf16 + autocast"), Autocast::Bf16);
    assert_eq!(autocast("bf16 (pure, no autocast)"), Autocast::Off);
    assert_eq!(
        scenario(json!({"model": "NousResearch/Llama-2-70b-hf"})).model,
        ModelRef::Catalog("meta-llama/Llama-2-70b-hf".into())
    );
    let card = |name: &str, gb: u32| scenario(json!({"gpu": name, "gpu_vram_gb": gb})).gpu.unwrap();
    assert_eq!(card("NVIDIA GeForce RTX 4080", 16), "rtx-4080");
    assert_eq!(card("NVIDIA L40S", 48), "l40s");
    assert_eq!(card("A100 80GB", 80), "a100-80gb-sxm");
    assert_eq!(card("A100-SXM4-40GB", 40), "a100-40gb-sxm");
}

#[test]
fn checkpointing_re_entered_autograd_by_default_before_transformers_5() {
    let with = |version: &str| scenario(json!({"stack_version": version})).checkpointing;
    assert_eq!(with("transformers 4.57.1"), Checkpointing::HfReentrant);
    assert_eq!(with("torch 2.10.0, transformers 5.0.0"), Checkpointing::Hf);
}

#[test]
fn what_is_not_modelled_or_not_known_is_refused() {
    for (changes, reason) in [
        (json!({"n_gpus": 2}), "runs on several GPUs are not modelled"),
        (
            json!({"sharding": "FSDP"}),
            "runs on several GPUs are not modelled",
        ),
        (json!({"kind": "extrapolated"}), "extrapolated, not a run"),
        (json!({"metric": "max_seq_len"}), "a longest context, not a run"),
        (
            json!({"stack": "unsloth"}),
            "the release of Unsloth is not stated",
        ),
        (
            json!({"stack": "unsloth", "stack_version": "unsloth 2025.9.1; Torch: 2.8.0"}),
            "releases of Unsloth from 2025.8 to 2026.9 are not modelled",
        ),
        (
            json!({"stack": "unsloth + TRL", "stack_version": "unsloth 2025.5.9; Torch: 2.6.0", "model": "Qwen/Qwen3-14B"}),
            "which layers unsloth/Qwen3-14B-unsloth-bnb-4bit leaves in 16 bit is not known",
        ),
        (
            json!({"stack": "mine"}),
            "what 'mine' runs beside what its rows say is not known",
        ),
        (
            json!({"stack_version": null}),
            "the version of transformers is not stated",
        ),
        (
            json!({"stack_version": "transformers 4.47.1"}),
            "transformers 4.47 is not modelled",
        ),
        (json!({"model": "a/b"}), "a/b is not in the catalog"),
        (json!({"gpu": "a card"}), "the card is not known"),
        (
            json!({"method": "lora+lorafa"}),
            "method 'lorafa' is not modelled",
        ),
        (json!({"quant": "int4 gptq"}), "quant 'int4 gptq' is not modelled"),
        (
            json!({"optimizer": "lora-fa"}),
            "optimizer 'lora-fa' is not modelled",
        ),
        (
            json!({"attention": "xformers"}),
            "attention 'xformers' is not modelled",
        ),
        (json!({"targets": "some"}), "targets 'some' is not modelled"),
        (json!({"packing": "no"}), "packing 'no' is not modelled"),
        (json!({"seq_len": null}), "seq_len is not stated"),
    ] {
        assert_eq!(refusal(changes), reason);
    }
    assert!(refusal(json!({"rank": "many"})).starts_with("not a published run: invalid type"));
}

#[test]
fn figures_are_the_quantities_that_their_metrics_name() {
    let gib = |gib: f64| Some((gib * (1u64 << 30) as f64) as u64);
    let read = row(json!({}));
    assert_eq!(read.measured.reserved, gib(2.0));
    assert_eq!(read.measured.allocated, gib(1.5));
    assert_eq!(read.measured.process, gib(2.25));
    assert_eq!(read.measured.verdict, Some(MeasuredVerdict::Fits));
    assert_eq!(Some(read.origin.rounding), gib(0.5));
    assert_eq!(read.origin.source.as_deref(), Some("somebody"));
    assert_eq!(read.origin.assumed, None);
}

#[test]
fn out_of_memory_is_a_verdict_and_no_figure() {
    let read = row(json!({
        "metric": "oom", "value_gib": null, "other_metrics_gib": {"nvidia_smi": 79.2}, "assumed_field": "failure_cause"
    }));
    assert_eq!(read.measured.verdict, Some(MeasuredVerdict::Exceeds));
    assert_eq!((read.measured.reserved, read.measured.process), (None, None));
    assert_eq!(read.origin.assumed.as_deref(), Some("failure_cause"));
}

#[test]
fn a_notebook_of_2024_ran_unsloth_as_it_was_then() {
    let read = scenario(json!({
        "stack": "unsloth + TRL SFTTrainer", "stack_version": "unsloth 2024.9.post4; ",
        "model": "unsloth/llama-3-8b-bnb-4bit", "weights_dtype": "fp16", "quant": "bnb nf4 (unsloth pre-quantised)",
        "targets": ["q_proj", "lm_head"], "optimizer": "adamw_8bit", "checkpointing": "unsloth (offloaded)",
        "packing": "no (padded to longest in micro-batch)",
    }));
    assert_eq!(read.model, ModelRef::Catalog("meta-llama/Meta-Llama-3-8B".into()));
    assert_eq!(
        (read.release, read.weights),
        (Release::AllLogits, WeightFormat::Nf4Dq)
    );
    assert_eq!(read.lora.targets, Targets::Modules(vec!["q_proj".into()]));
    assert_eq!(read.lora.modules_to_save, ["lm_head"]);
    assert!(!read.expandable_segments);
    assert_eq!(read.problems(), []);
}
