//! Levers and remedies against estimates: what is said to be saved is the difference of two, and no change of a remedy
//! can be left out.

#![allow(clippy::unwrap_used)]

use plimsoll::advise::{self, Cost, Remedy};
use plimsoll::estimate::{EstimateError, Verdict, estimate};
use plimsoll::scenario::{
    Attention, Checkpointing, Difference, Method, ModelRef, Optimizer, Scenario, Stack, WeightFormat,
};
use proptest::prelude::*;

fn fits(run: &Scenario) -> bool {
    estimate(run).is_ok_and(|estimate| estimate.verdict == Some(Verdict::Fits))
}

/// Sets the fields of changes, none of which brings others with it.
fn change<'a>(run: &Scenario, changes: impl Iterator<Item = &'a Difference>) -> Scenario {
    let mut run = run.clone();
    for Difference { field, to, .. } in changes {
        match *field {
            "stack" => run.stack = to.parse().unwrap(),
            "method" => run.method = to.parse().unwrap(),
            field => run.set(field, to).unwrap(),
        }
    }
    run
}

#[track_caller]
fn assert_minimal(run: &Scenario, remedy: &Remedy) {
    let all = remedy.steps.iter().flat_map(|step| &step.changes);
    assert_eq!(change(run, all), remedy.scenario);
    assert!(fits(&remedy.scenario), "{}", remedy.scenario.to_fragment());
    for left_out in &remedy.steps {
        let others = remedy.steps.iter().filter(|step| step.id != left_out.id);
        let without = change(run, others.flat_map(|step| &step.changes));
        assert!(!fits(&without), "{} without {}", run.to_fragment(), left_out.id);
    }
}

#[track_caller]
fn assert_savings_are_differences(run: &Scenario) {
    let before = match estimate(run) {
        Ok(before) => before,
        Err(EstimateError::NotModelled(_)) => return,
        Err(error) => panic!("{}: {error}", run.to_fragment()),
    };
    for lever in advise::levers(run, &before) {
        assert_eq!(change(run, lever.changes.iter()), lever.scenario);
        let Some(effect) = lever.effect else {
            assert!(estimate(&lever.scenario).is_err());
            continue;
        };
        let after = estimate(&lever.scenario).unwrap();
        let less = |before: u64, after: u64| before as i64 - after as i64;
        assert_eq!(
            effect.saves_bytes,
            less(before.least_capacity_bytes, after.least_capacity_bytes)
        );
        assert_eq!(
            effect.saves_allocated_bytes,
            less(before.allocated_bytes, after.allocated_bytes)
        );
        let parts: i64 = effect
            .parts
            .iter()
            .map(|part| less(part.before_bytes, part.after_bytes))
            .sum();
        assert_eq!(parts, effect.saves_allocated_bytes);
        assert!(effect.saves_bytes > 0);
    }
}

fn run(model: &str, gpu: &str, method: Method) -> Scenario {
    Scenario {
        model: ModelRef::Catalog(model.into()),
        gpu: Some(gpu.into()),
        ..Scenario::for_stack(Stack::Hf, method)
    }
}

#[test]
fn what_a_lever_saves_is_the_difference_of_two_estimates() {
    assert_savings_are_differences(&Scenario::default());
    let mut heavy = run("meta-llama/Llama-3.2-1B", "rtx-4090", Method::Lora);
    heavy.checkpointing = Checkpointing::None;
    heavy.padding = true;
    heavy.lora.dropout = 0.05;
    assert_savings_are_differences(&heavy);
}

#[test]
fn free_changes_are_enough_where_they_are() {
    let mut wasteful = run("meta-llama/Llama-3.1-8B", "rtx-4090", Method::Qlora);
    wasteful.attention = Attention::Eager;
    wasteful.batch = 4;
    let before = estimate(&wasteful).unwrap();
    let remedy = advise::remedy(&wasteful, &before).unwrap().unwrap();
    assert_eq!(remedy.cost, Cost::Free);
    assert_minimal(&wasteful, &remedy);
}

#[test]
fn a_run_that_fits_needs_no_remedy_and_one_beyond_help_gets_none() {
    let fitting = Scenario::default();
    let before = estimate(&fitting).unwrap();
    assert_eq!(advise::remedy(&fitting, &before), Ok(None));
    let beyond = run(
        "meta-llama/Llama-3.1-70B-Instruct",
        "rtx-3060-12gb",
        Method::Qlora,
    );
    let before = estimate(&beyond).unwrap();
    assert_eq!(advise::remedy(&beyond, &before), Ok(None));
}

#[test]
fn full_fine_tuning_that_cannot_fit_is_told_of_adapters() {
    let full = run("meta-llama/Llama-3.1-8B", "rtx-4090", Method::Full);
    let before = estimate(&full).unwrap();
    let remedy = advise::remedy(&full, &before).unwrap().unwrap();
    assert_eq!(remedy.cost, Cost::Task);
    assert_eq!(remedy.steps[0].id, "method");
    assert_minimal(&full, &remedy);
}

prop_compose! {
    fn a_run()(
        model in prop::sample::select(vec!["meta-llama/Llama-3.1-8B", "Qwen/Qwen2.5-7B", "meta-llama/Llama-3.2-1B", "google/gemma-2-2b-it", "mistralai/Mistral-7B-v0.3"]),
        gpu in prop::sample::select(vec!["rtx-4090", "rtx-3060-12gb", "t4", "rtx-a2000-6gb", "a100-40gb-sxm"]),
        method in prop::sample::select(Method::ALL.to_vec()),
        batch in 1u64..12,
        seq in prop::sample::select(vec![512u64, 1024, 2048, 4096]),
        rank in prop::sample::select(vec![8u64, 16, 64, 256]),
        optimizer in prop::sample::select(Optimizer::ALL.to_vec()),
        checkpointing in prop::sample::select(vec![Checkpointing::None, Checkpointing::Hf, Checkpointing::HfReentrant]),
        (wide, padding, eager, dropout) in any::<(bool, bool, bool, bool)>(),
    ) -> Scenario {
        let mut run = run(model, gpu, method);
        (run.batch, run.seq, run.lora.rank) = (batch, seq, rank);
        (run.optimizer, run.checkpointing) = (optimizer, checkpointing);
        if wide && method != Method::Qlora {
            run.weights = WeightFormat::Fp32;
        }
        if eager {
            run.attention = Attention::Eager;
        }
        run.padding = padding;
        run.lora.dropout = if dropout { 0.05 } else { 0.0 };
        run
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_change_of_a_remedy_can_be_left_out(run in a_run()) {
        prop_assert_eq!(run.problems(), []);
        if let Ok(before) = estimate(&run)
            && let Some(remedy) = advise::remedy(&run, &before).unwrap()
        {
            assert_minimal(&run, &remedy);
            prop_assert!(remedy.effect.after.verdict == Some(Verdict::Fits));
        }
    }

    #[test]
    fn every_saving_is_a_difference(run in a_run()) {
        assert_savings_are_differences(&run);
    }
}
