//! The same scenario, natively and across the border.

use crate::node::answers;
use plimsoll::advise::solve::{self, Sought};
use plimsoll::catalog;
use plimsoll::estimate::{EstimateError, estimate, peak_allocated};
use plimsoll::scenario::{
    Checkpointing, FieldError, Method, ModelRef, Optimizer, Scenario, Stack, WeightFormat,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

/// Sound ones; those that are refused on the way are compared too, up to so many.
const SOUND: usize = 200;
const REFUSED: usize = 60;

prop_compose! {
    fn a_scenario()(
        (stack, method) in (prop::sample::select(Stack::ALL.to_vec()), prop::sample::select(Method::ALL.to_vec())),
        weights in prop::option::weighted(0.3, prop::sample::select(WeightFormat::ALL.to_vec())),
        model in 0..catalog::models().len(),
        own_model in prop::bool::weighted(0.2),
        gpu in prop::option::of(0..catalog::gpus().len()),
        // Small runs: what is compared is the border, and not the replay.
        (batch, seq, grad_accum, rank) in (1u64..5, 1u64..2000, 1u64..3, 1u64..65),
        optimizer in prop::sample::select(Optimizer::ALL.to_vec()),
        checkpointing in prop::sample::select(Checkpointing::ALL.to_vec()),
        (padding, clip, liger, dropout) in any::<(bool, bool, bool, bool)>(),
    ) -> Scenario {
        let mut run = Scenario::for_stack(stack, method);
        let model = &catalog::models()[model];
        run.model = match own_model {
            true => ModelRef::Config(Box::new(model.config.clone())),
            false => ModelRef::Catalog(model.id.clone()),
        };
        run.gpu = gpu.map(|gpu| catalog::gpus()[gpu].slug.clone());
        run.weights = weights.unwrap_or(run.weights);
        (run.batch, run.seq, run.grad_accum, run.lora.rank) = (batch, seq, grad_accum, rank);
        (run.optimizer, run.checkpointing) = (optimizer, checkpointing);
        (run.padding, run.clip, run.liger) = (padding, clip, liger);
        run.lora.dropout = if dropout { 0.05 } else { 0.0 };
        run
    }
}

/// The same ones every time: those that are modelled, and those that are not.
pub fn scenarios() -> (Vec<Scenario>, Vec<Scenario>) {
    let seed = TestRng::from_seed(RngAlgorithm::ChaCha, &[8; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), seed);
    let strategy = a_scenario();
    let (mut sound, mut refused) = (Vec::new(), Vec::new());
    while sound.len() < SOUND {
        let run = strategy.new_tree(&mut runner).unwrap().current();
        match peak_allocated(&run) {
            Ok(_) => sound.push(run),
            Err(_) => refused.push(run),
        }
    }
    refused.truncate(REFUSED);
    (sound, refused)
}

/// What the module is expected to throw.
pub fn thrown(error: &EstimateError) -> Value {
    let (kind, problems) = match error {
        EstimateError::Invalid(problems) => ("invalid", problems.clone()),
        EstimateError::NotModelled(_) => ("not_modelled", Vec::new()),
    };
    let field = problems.first().map(|problem: &FieldError| problem.field.clone());
    json!({ "name": "PlimsollError", "kind": kind, "message": error.to_string(), "field": field, "problems": problems })
}

#[test]
#[ignore = "needs Node and the built module: cargo xtask test"]
fn two_hundred_random_scenarios_give_the_bytes_of_the_native_estimate() {
    let (mut scenarios, refused) = scenarios();
    scenarios.extend(refused);
    // As objects and as links, in turn.
    let given = |(i, run): (usize, &Scenario)| match i % 2 {
        0 => json!({ "call": "estimate", "given": [run] }),
        _ => json!({ "call": "estimate", "given": [run.to_fragment()] }),
    };
    let questions: Vec<_> = scenarios.iter().enumerate().map(given).collect();
    for (run, answer) in scenarios.iter().zip(answers(&questions)) {
        match estimate(run) {
            Ok(native) => {
                let native = serde_json::to_string_pretty(&native).unwrap();
                assert_eq!(
                    answer["text"].as_str(),
                    Some(native.as_str()),
                    "{}",
                    run.to_fragment()
                );
            }
            Err(error) => assert_eq!(answer["thrown"], thrown(&error), "{}", run.to_fragment()),
        }
    }
}

#[test]
#[ignore = "needs Node and the built module: cargo xtask test"]
fn what_is_estimated_is_what_the_command_line_prints() {
    for run in scenarios().0.into_iter().take(10) {
        let link = run.to_fragment();
        let output = assert_cmd::Command::cargo_bin("plimsoll")
            .unwrap()
            .args(["estimate", "--json", "--scenario", &link])
            .output()
            .unwrap();
        let answer = answers(&[json!({ "call": "estimate", "given": [link] })]);
        let text = format!("{}\n", answer[0]["text"].as_str().unwrap());
        assert_eq!(String::from_utf8(output.stdout).unwrap(), text);
    }
}

#[test]
#[ignore = "needs Node and the built module: cargo xtask test"]
fn advice_answers_and_lists_are_those_of_the_native_program() {
    let tight = Scenario {
        gpu: Some("rtx-3060-12gb".into()),
        seq: 512,
        ..Scenario::default()
    };
    let asked = [
        json!({ "call": "advise", "given": [tight] }),
        json!({ "call": "solve", "given": [tight, "seq"] }),
        json!({ "call": "solve", "given": [tight, "model", "Qwen2.5"] }),
        json!({ "call": "models", "given": [] }),
        json!({ "call": "gpus", "given": [] }),
        json!({ "call": "parseUrl", "given": ["https://example.org/#v=0&seq=1024&rank=0&colour=blue"] }),
        json!({ "call": "toUrl", "given": [tight, "https://example.org/page#old"] }),
        json!({ "call": "version", "given": [] }),
    ];
    let advice = plimsoll::advise::advise(&tight, Default::default()).unwrap();
    let link = Scenario::from_fragment("v=0&seq=1024&rank=0&colour=blue");
    let native = [
        serde_json::to_value(advice),
        serde_json::to_value(solve::answers(&tight, &[Sought::Seq], None).unwrap()),
        serde_json::to_value(solve::answers(&tight, &[Sought::Model], Some("Qwen2.5")).unwrap()),
        serde_json::to_value(catalog::listed_models()),
        serde_json::to_value(catalog::listed_gpus()),
        serde_json::to_value(&link),
        serde_json::to_value(format!("https://example.org/page#{}", tight.to_fragment())),
        serde_json::to_value(env!("CARGO_PKG_VERSION")),
    ];
    for ((question, answer), native) in asked.iter().zip(answers(&asked)).zip(native) {
        let text = answer["text"]
            .as_str()
            .unwrap_or_else(|| panic!("{question}: {answer}"));
        assert_eq!(
            same_numbers(serde_json::from_str(text).unwrap()),
            same_numbers(native.unwrap()),
            "{question}"
        );
    }
}

/// JavaScript knows one kind of number: 1.0 is 1.
fn same_numbers(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.into_iter().map(same_numbers).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| (key, same_numbers(value)))
            .collect(),
        other => other,
    }
}

