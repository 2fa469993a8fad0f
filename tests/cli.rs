//! The companion as a user meets it: what it prints, what it complains about, how it exits.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used)]

use assert_cmd::Command;
use serde_json::{Value, json};

fn plimsoll(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    command.args(line.split_whitespace()).env_remove("CLICOLOR_FORCE");
    // No test asks the Hub.
    command.env("HF_HUB_OFFLINE", "1");
    command
}

/// Runs a command line and gives its exit code, standard output and standard error.
#[track_caller]
fn run(line: &str) -> (i32, String, String) {
    finish(plimsoll(line))
}

#[track_caller]
fn finish(mut command: Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[track_caller]
fn json_of(line: &str) -> Value {
    let (exit, out, err) = run(line);
    assert_ne!(exit, 2, "{err}");
    serde_json::from_str(&out).unwrap()
}

/// The lines of standard error of a command that is refused.
#[track_caller]
fn refused(line: &str) -> Vec<String> {
    let (exit, out, err) = run(line);
    assert_eq!((exit, out.as_str()), (2, ""), "{err}");
    err.lines().map(Into::into).collect()
}

/// A file in a folder that goes away with the test.
fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

const SMALL: &str = "estimate --model HuggingFaceTB/SmolLM2-135M --gpu h200-sxm";

#[test]
fn a_run_that_fits_exits_with_0_and_says_so_first() {
    let (exit, out, err) = run(SMALL);
    assert_eq!((exit, err.as_str()), (0, ""));
    assert!(out.starts_with("Fits on "), "{out}");
}

#[test]
fn a_run_that_does_not_fit_exits_with_1_and_says_so_first() {
    let (exit, out, err) = run("estimate --model meta-llama/Llama-3.1-70B-Instruct --method full --gpu t4");
    assert_eq!((exit, err.as_str()), (1, ""));
    assert!(out.starts_with("Does not fit on "), "{out}");
}

#[test]
fn without_a_card_there_is_no_verdict_and_the_exit_is_0() {
    let (exit, out, _) = run("estimate --gpu none");
    assert_eq!(exit, 0);
    assert!(out.starts_with("Takes "), "{out}");
    assert_eq!(json_of("estimate --gpu none --json")["verdict"], Value::Null);
}

#[test]
fn the_json_has_the_fields_that_other_programs_rely_on() {
    let estimate = json_of(&format!("{SMALL} --json"));
    let fields: Vec<_> = estimate.as_object().unwrap().keys().map(String::as_str).collect();
    for field in [
        "allocated_bytes",
        "assumptions",
        "breakdown",
        "cost_model",
        "evidence",
        "headroom_bytes",
        "host_bytes",
        "least_capacity_bytes",
        "peak",
        "phases",
        "process_bytes",
        "reserved_bytes",
        "verdict",
        "warnings",
    ] {
        assert!(fields.contains(&field), "{field} in {fields:?}");
    }
    assert_eq!(estimate["verdict"], "fits");
    let breakdown = estimate["breakdown"].as_object().unwrap();
    let sum: u64 = breakdown.values().map(|bytes| bytes.as_u64().unwrap()).sum();
    assert_eq!(estimate["allocated_bytes"], sum);
}

#[test]
fn flags_reach_the_scenario() {
    let (_, out, _) = run(
        "estimate --model Qwen/Qwen2.5-0.5B --method lora --rank 8 --targets q_proj,v_proj --batch 4 \
        --seq 1024 --grad-accum 2 --optimizer sgd --checkpointing none --attention eager --autocast none --no-clip \
        --harness loop --keep-outputs true --use-rslora false --dropout 0.1 --adapter-dtype base --gpu a100-80gb-sxm",
    );
    let link = out.lines().last().unwrap();
    assert_eq!(
        link,
        "link      #v=1&model=Qwen/Qwen2.5-0.5B&stack=hf&method=lora&gpu=a100-80gb-sxm&rank=8&dropout=0.1\
         &targets=q_proj,v_proj&adapter_dtype=base&seq=1024&batch=4&grad_accum=2&optimizer=sgd\
         &checkpointing=none&attention=eager&autocast=none&clip=false&harness=loop\
         &keep_outputs=true"
    );
}

#[test]
fn a_model_outside_the_catalog_is_given_as_its_config_json() {
    let config = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
    let text = r#"{"model_type": "llama", "vocab_size": 32000, "hidden_size": 512, "intermediate_size": 1024,
        "num_hidden_layers": 2, "num_attention_heads": 8, "rope_theta": 10000.0}"#;
    std::fs::write(config.path(), text).unwrap();
    let (exit, out, err) = run(&format!(
        "estimate --model {} --gpu h200-sxm",
        config.path().display()
    ));
    assert_eq!((exit, err.as_str()), (0, ""));
    assert!(out.contains("&config.hidden_size=512&"), "{out}");
    let missing = &refused("estimate --model no-such-config.json")[0];
    assert!(
        missing.starts_with("error: model: no-such-config.json: "),
        "{missing}"
    );
}

