//! The verdict alone is the verdict of the whole estimate.

use plimsoll::catalog;
use plimsoll::estimate::{EstimateError, estimate, fit};
use plimsoll::scenario::Scenario;
use plimsoll::score;

#[track_caller]
fn verdicts_agree(scenario: &Scenario) {
    let (fit, whole) = match (fit(scenario), estimate(scenario)) {
        (Ok(Some(fit)), Ok(whole)) => (fit, whole),
        (fit, whole) => {
            let same = fit.err() == whole.err().filter(|e| *e != EstimateError::Invalid(Vec::new()));
            assert!(same, "{scenario:?}");
            return;
        }
    };
    assert_eq!(Some(fit.verdict), whole.verdict, "{scenario:?}");
    let headroom = whole.headroom_bytes.unwrap_or_default();
    assert!(
        (fit.headroom_at_least..=fit.headroom_at_most).contains(&headroom),
        "{fit:?} {headroom}"
    );
}

#[test]
fn the_verdict_alone_agrees_with_the_estimate_on_any_card() {
    for (gpu, (batch, seq)) in catalog::gpus()
        .iter()
        .zip([(1, 512), (2, 2048), (3, 4096), (16, 2048)].into_iter().cycle())
    {
        verdicts_agree(&Scenario {
            gpu: Some(gpu.slug.clone()),
            batch,
            seq,
            ..Scenario::default()
        });
    }
}

#[test]
fn the_verdict_alone_agrees_with_the_estimate_close_to_the_edge() {
    let rows = include_bytes!("fixtures/oracle/rows.jsonl");
    for row in score::read("rows", rows).0.into_iter().step_by(8) {
        if let Ok(scenario) = row.scenario
            && let Ok(estimate) = estimate(&scenario)
        {
            let need = estimate.least_capacity_bytes + estimate.context_bytes.high;
            let edge = catalog::gpus()
                .iter()
                .min_by_key(|gpu| gpu.usable_bytes().abs_diff(need));
            let capability = edge.and_then(|gpu| gpu.compute_capability.clone());
            verdicts_agree(&Scenario {
                gpu: edge.map(|gpu| gpu.slug.clone()),
                compute_capability: capability.or(scenario.compute_capability.clone()),
                ..scenario
            });
        }
    }
}