#[test]
#[ignore = "needs Node and the built module: cargo xtask test"]
fn whatever_is_wrong_is_thrown_with_the_name_of_its_field() {
    let cases = [
        (json!(["seq=0"]), "seq", "must be at least 1"),
        (
            json!(["#v=1&model=meta-lama/Llama-3.1-8B"]),
            "model",
            "is not in the catalog",
        ),
        (json!([{ "bacth": 2 }]), "bacth", "did you mean 'batch'?"),
        (
            json!([{ "lora": { "rank": -3 } }]),
            "rank",
            "'-3' is not a whole number",
        ),
        (json!([{ "seq": "long" }]), "seq", "'long' is not a whole number"),
        (
            json!([{ "model": { "model_type": "llama", "hidden_size": "wide" } }]),
            "model.hidden_size",
            "expected a whole number",
        ),
        (json!([{ "gpu": "rtx-4900" }]), "gpu", "nearest are rtx-4090"),
        (json!([17]), "scenario", "give a link"),
        (json!([null]), "scenario", "give a link"),
        (json!([[1, 2]]), "scenario", "give a link"),
        (json!([]), "scenario", "give a link"),
    ];
    let asked: Vec<_> = cases
        .iter()
        .map(|(given, ..)| json!({ "call": "estimate", "given": given }))
        .collect();
    for ((given, field, words), answer) in cases.iter().zip(answers(&asked)) {
        let thrown = &answer["thrown"];
        assert_eq!(thrown["name"], "PlimsollError", "{given}: {answer}");
        assert_eq!(thrown["field"], *field, "{given}: {answer}");
        assert!(
            thrown["message"].as_str().unwrap().contains(words),
            "{given}: {answer}"
        );
    }
    let solve = answers(&[json!({ "call": "solve", "given": ["seq=512", "colour"] })]);
    assert_eq!(solve[0]["thrown"]["field"], "question");
}
