//! Base weights take exactly the bytes of their format, and a card or a library that cannot use a format says what it
//! does instead.

#![allow(clippy::unwrap_used)]

use plimsoll::estimate::{Category, Estimate, EstimateError, estimate};
use plimsoll::model::{Architecture, PartKind};
use plimsoll::quant::{Kind, Storage};
use plimsoll::replay::Dtype;
use plimsoll::scenario::{Method, ModelRef, Scenario, Stack, WeightFormat};

fn run(weights: WeightFormat) -> Scenario {
    let mut run = Scenario {
        model: ModelRef::Catalog("Qwen/Qwen3-0.6B".into()),
        prepare_kbit: false,
        seq: 64,
        ..Scenario::for_stack(Stack::Hf, Method::Lora)
    };
    run.set_weights(weights);
    run.prepare_kbit = false;
    // Without block remainders: every tensor takes its bytes, rounded up to 512.
    run.expandable_segments = true;
    run
}

fn category(estimate: &Estimate, category: Category) -> u64 {
    estimate.breakdown.get(&category).copied().unwrap_or(0)
}

fn rounded(bytes: u64) -> u64 {
    bytes.next_multiple_of(512)
}

/// Data and scales of every linear layer as the table of formats has them, each tensor rounded up by the allocator.
fn tabled(arch: &Architecture, storage: Storage) -> [u64; 2] {
    let mut sums = [0, 0];
    for layer in 0..arch.layers {
        for part in arch.layer(layer) {
            let PartKind::Linear { inputs, outputs, .. } = part.kind else {
                continue;
            };
            for tensor in storage.tensors(inputs, outputs, Dtype::Bf16) {
                sums[usize::from(tensor.kind == Kind::Scale)] += rounded(tensor.bytes());
            }
        }
    }
    sums
}

/// Everything else, in 16 bit: embeddings, head and norms.
fn rest(arch: &Architecture) -> u64 {
    let outside = arch.outside_layers();
    let outside: u64 = outside
        .iter()
        .map(|(elements, count)| count * rounded(2 * elements))
        .sum();
    let norms = (0..arch.layers).flat_map(|layer| arch.layer(layer));
    let norms = norms.filter(|part| matches!(part.kind, PartKind::Weight(_)));
    outside + norms.map(|part| rounded(2 * part.elements().0)).sum::<u64>()
}

#[test]
fn the_replay_holds_the_tensors_of_the_table() {
    let arch = Architecture::from_config(&run(WeightFormat::Bf16).model.config().unwrap()).unwrap();
    for (format, storage, shared) in [
        (WeightFormat::Bf16, Storage::Plain, 0),
        (WeightFormat::Int8, Storage::EightBit, 0),
        (WeightFormat::Nf4, Storage::FourBit { double_quant: false }, 0),
        // The table from which every weight copies its own codes of nested scales.
        (WeightFormat::Nf4Dq, Storage::FourBit { double_quant: true }, 1024),
        (WeightFormat::Fp8, Storage::Float8, 0),
    ] {
        let estimate = estimate(&run(format)).unwrap();
        let [data, scales] = tabled(&arch, storage);
        assert_eq!(
            category(&estimate, Category::Weights),
            data + rest(&arch),
            "{format}"
        );
        assert_eq!(
            category(&estimate, Category::QuantState),
            scales + shared,
            "{format}"
        );
    }
}

#[test]
fn a_skipped_layer_costs_the_difference_to_its_16_bit() {
    let plain = estimate(&run(WeightFormat::Nf4Dq)).unwrap();
    let mut skipping = run(WeightFormat::Nf4Dq);
    skipping.skip_modules = vec!["lm_head".into(), "model.layers.1.mlp.down_proj".into()];
    let skipped = estimate(&skipping).unwrap();
    let stored = |e: &Estimate| category(e, Category::Weights) + category(e, Category::QuantState);
    let (inputs, outputs) = (3072, 1024);
    let tensors = Storage::FourBit { double_quant: true }.tensors(inputs, outputs, Dtype::Bf16);
    let quantized: u64 = tensors.iter().map(|tensor| rounded(tensor.bytes())).sum();
    assert_eq!(
        stored(&skipped) - stored(&plain),
        2 * inputs * outputs - quantized
    );
}

