//! What earlier releases of Unsloth allocated otherwise.

#![allow(clippy::unwrap_used)]

use plimsoll::estimate::{self, Category, Estimate};
use plimsoll::scenario::{Method, ModelRef, Release, Scenario, Stack};

fn run(release: Release, model: &str, seq: u64) -> Estimate {
    estimate::estimate(&Scenario {
        model: ModelRef::Catalog(model.into()),
        gpu: Some("h100-80gb-sxm".into()),
        batch: 1,
        seq,
        release,
        expandable_segments: false,
        ..Scenario::for_stack(Stack::Unsloth, Method::Qlora)
    })
    .unwrap()
}

const LLAMA: &str = "meta-llama/Llama-3.1-8B";
/// The same layers, with a vocabulary of 32,768 instead of 128,256.
const MISTRAL: &str = "mistralai/Mistral-7B-v0.3";

/// Reserved bytes that each further token takes.
fn slope(release: Release, model: &str) -> f64 {
    let reserved = |seq| run(release, model, seq).reserved_bytes as f64;
    (reserved(49_152) - reserved(24_576)) / 24_576.0
}

#[test]
fn each_logit_took_six_bytes_in_2024() {
    // 16-bit logits, and the fp32 copy that Accelerate makes of a model's outputs.
    let by_vocabulary = slope(Release::AllLogits, LLAMA) - slope(Release::AllLogits, MISTRAL);
    let a_logit = by_vocabulary / (128_256.0 - 32_768.0);
    assert!((a_logit - 6.0).abs() < 0.05, "{a_logit} bytes a logit");
}

#[test]
fn logits_take_nothing_a_token_since() {
    for release in [Release::CutLogits, Release::Current] {
        let by_vocabulary = slope(release, LLAMA) - slope(release, MISTRAL);
        assert!(
            by_vocabulary.abs() < 3_000.0,
            "{release}: {by_vocabulary} bytes a token"
        );
    }
}

#[test]
fn each_layer_had_rotary_tables_of_its_own_in_2024() {
    let buffers = |release| run(release, LLAMA, 1024).breakdown[&Category::Buffers];
    // Cosines and sines of 32,768 positions, 128 columns in 16 bit, in 32 layers.
    let expected = 32 * 2 * 32_768 * 128 * 2;
    assert!(
        buffers(Release::AllLogits).abs_diff(expected) < 64 << 10,
        "{}",
        buffers(Release::AllLogits)
    );
}

#[test]
fn few_tokens_had_all_their_logits_in_2025_too() {
    let logits = |seq| {
        let run = run(Release::CutLogits, LLAMA, seq);
        run.peak.place
    };
    assert!(logits(1024).contains("loss"), "{}", logits(1024));
    assert!(logits(1032).contains("layer"), "{}", logits(1032));
}