#[test]
fn weights_without_a_method_choose_the_method() {
    let (_, out, _) = run("estimate --weights bf16");
    assert!(out.lines().last().unwrap().contains("&method=lora&"), "{out}");
}

#[test]
fn a_scenario_comes_from_a_file_a_link_or_standard_input_and_flags_override_it() {
    let seq = |command: Command| {
        let (exit, out, err) = finish(command);
        assert_ne!(exit, 2, "{err}");
        let link = out.lines().last().unwrap().to_string();
        link.split('&')
            .find_map(|pair| pair.strip_prefix("seq=").map(str::to_string))
            .unwrap()
    };
    let scenario = json!({"method": "lora", "seq": 1024}).to_string();
    let json = file(&scenario);
    let link = file("https://example.org/#method=lora&seq=1024\n");
    let path = |file: &tempfile::NamedTempFile| file.path().to_str().unwrap().to_string();

    assert_eq!(
        seq(plimsoll(&format!("estimate --scenario {}", path(&json)))),
        "1024"
    );
    assert_eq!(
        seq(plimsoll(&format!(
            "estimate --scenario {} --seq 512",
            path(&json)
        ))),
        "512"
    );
    assert_eq!(
        seq(plimsoll(&format!("estimate --scenario {}", path(&link)))),
        "1024"
    );
    assert_eq!(
        seq(plimsoll("estimate --scenario https://example.org/#seq=1024")),
        "1024"
    );
    assert_eq!(seq(plimsoll("estimate --scenario #seq=1024")), "1024");
    assert_eq!(seq(plimsoll("estimate --scenario seq=1024")), "1024");
    let mut piped = plimsoll("estimate --scenario -");
    piped.write_stdin(scenario);
    assert_eq!(seq(piped), "1024");
}

#[test]
fn the_link_of_an_estimate_gives_the_same_estimate() {
    let line = "estimate --model Qwen/Qwen3-8B --method lora --seq 1024 --gpu rtx-3090";
    let (_, out, _) = run(line);
    let link = out.lines().last().unwrap().strip_prefix("link      ").unwrap();
    let again = json_of(&format!("estimate --json --scenario {link}"));
    assert_eq!(again, json_of(&format!("{line} --json")));
}

#[test]
fn unknown_keys_of_a_link_are_passed_over_with_a_warning() {
    let (exit, out, err) = run("estimate --scenario #seq=1024&colour=blue --gpu h200-sxm");
    assert_eq!(exit, 0);
    assert_eq!(
        err,
        "warning: 'colour' is not a field of a scenario and was passed over\n"
    );
    assert!(out.contains("&seq=1024"), "{out}");
}

