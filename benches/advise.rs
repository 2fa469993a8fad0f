//! How long advice takes: the tree, all levers, the smallest set of changes and every inverse answer.

#![allow(clippy::expect_used, missing_docs)]

use criterion::{Criterion, criterion_group, criterion_main};
use plimsoll::advise::solve::{self, Quantity};
use plimsoll::advise::{Observed, advise, levers, remedy};
use plimsoll::estimate::{estimate, fit};
use plimsoll::scenario::Scenario;
use std::hint::black_box;

fn advice(c: &mut Criterion) {
    let fitting = Scenario::default();
    let short = Scenario {
        gpu: Some("rtx-3060-12gb".into()),
        ..Scenario::default()
    };
    c.bench_function("verdict alone", |b| b.iter(|| fit(black_box(&short))));
    for (name, run) in [("fits", &fitting), ("does not fit", &short)] {
        let before = estimate(run).expect("a sound scenario");
        c.bench_function(&format!("levers, {name}"), |b| {
            b.iter(|| levers(black_box(run), &before))
        });
        c.bench_function(&format!("smallest set, {name}"), |b| {
            b.iter(|| remedy(black_box(run), &before))
        });
        c.bench_function(&format!("longest sequence, {name}"), |b| {
            b.iter(|| solve::largest(black_box(run), Quantity::Seq));
        });
        c.bench_function(&format!("all cards, {name}"), |b| {
            b.iter(|| solve::cards(black_box(run)))
        });
        c.bench_function(&format!("whole advice, {name}"), |b| {
            b.iter(|| advise(black_box(run), Observed::default()));
        });
    }
}

criterion_group!(benches, advice);
criterion_main!(benches);
