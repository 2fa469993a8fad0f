//! How long estimates take: the peak by segments (what sliders and sweeps ask for) and the full event list with the
//! allocator (what the scenario on screen costs).

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use plimsoll::estimate::{estimate, peak_allocated};
use plimsoll::plan::{Plan, config};
use plimsoll::replay::serve::serve;
use plimsoll::scenario::{Lora, ModelRef, Scenario, Targets};
use plimsoll::stack::{Detail, peak, record};
use std::hint::black_box;

fn layers(n: u64) -> Scenario {
    let scenario = Scenario::default();
    let mut config = config(&scenario).expect("the default model is in the catalog");
    config.num_hidden_layers = n;
    Scenario {
        model: ModelRef::Config(Box::new(config)),
        ..scenario
    }
}

fn segments(c: &mut Criterion) {
    let scenario = Scenario::default();
    let plan = Plan::new(&scenario).expect("the default scenario is sound");
    c.bench_function("segments, Llama-3.1-8B QLoRA", |b| {
        b.iter(|| peak(black_box(&plan)));
    });
    let experts = Scenario {
        model: ModelRef::Catalog("Qwen/Qwen3-30B-A3B".into()),
        lora: Lora {
            targets: Targets::Modules(["q_proj", "k_proj", "v_proj", "o_proj"].map(Into::into).into()),
            ..Lora::default()
        },
        ..Scenario::default()
    };
    let plan = Plan::new(&experts).expect("attention of a mixture of experts takes adapters");
    c.bench_function("segments, Qwen3-30B-A3B QLoRA", |b| {
        b.iter(|| peak(black_box(&plan)));
    });
    c.bench_function("segments with validation and look-ups", |b| {
        b.iter(|| peak_allocated(black_box(&scenario)));
    });
    let mut group = c.benchmark_group("segments by layers");
    for n in [8, 32, 80] {
        let plan = Plan::new(&layers(n)).expect("a sound scenario");
        group.bench_with_input(BenchmarkId::from_parameter(n), &plan, |b, plan| {
            b.iter(|| peak(plan));
        });
    }
}

fn full(c: &mut Criterion) {
    let scenario = Scenario::default();
    let plan = Plan::new(&scenario).expect("the default scenario is sound");
    c.bench_function("full event list", |b| {
        b.iter(|| record(black_box(&plan), Detail::Full))
    });
    c.bench_function("full event list with the allocator", |b| {
        b.iter(|| serve(&record(black_box(&plan), Detail::Full), None));
    });
    c.bench_function("estimate", |b| b.iter(|| estimate(black_box(&scenario))));
}

criterion_group!(benches, segments, full);
criterion_main!(benches);
