//! The module without the part of it that most pages do not need.

use crate::agrees::{scenarios, thrown};
use crate::node::{file, first_answers, package, printed};
use plimsoll::estimate::estimate;
use plimsoll::scenario::Scenario;
use serde_json::{Value, json};
use std::process::Command;

#[test]
#[ignore = "needs Node and the built module: cargo xtask test"]
fn what_takes_the_rest_says_so_until_it_is_loaded() {
    let said = printed(
        Command::new("node")
            .arg(file("tests/module/rest.mjs"))
            .arg(package()),
        String::new(),
    );
    assert_eq!(
        said,
        "answered not_loaded not_loaded not_loaded answered\nanswered answered answered answered answered\n"
    );
}

/// Asks the first part for estimates.
fn estimates(runs: &[Scenario]) -> Vec<Value> {
    let ask = |run: &Scenario| json!({ "call": "estimate", "given": [run.to_fragment()] });
    first_answers(&runs.iter().map(ask).collect::<Vec<_>>())
}

#[track_caller]
fn assert_native(run: &Scenario, answer: &Value) {
    match estimate(run) {
        Ok(native) => assert_eq!(
            answer["text"],
            serde_json::to_string_pretty(&native).unwrap(),
            "{}",
            run.to_fragment()
        ),
        Err(error) => assert_eq!(answer["thrown"], thrown(&error), "{}", run.to_fragment()),
    }
}

#[test]
#[ignore = "needs Node and the built module: cargo xtask test"]
fn the_first_part_answers_common_runs_as_the_native_program_does() {
    let models = [
        "meta-llama/Llama-3.1-8B",
        "meta-llama/Llama-3.2-1B",
        "mistralai/Mistral-7B-v0.3",
        "Qwen/Qwen2.5-7B-Instruct",
        "Qwen/Qwen3-8B",
    ];
    let settings = [
        "method=qlora&gpu=rtx-4090",
        "method=qlora&gpu=t4&autocast=fp16",
        "method=lora&gpu=h100-80gb&rank=64&alpha=32&targets=q_proj,v_proj&dropout=0.05",
        "method=full&gpu=none&optimizer=adamw_8bit&grad_accum=4",
        "method=full&gpu=h200&optimizer=paged_adamw_8bit&checkpointing=none",
        "method=qlora&gpu=a100-80gb&weights=nf4&checkpointing=hf-reentrant&batch=4&seq=1024&clip=false",
    ];
    let links = models
        .iter()
        .flat_map(|model| settings.iter().map(move |set| format!("model={model}&{set}")));
    let runs: Vec<_> = links
        .map(|link| Scenario::from_fragment(&link).scenario)
        .collect();
    for (run, answer) in runs.iter().zip(estimates(&runs)) {
        assert_native(run, &answer);
    }
}

#[test]
#[ignore = "needs Node and the built module: cargo xtask test"]
fn the_first_part_lists_models_and_cards_and_reads_and_writes_links() {
    let run = json!({ "model": "Qwen/Qwen3-8B", "seq": 4096, "lora": { "rank": 8, "dropout": 0.05 } });
    let asked = [
        json!({ "call": "models", "given": [] }),
        json!({ "call": "gpus", "given": [] }),
        json!({ "call": "version", "given": [] }),
        json!({ "call": "parseUrl", "given": ["#v=0&model=Qwen/Qwen3-8B&dropout=0.05&seq=0&rang=8"] }),
        json!({ "call": "toUrl", "given": [run] }),
        json!({ "call": "estimate", "given": [run] }),
        json!({ "call": "view", "given": [run] }),
        json!({ "call": "variants", "given": [run] }),
        json!({ "call": "controls", "given": [run, "model,gpu,seq"] }),
        json!({ "call": "allControls", "given": [] }),
        json!({ "call": "change", "given": [run, "method", "lora"] }),
    ];
    for (question, answer) in asked.iter().zip(first_answers(&asked)) {
        assert!(answer["text"].is_string(), "{question}: {answer}");
    }
}

#[test]
#[ignore = "needs Node and the built module: cargo xtask test"]
fn whatever_the_first_part_answers_is_right_and_else_it_asks_for_the_rest() {
    let (sound, refused) = scenarios();
    let runs: Vec<_> = sound.into_iter().chain(refused).collect();
    let mut answered = 0;
    for (run, answer) in runs.iter().zip(estimates(&runs)) {
        if answer["thrown"]["kind"] != "not_loaded" {
            assert_native(run, &answer);
            answered += 1;
        }
    }
    // What it answers it goes on answering after it had to ask for the rest.
    assert!(answered > 5, "{answered}");
}