#[test]
fn an_unknown_model_or_card_is_named_and_the_nearest_suggested() {
    let model = &refused("estimate --model meta-llama/Lama-3.1-8B")[0];
    assert!(
        model.starts_with("error: model: 'meta-llama/Lama-3.1-8B'"),
        "{model}"
    );
    assert!(model.contains("meta-llama/Llama-3.1-8B"), "{model}");
    let card = &refused("estimate --gpu rtx-4900")[0];
    assert!(card.starts_with("error: gpu: 'rtx-4900'"), "{card}");
    assert!(card.contains("rtx-4090"), "{card}");
}

#[test]
fn every_field_that_cannot_be_used_has_its_line() {
    let errors = refused(
        "estimate --rank 0 --seq 0 --batch 99999999999999999999 --grad-accum -1 --method dora --clip maybe --alpha x",
    );
    assert_eq!(
        errors,
        [
            "error: method: 'dora' is not known; use one of qlora, lora, full",
            "error: rank: must be at least 1 and at most 65536",
            "error: alpha: 'x' is not a number",
            "error: seq: must be at least 1 and at most 4194304",
            "error: batch: '99999999999999999999' is not a whole number between 1 and 65536",
            "error: grad_accum: '-1' is not a whole number between 1 and 65536",
            "error: clip: 'maybe' is neither true nor false",
        ]
    );
}

#[test]
fn fields_that_contradict_each_other_are_refused() {
    let errors = refused("estimate --method full --weights nf4");
    assert!(errors[0].starts_with("error: weights: "), "{errors:?}");
}

#[test]
fn a_method_that_is_not_known_does_not_put_the_blame_on_the_weights() {
    let errors = refused("estimate --method ful --weights bf16 --gpu none --compute-capability 8,9");
    assert_eq!(
        errors,
        [
            "error: method: 'ful' is not known; use one of qlora, lora, full",
            "error: compute_capability: '8,9' is not a compute capability; write it as 8.9",
        ]
    );
}

#[test]
fn a_batch_that_overflows_is_refused() {
    let errors = refused("estimate --batch 65536 --seq 4194304");
    assert_eq!(errors.len(), 1);
    assert!(errors[0].starts_with("error: "), "{errors:?}");
}

#[test]
fn bad_values_of_a_link_are_refused_and_named_all_at_once() {
    assert_eq!(
        refused("estimate --scenario #rank=0&seq=never"),
        [
            "error: rank: must be at least 1 and at most 65536",
            "error: seq: 'never' is not a whole number between 1 and 4194304",
        ]
    );
}

#[test]
fn a_scenario_that_cannot_be_read_is_refused() {
    let missing = &refused("estimate --scenario no-such-file.json")[0];
    assert!(
        missing.starts_with("error: scenario: no-such-file.json: "),
        "{missing}"
    );
    let nothing = &refused("estimate --scenario https://example.org/")[0];
    assert_eq!(
        nothing,
        "error: scenario: neither a JSON object nor a link that holds a scenario"
    );
    for (text, message) in [
        (
            "{\"batch\": ",
            "error: scenario: EOF while parsing a value at line 1 column 9",
        ),
        (
            "{\"batch\": \"two\"}",
            "error: batch: 'two' is not a whole number between 1 and 65536",
        ),
        (
            "{\"bacth\": 2}",
            "error: bacth: is not a field of a scenario; did you mean 'batch'?",
        ),
        (
            "[1]",
            "error: scenario: neither a JSON object nor a link that holds a scenario",
        ),
        (
            "",
            "error: scenario: neither a JSON object nor a link that holds a scenario",
        ),
    ] {
        let file = file(text);
        let errors = refused(&format!("estimate --scenario {}", file.path().display()));
        assert_eq!(errors, [message], "{text}");
    }
}

#[test]
fn flags_that_do_not_exist_are_refused_by_name() {
    let errors = refused("estimate --colour blue");
    assert_eq!(errors[0], "error: unexpected argument '--colour' found");
}

