//! The words of an estimate made up for this purpose, so that they stand still when the cost model moves.

use std::collections::BTreeMap;

use insta::assert_snapshot;

use super::*;
use crate::estimate::{Evidence, Interval, Peak};

const GIB: u64 = 1 << 30;

fn estimate() -> Estimate {
    let phase = |phase: &str, step, micro, peak_bytes, end_bytes| PhasePeak {
        phase: phase.into(),
        step,
        micro,
        peak_bytes,
        end_bytes,
    };
    Estimate {
        cost_model: "1".into(),
        allocated_bytes: 7 * GIB,
        reserved_bytes: 8 * GIB,
        least_capacity_bytes: 15 * GIB / 2,
        process_bytes: Interval {
            low: 17 * GIB / 2,
            expected: 35 * GIB / 4,
            high: 9 * GIB,
        },
        context_bytes: Interval {
            low: GIB / 2,
            expected: 3 * GIB / 4,
            high: GIB,
        },
        host_bytes: 1 << 20,
        capacity_bytes: Some(24 * GIB),
        verdict: Some(Verdict::Fits),
        headroom_bytes: Some(15 * GIB as i64),
        peak: Peak {
            phase: "backward".into(),
            place: "loss_backward".into(),
            description: "backward through the loss".into(),
            step: 2,
        },
        breakdown: BTreeMap::from([
            (Category::Adapters, GIB / 4),
            (Category::LogitsLoss, 2 * GIB),
            (Category::Weights, 19 * GIB / 4),
            (Category::Other, 0),
        ]),
        phases: vec![
            phase("load", 0, 0, 5 * GIB, 5 * GIB),
            phase("forward", 1, 0, GIB, GIB),
            phase("forward", 2, 0, 6 * GIB, 6 * GIB),
            phase("backward", 2, 0, 7 * GIB, 5 * GIB),
            phase("forward", 2, 1, 13 * GIB / 2, 6 * GIB),
            phase("backward", 2, 1, 6 * GIB, 9 * GIB / 2),
            phase("zero_grad", 2, 1, 5 * GIB, 5 * GIB),
        ],
        trainable_params: 41_943_040,
        total_params: 8_072_204_288,
        assumptions: vec!["weights are loaded one by one".into()],
        warnings: vec!["optimizer states may leave the GPU".into()],
        evidence: Evidence {
            source: "measured runs on one card".into(),
            runs: 59,
        },
    }
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn an_estimate_answers_first_and_explains_after() {
    assert_snapshot!("estimate", plain(&view(&Scenario::default(), &estimate())));
}

#[test]
fn a_verdict_says_how_much_is_left_or_missing() {
    let first = |change: fn(&mut Estimate)| {
        let mut estimate = estimate();
        change(&mut estimate);
        plain(&verdict(&Scenario::default(), &estimate))
    };
    assert_eq!(
        first(|e| e.verdict = Some(Verdict::Tight)),
        "Tight on GeForce RTX 4090: 15.00 GiB of 24.00 GiB to spare\n"
    );
    assert_eq!(
        first(|e| {
            e.verdict = Some(Verdict::Exceeds);
            e.headroom_bytes = Some(-3 * GIB as i64);
        }),
        "Does not fit on GeForce RTX 4090: needs 3.00 GiB more than the 24.00 GiB it has\n"
    );
    assert_eq!(
        first(|e| {
            e.verdict = None;
            e.headroom_bytes = None;
            e.capacity_bytes = None;
        }),
        "Takes 8.75 GiB as a process; no card is named, so there is no verdict\n"
    );
}
