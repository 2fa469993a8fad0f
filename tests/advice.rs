//! The whole advice: the tree's path for known cards, and its effects against estimates.

#![allow(clippy::unwrap_used)]

use plimsoll::advise::{self, Advice, Advised, Answer, Observed};
use plimsoll::estimate::{Verdict, estimate};
use plimsoll::scenario::{Checkpointing, Method, Scenario, Stack, WeightFormat};

fn on(gpu: &str, method: Method) -> Scenario {
    Scenario {
        gpu: Some(gpu.into()),
        ..Scenario::for_stack(Stack::Hf, method)
    }
}

#[track_caller]
fn advice(run: &Scenario) -> Advice {
    advise::advise(run, Observed::default()).unwrap()
}

fn path(advice: &Advice) -> Vec<&str> {
    let lit = advice.tree.iter().filter(|question| question.lit);
    lit.map(|question| question.id).collect()
}

fn tips(advice: &Advice) -> Vec<&Advised> {
    let branches = advice
        .tree
        .iter()
        .flat_map(|question| [&question.yes, &question.no]);
    branches
        .filter(|branch| branch.lit)
        .flat_map(|branch| &branch.tips)
        .collect()
}

#[test]
fn a_run_that_fits_goes_past_the_memory_questions() {
    let advice = advice(&on("rtx-4090", Method::Qlora));
    assert_eq!(path(&advice), ["fp8-card", "memory", "accuracy"]);
    let last = advice.tree.last().unwrap();
    assert_eq!(last.answer, Answer::Open);
    assert!(!last.yes.lit && !last.no.lit);
    assert_eq!(
        advice.tree[0].because,
        "GeForce RTX 4090 has compute capability 8.9, at least 8.9"
    );
}

#[test]
fn before_ampere_training_is_in_fp16() {
    let advice = advice(&on("t4", Method::Lora));
    let tip = tips(&advice)[0];
    assert_eq!((tip.id, tip.setting.as_deref()), ("fp16", Some("fp16=True")));
    let after = tip.scenario.as_ref().unwrap();
    assert_eq!(after.weights, WeightFormat::Fp16);
}

#[test]
fn a_run_that_does_not_fit_is_asked_every_memory_question_and_given_the_smallest_set() {
    let mut run = on("rtx-3060-12gb", Method::Lora);
    run.checkpointing = Checkpointing::None;
    let advice = advice(&run);
    assert_eq!(
        path(&advice),
        [
            "fp8-card",
            "bf16-card",
            "memory",
            "four-bit",
            "optimizer",
            "batch",
            "checkpointing",
            "together",
            "accuracy"
        ]
    );
    let ids: Vec<_> = tips(&advice).iter().map(|tip| tip.id).collect();
    assert_eq!(
        ids,
        [
            "bf16",
            "four-bit",
            "adamw-8bit",
            "batch",
            "checkpointing",
            "remedy"
        ]
    );
    let remedy = advice.remedy.as_ref().unwrap();
    assert_eq!(remedy.effect.after.verdict, Some(Verdict::Fits));
    assert_eq!(
        tips(&advice).last().unwrap().scenario.as_ref(),
        Some(&remedy.scenario)
    );
}

#[test]
fn the_effect_of_every_tip_is_the_difference_of_two_estimates() {
    for run in [
        on("rtx-3060-12gb", Method::Lora),
        on("t4", Method::Full),
        on("h100-80gb-sxm", Method::Qlora),
    ] {
        let before = estimate(&run).unwrap().least_capacity_bytes as i64;
        let advice = advice(&run);
        for tip in advice
            .tree
            .iter()
            .flat_map(|question| question.yes.tips.iter().chain(&question.no.tips))
        {
            if let (Some(effect), Some(after)) = (&tip.effect, &tip.scenario) {
                let after = estimate(after).unwrap().least_capacity_bytes as i64;
                assert_eq!(effect.saves_bytes, before - after, "{}", tip.id);
            }
        }
    }
}

#[test]
fn beyond_help_the_tree_speaks_of_sequence_model_and_card() {
    let run = on("rtx-a2000-6gb", Method::Qlora);
    let advice = advice(&run);
    let texts: Vec<_> = tips(&advice)
        .iter()
        .map(|tip| (tip.id, tip.text.as_str()))
        .collect();
    assert!(
        texts.contains(&("seq", "no sequence is short enough with these settings")),
        "{texts:?}"
    );
    let card = texts.iter().find(|(id, _)| *id == "card").unwrap().1;
    assert!(card.contains(" fits, $"), "{card}");
}

#[test]
fn accuracy_that_drops_leads_to_the_dynamic_variant_and_quantization_aware_training() {
    let observed = Observed {
        accuracy_drops: Some(true),
    };
    let advice = advise::advise(&on("rtx-4090", Method::Qlora), observed).unwrap();
    let ids: Vec<_> = tips(&advice).iter().map(|tip| tip.id).collect();
    assert_eq!(ids[ids.len() - 2..], ["dynamic-4bit", "qat"]);
}

#[test]
fn without_a_card_the_tree_and_the_levers_still_answer() {
    let run = Scenario {
        gpu: None,
        ..Scenario::default()
    };
    let advice = advice(&run);
    assert!(advice.remedy.is_none() && advice.largest.is_empty());
    assert!(!advice.levers.is_empty());
    assert!(advice.smallest_card.is_some() && advice.cheapest_card.is_some());
    assert_eq!(advice.tree[0].answer, Answer::Open);
    serde_json::to_string(&advice).unwrap();
}