#[test]
fn models_are_listed_with_their_reason_when_they_cannot_be_replayed() {
    let (exit, out, err) = run("models llama-3.1 8b");
    assert_eq!((exit, err.as_str()), (0, ""));
    let line = out
        .lines()
        .find(|line| line.contains("meta-llama/Llama-3.1-8B "))
        .unwrap();
    let words: Vec<_> = line.split_whitespace().collect();
    assert_eq!(
        words,
        ["meta-llama/Llama-3.1-8B", "Llama", "3.1", "8.03", "B", "yes"]
    );

    let all = json_of("models --json");
    assert_eq!(all.as_array().unwrap().len(), plimsoll::catalog::models().len());
    for model in all.as_array().unwrap() {
        assert_eq!(
            model["supported"] == true,
            model.get("reason").is_none(),
            "{model}"
        );
    }
}

#[test]
fn cards_are_listed() {
    let cards = json_of("gpus rtx 4090 laptop --json");
    assert_eq!(cards[0]["id"], "rtx-4090-laptop");
    let (exit, out, _) = run("gpus");
    assert_eq!(
        (exit, out.lines().count()),
        (0, plimsoll::catalog::gpus().len() + 1)
    );
}

#[test]
fn a_filter_that_matches_nothing_is_refused_with_the_nearest() {
    let errors = refused("gpus rtx-4900");
    assert!(
        errors[0].starts_with("error: filter: no card matches 'rtx-4900'; the nearest are "),
        "{errors:?}"
    );
    assert_eq!(
        refused("models zzzzzzzz"),
        ["error: filter: no model matches 'zzzzzzzz'"]
    );
}

#[test]
fn colours_are_left_out_where_there_is_no_terminal_and_where_nobody_wants_them() {
    let (_, out, _) = run(SMALL);
    assert!(!out.contains('\u{1b}'));
    let mut forced = plimsoll(SMALL);
    forced.env("CLICOLOR_FORCE", "1");
    assert!(finish(forced).1.contains("\u{1b}[1m"));
    let mut unwanted = plimsoll(SMALL);
    unwanted.env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1");
    assert!(!finish(unwanted).1.contains('\u{1b}'));
}

#[cfg(unix)]
#[test]
fn a_reader_that_stops_reading_is_no_error() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(["models", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), output.stderr.as_slice()),
        (Some(0), b"".as_slice())
    );
}

const ROWS: &str = concat!(
    r#"{"id": "one", "case": {"model": {"name": "toy", "config_class": "LlamaConfig", "config": {"num_hidden_layers": 2}}},"#,
    r#" "result": {"peak_allocated_bytes": 7000000000, "peak_reserved_bytes": 7000000000}}"#,
    "\n",
    r#"{"id": "two", "case": {"model": "Toy-1B"}, "result": {"peak_allocated_bytes": 7000000000}}"#,
    "\n",
);

#[test]
fn scores_count_rows_and_refusals() {
    let rows = file(ROWS);
    let path = rows.path().to_str().unwrap();
    let report = json_of(&format!("score --json --by harness {path}"));
    assert_eq!(report["sources"][0]["source"], path);
    for summary in [&report["sources"][0], &report["overall"]] {
        assert_eq!(
            (&summary["n"], &summary["scored"], &summary["refused"]),
            (&json!(2), &json!(1), &json!(1))
        );
        assert_eq!(
            summary["refusals"],
            json!([{"reason": "no model of the catalog is called 'Toy-1B'", "n": 1}])
        );
        assert_eq!(summary["quantities"]["allocated"]["n"], 1);
        assert!(summary["quantities"].get("least_capacity").is_none());
    }
    assert_eq!(
        (&report["groups"][0]["source"], &report["groups"][0]["n"]),
        (&json!("loop"), &json!(1))
    );
    let (exit, out, err) = run(&format!("score {path}"));
    assert_eq!((exit, err.as_str()), (0, ""));
    assert!(
        out.starts_with(&format!("{path}: 1 of 2 rows scored, 1 refused\n")),
        "{out}"
    );
}

