//! How long the header of a hundred thousand tensors takes to read; `examples/header` times it in wasm as well.

#![allow(missing_docs)]

use criterion::{Criterion, criterion_group, criterion_main};
use plimsoll::checkpoint::Header;
use std::hint::black_box;

#[path = "../examples/header/made.rs"]
mod made;

fn header(c: &mut Criterion) {
    let json = made::header();
    c.bench_function("header of 100,000 tensors", |b| {
        b.iter(|| Header::read(black_box(json.as_bytes()), "large.safetensors", None));
    });
}

criterion_group!(benches, header);
criterion_main!(benches);
