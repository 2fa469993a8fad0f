//! Times what the page and the command line ask for, natively or as a wasm program:
//!
//! ```console
//! cargo run --release --example speed
//! cargo build --profile web --example speed --target wasm32-wasip1 --no-default-features --features catalogs
//! node benches/wasi.mjs target/wasm32-wasip1/web/examples/speed.wasm
//! ```

use plimsoll::advise::{Observed, advise};
use plimsoll::estimate::{estimate, fit, grid, peak_allocated};
use plimsoll::plan::Plan;
use plimsoll::replay::allocator::serve::serve;
use plimsoll::scenario::Scenario;
use plimsoll::stack::{peak, turns};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long each is repeated.
const LONG_ENOUGH: Duration = Duration::from_secs(1);

/// Prints the best and the median time of many runs.
fn time<T>(name: &str, run: impl Fn() -> T) {
    let begun = Instant::now();
    let mut times = Vec::new();
    while times.len() < 5 || begun.elapsed() < LONG_ENOUGH {
        let started = Instant::now();
        black_box(run());
        times.push(started.elapsed());
    }
    times.sort();
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let (best, median) = (micros(times[0]), micros(times[times.len() / 2]));
    println!(
        "{name:<32} {best:>10.1} us {median:>10.1} us, {} runs",
        times.len()
    );
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let run = Scenario::default();
    let short = Scenario {
        gpu: Some("rtx-3060-12gb".into()),
        ..run.clone()
    };
    let plan = Plan::new(&run)?;
    let (seqs, batches): (Vec<_>, Vec<_>) = ((1..=40).map(|i| i * 256).collect(), (1..=40).collect());
    println!("{:<32} {:>13} {:>13}", "", "best", "median");
    time("peak by segments", || peak(&plan));
    time("the same with look-ups", || peak_allocated(&run));
    time("grid of 40 x 40", || grid(&run, &seqs, &batches));
    time("list", || turns(&plan));
    time("list and allocator", || serve(&turns(&plan), None));
    time("verdict", || fit(&short));
    time("estimate", || estimate(&run));
    time("advice, fits", || advise(&run, Observed::default()));
    time("advice, does not fit", || advise(&short, Observed::default()));
    Ok(())
}