#[test]
fn rows_are_one_json_line_each() {
    let rows = file(ROWS);
    let path = rows.path().to_str().unwrap();
    let (exit, out, err) = run(&format!("score --rows {path}"));
    assert_eq!((exit, err.as_str()), (0, ""));
    let lines: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let measured = |quantity: &str| lines[0]["quantities"][quantity]["measured"].as_u64();
    assert_eq!(
        (lines[0]["id"].as_str(), lines[0]["status"].as_str()),
        (Some("one"), Some("scored"))
    );
    assert_eq!(
        (measured("allocated"), measured("reserved")),
        (Some(7_000_000_000), Some(7_000_000_000))
    );
    assert_eq!(
        lines[1],
        json!({"id": "two", "source": path, "status": "refused", "quantities": {},
            "reason": "no model of the catalog is called 'Toy-1B'"})
    );
}

#[test]
fn a_line_that_is_no_row_is_named_and_the_others_are_scored() {
    let rows = file(&format!("{ROWS}{{oops\n"));
    let path = rows.path().to_str().unwrap();
    let (exit, out, err) = run(&format!("score --rows {path} no-such-file.jsonl"));
    assert_eq!((exit, out.lines().count()), (2, 2));
    let errors: Vec<_> = err.lines().collect();
    assert!(errors[0].starts_with("error: no-such-file.jsonl: "), "{err}");
    assert_eq!(
        errors[1],
        format!("error: {path}:3: not JSON: key must be a string at column 2")
    );
}

#[test]
fn rows_come_from_standard_input_too() {
    let mut command = plimsoll("score --rows -");
    command.write_stdin(ROWS);
    assert_eq!(finish(command).1.lines().count(), 2);
}

#[test]
fn rows_are_grouped_by_fields_of_scenarios_only() {
    let rows = file(ROWS);
    let errors = refused(&format!("score --by colour {}", rows.path().display()));
    assert!(
        errors[0].starts_with("error: by: 'colour' is not a field; use one of "),
        "{errors:?}"
    );
}

#[test]
fn explain_holds_every_published_claim_against_the_run() {
    let claims = json_of("explain --json");
    let ids: Vec<_> = claims
        .as_array()
        .unwrap()
        .iter()
        .map(|claim| &claim["id"])
        .collect();
    assert_eq!(ids, ["adamw-8bit", "four-bit", "dynamic-4bit", "fp8"]);
    for claim in claims.as_array().unwrap() {
        let here = &claim["here"];
        assert_eq!(here.is_null(), claim["judgement"] == "open", "{claim}");
        if let Some(saved) = here["saved_bytes"].as_i64() {
            let of = |side: &str| here[side]["allocated_bytes"].as_i64().unwrap();
            assert_eq!(saved, of("without") - of("with"), "{claim}");
        }
    }
    let (exit, out, _) = run("explain --model Qwen/Qwen3-0.6B --rank 64");
    assert_eq!(exit, 0);
    assert!(
        out.starts_with("adamw_8bit instead of 32-bit AdamW\n  claimed  saves up to 2 GB"),
        "{out}"
    );
}

#[test]
fn a_model_and_a_card_are_enough_for_settings_that_fit() {
    let (exit, out, err) =
        run("advise --model meta-llama/Llama-3.2-1B --seq 8192 --batch 8 --gpu rtx-3060-12gb");
    assert_eq!((exit, err.as_str()), (0, ""));
    assert!(out.contains("Does the run fit? no: "), "{out}");
    assert!(out.contains("Settings that fit\n"), "{out}");
    let link = out
        .lines()
        .find_map(|line| line.strip_prefix("  link    "))
        .unwrap();
    assert_eq!(
        json_of(&format!("estimate --json --scenario {link}"))["verdict"],
        "fits"
    );
}

