//! How long estimates take: the peak by segments (what sliders and sweeps ask for), grids of it, the verdict alone, and the
//! full event list with the allocator (what the scenario on screen costs).

#![allow(clippy::expect_used, missing_docs)]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use plimsoll::estimate::{estimate, fit, grid, peak_allocated};
use plimsoll::plan::{Plan, config};
use plimsoll::replay::allocator::serve::serve;
use plimsoll::scenario::{Lora, ModelRef, Scenario, Targets};
use plimsoll::stack::{Detail, peak, record, turns};
use std::hint::black_box;

/// Llama-3.1-8B with QLoRA on the Hugging Face stack, of this many layers.
fn layers(n: u64) -> Scenario {
    let scenario = Scenario::default();
    let config = config(&scenario).expect("the default model is in the catalog");
    let mut config = config.clone();
    config.num_hidden_layers = n;
    Scenario {
        model: ModelRef::Config(Box::new(config)),
        ..scenario
    }
}

/// Adapters on the attention of a model.
fn attention_of(model: &str) -> Scenario {
    Scenario {
        model: ModelRef::Catalog(model.into()),
        lora: Lora {
            targets: Targets::Modules(["q_proj", "k_proj", "v_proj", "o_proj"].map(Into::into).into()),
            ..Lora::default()
        },
        ..Scenario::default()
    }
}

fn segments(c: &mut Criterion) {
    let mut group = c.benchmark_group("segments");
    let mut bench = |name: &str, scenario: &Scenario| {
        let plan = Plan::new(scenario).expect("a sound scenario");
        group.bench_with_input(BenchmarkId::from_parameter(name), &plan, |b, plan| {
            b.iter(|| peak(black_box(plan)));
        });
    };
    for n in [8, 32, 80] {
        bench(&format!("dense, {n} layers"), &layers(n));
    }
    bench(
        "mixture of experts, 48 layers",
        &attention_of("Qwen/Qwen3-30B-A3B"),
    );
    for (name, model) in [
        ("alternating, 26 layers", "google/gemma-3-1b-it"),
        ("alternating, 48 layers", "google/gemma-3-12b-it"),
        ("alternating, 62 layers", "google/gemma-3-27b-it"),
    ] {
        bench(name, &attention_of(model));
    }
    group.finish();
    let scenario = Scenario::default();
    c.bench_function("segments with validation and look-ups", |b| {
        b.iter(|| peak_allocated(black_box(&scenario)));
    });
}

fn grids(c: &mut Criterion) {
    let scenario = Scenario::default();
    let (seqs, batches): (Vec<_>, Vec<_>) = ((1..=40).map(|i| i * 256).collect(), (1..=40).collect());
    c.bench_function("grid of 40 x 40", |b| {
        b.iter(|| grid(black_box(&scenario), &seqs, &batches));
    });
}

fn full(c: &mut Criterion) {
    let scenario = Scenario::default();
    let plan = Plan::new(&scenario).expect("the default scenario is sound");
    c.bench_function("full event list, every layer replayed", |b| {
        b.iter(|| record(black_box(&plan), Detail::Full))
    });
    c.bench_function("full event list", |b| b.iter(|| turns(black_box(&plan))));
    c.bench_function("full event list with the allocator", |b| {
        b.iter(|| serve(&turns(black_box(&plan)), None));
    });
    c.bench_function("fit", |b| b.iter(|| fit(black_box(&scenario))));
    c.bench_function("estimate", |b| b.iter(|| estimate(black_box(&scenario))));
}

criterion_group!(benches, segments, grids, full);
criterion_main!(benches);