#[test]
fn dynamic_4_bit_says_where_its_skip_list_comes_from() {
    let mut dynamic = run(WeightFormat::Dynamic4bit);
    let mut warning = |id: &str| {
        dynamic.model = ModelRef::Catalog(id.into());
        estimate(&dynamic).unwrap().warnings[0].clone()
    };
    assert!(
        warning("deepseek-ai/DeepSeek-R1-Distill-Llama-8B")
            .ends_with("are those of its quantization_config.llm_int8_skip_modules")
    );
    assert!(
        warning("Qwen/Qwen3-0.6B").starts_with(
            "which layers unsloth/Qwen3-0.6B-unsloth-bnb-4bit leaves in 16 bit is not known here"
        )
    );
    assert!(warning("mistralai/Mistral-7B-v0.3").contains("Unsloth loads unsloth/mistral-7b-v0.3-bnb-4bit"));
    assert!(warning("meta-llama/Llama-2-70b-hf").starts_with("no 4-bit variant of this model is known"));
}

#[test]
fn formats_that_transformers_runs_for_inference_only_are_refused_with_the_way_out() {
    for (format, place, way) in [
        (
            WeightFormat::Fp8Block,
            "quantizer_finegrained_fp8.py",
            "stack=unsloth",
        ),
        (
            WeightFormat::Fp8Dynamic,
            "quantizer_compressed_tensors.py",
            "weights=bf16",
        ),
        (WeightFormat::Mxfp4, "quantizer_mxfp4.py", "weights=nf4-dq"),
    ] {
        match estimate(&run(format)) {
            Err(EstimateError::NotModelled(reason)) => {
                assert!(reason.contains(place) && reason.contains(way), "{reason}");
            }
            other => panic!("{format}: {other:?}"),
        }
    }
}

/// An Unsloth run on a card: its peak and what it warns of.
fn unsloth(model: &str, gpu: &str, weights: WeightFormat) -> (u64, Vec<String>) {
    let mut run = Scenario {
        model: ModelRef::Catalog(model.into()),
        gpu: Some(gpu.into()),
        seq: 512,
        ..Scenario::for_stack(Stack::Unsloth, Method::Lora)
    };
    run.set_weights(weights);
    let estimate = estimate(&run).unwrap();
    (estimate.allocated_bytes, estimate.warnings)
}

#[track_caller]
fn warns(warnings: &[String], text: &str) {
    assert!(
        warnings.iter().any(|warning| warning.contains(text)),
        "{text}: {warnings:?}"
    );
}

#[test]
fn fp8_needs_the_card_and_says_what_unsloth_does_without() {
    const QWEN: &str = "Qwen/Qwen3-0.6B";
    let (hopper, _) = unsloth(QWEN, "h100-sxm", WeightFormat::Fp8Dynamic);
    let (bf16, none) = unsloth(QWEN, "h100-sxm", WeightFormat::Bf16);
    assert!(hopper < bf16);
    assert!(none.is_empty(), "{none:?}");

    // Ada has products by blocks alone; Ampere none.
    let (_, ada) = unsloth(QWEN, "rtx-4090", WeightFormat::Fp8Dynamic);
    warns(&ada, "Unsloth loads unsloth/Qwen3-0.6B-FP8 instead");
    let (_, none) = unsloth(QWEN, "rtx-4090", WeightFormat::Fp8Block);
    assert!(none.is_empty(), "{none:?}");
    let (ampere, said) = unsloth(QWEN, "rtx-3090", WeightFormat::Fp8Block);
    warns(&said, "turns unsloth/Qwen3-0.6B-FP8 into 16 bit while it loads");
    assert_eq!(ampere, unsloth(QWEN, "rtx-3090", WeightFormat::Bf16).0);

    // Without such a repository Unsloth refuses below Hopper.
    let (_, said) = unsloth("meta-llama/Llama-3.2-1B", "rtx-4090", WeightFormat::Fp8Dynamic);
    warns(&said, "requires H100 GPUs or after");
}

#[test]
fn turing_computes_in_fp16() {
    let (bf16, said) = unsloth("Qwen/Qwen3-0.6B", "t4", WeightFormat::Bf16);
    warns(&said, "the card has no bf16");
    let mut run = Scenario {
        model: ModelRef::Catalog("Qwen/Qwen3-0.6B".into()),
        gpu: Some("t4".into()),
        seq: 512,
        autocast: plimsoll::scenario::Autocast::Fp16,
        ..Scenario::for_stack(Stack::Unsloth, Method::Lora)
    };
    run.weights = WeightFormat::Fp16;
    let fp16 = estimate(&run).unwrap();
    assert_eq!((bf16, fp16.warnings.len()), (fp16.allocated_bytes, 0));
}