#[test]
fn a_run_beyond_help_exits_with_one() {
    let (exit, out, _) = run("advise --model meta-llama/Llama-3.1-405B --gpu rtx-3060-12gb");
    assert_eq!(exit, 1);
    assert!(
        out.contains("No set of known changes brings this run onto the card."),
        "{out}"
    );
}

#[test]
fn solved_answers_are_rows_and_json() {
    let line = "solve seq card --model meta-llama/Llama-3.2-1B --gpu rtx-3060-12gb";
    let (exit, out, err) = run(line);
    assert_eq!((exit, err.as_str()), (0, ""));
    let heads: Vec<_> = out
        .lines()
        .map(|line| line.trim().split("  ").next().unwrap())
        .collect();
    assert_eq!(heads, ["longest sequence", "smallest card", "cheapest card"]);
    let answers = json_of(&format!("{line} --json"));
    assert_eq!(answers["largest"][0]["bound"], "memory");
    assert!(answers.get("model").is_none());
    assert_eq!(
        refused("solve rank --method full"),
        ["error: rank: full fine-tuning has no adapters"]
    );
    assert_eq!(
        refused("solve seq --gpu none"),
        ["error: gpu: name a card: without one nothing can be said to fit"]
    );
}

#[test]
fn a_written_configuration_is_read_and_estimated() {
    let (exit, yaml, err) = run("script --for axolotl --model Qwen/Qwen3-8B --gpu rtx-4090");
    assert_eq!(exit, 0);
    assert!(
        err.contains("warning: prepare_kbit: the Axolotl YAML runs false, not true"),
        "{err}"
    );
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(file.path(), format!("{yaml}micro_batchsize: 3\n")).unwrap();
    let path = file.path().to_str().unwrap();
    let (exit, out, err) = run(&format!("import {path}"));
    assert_eq!(exit, 0);
    assert!(out.starts_with("Read as an Axolotl configuration\n"), "{out}");
    assert!(
        err.contains(
            "micro_batchsize: is no key of an Axolotl configuration; did you mean 'micro_batch_size'?"
        ),
        "{err}"
    );
    let (exit, out, _) = run(&format!("estimate --scenario {path} --seq 512"));
    assert_eq!(exit, 0);
    assert!(
        out.contains("Qwen/Qwen3-8B") && out.contains("× 512 tokens"),
        "{out}"
    );
}

#[test]
fn a_configuration_that_cannot_be_read_is_refused_by_name_and_line() {
    let file = tempfile::Builder::new().suffix(".yml").tempfile().unwrap();
    std::fs::write(file.path(), "base_model: [x\nb: 1\n").unwrap();
    let path = file.path().to_str().unwrap();
    let errors = refused(&format!("estimate --scenario {path}"));
    assert!(
        errors[0].starts_with(&format!("error: scenario: {path}: line ")),
        "{errors:?}"
    );
    assert!(errors[0].contains("not YAML"), "{errors:?}");
    let errors = refused("script --for notepad");
    assert!(
        errors[0].starts_with("error: for: 'notepad' is not known; use one of unsloth, "),
        "{errors:?}"
    );
    assert!(refused("script --for fp8-benchmark --gpu t4")[0].contains("need compute capability 8.9"));
}

#[test]
fn the_doctor_says_what_it_sees() {
    let (exit, out, err) = run("doctor --model meta-llama/Llama-3.2-1B");
    if out.starts_with("NVIDIA driver ") {
        return;
    }
    assert_eq!(exit, 2);
    assert_eq!(
        err,
        "error: no NVIDIA driver is found on this machine\n\
         error: name a card to be told about it: plimsoll doctor --gpu ID (plimsoll gpus lists them)\n"
    );
    let (exit, out, err) = run("doctor --model meta-llama/Llama-3.2-1B --gpu rtx-4090");
    assert_eq!(
        (exit, err.as_str()),
        (0, "warning: no NVIDIA driver is found on this machine\n")
    );
    assert!(out.contains("Is the card Ada, Hopper or newer? yes"), "{out}");
}
