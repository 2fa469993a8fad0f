//! `--model` and `inspect` on models outside the catalog: folders, files, the local cache, and a server that plays the
//! Hub.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic)]

#[allow(dead_code)]
#[path = "../checkpoint/fixture.rs"]
mod fixture;
mod server;

use assert_cmd::Command;
use fixture::{header, model};
use serde_json::{Value, json};
use server::{Answer, FakeHub};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// The command line, at home in an empty folder, with this server for a hub.
fn plimsoll(home: &Path, endpoint: &str) -> Command {
    let mut command = Command::cargo_bin("plimsoll").unwrap();
    for name in [
        "HF_TOKEN",
        "HF_HUB_CACHE",
        "HUGGINGFACE_HUB_CACHE",
        "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE",
    ] {
        command.env_remove(name);
    }
    for name in [
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ] {
        command.env_remove(name);
    }
    command
        .env("HF_HOME", home)
        .env("HF_ENDPOINT", endpoint)
        .env("HF_HUB_DOWNLOAD_TIMEOUT", "2");
    command
}

/// Exit code, what was printed, and what was said beside it.
fn run(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Answers of a hub that holds one small model at `my/own`.
fn repository(change: impl FnOnce(&mut Value)) -> Vec<(String, Answer)> {
    let mut fixture = model("Qwen/Qwen3-0.6B");
    change(&mut fixture.config);
    let (bytes, length) = header(&fixture.in_bf16());
    let config = fixture.config_json();
    let config_length = config.len() as u64;
    vec![
        (
            "/my/own/resolve/main/config.json".into(),
            Answer::File(config, config_length),
        ),
        (
            "/my/own/resolve/main/model.safetensors".into(),
            Answer::Redirect("/elsewhere/blob".into()),
        ),
        ("/elsewhere/blob".into(), Answer::File(bytes, length)),
    ]
}

/// What is said when the hub answers so for `config.json`.
#[track_caller]
fn complaint(answer: Answer) -> String {
    let home = TempDir::new().unwrap();
    let hub = FakeHub::start(vec![("/my/own/resolve/main/config.json".into(), answer)]);
    let (code, _, errors) = run(plimsoll(home.path(), &hub.address).args(["inspect", "my/own"]));
    assert_eq!(code, 2, "{errors}");
    errors
}

#[test]
fn a_repository_is_read_by_its_headers_and_estimated() {
    let home = TempDir::new().unwrap();
    let hub = FakeHub::start(repository(|_| {}));
    let args = ["estimate", "--model", "my/own", "--gpu", "rtx-4090", "--json"];
    let (code, printed, errors) = run(plimsoll(home.path(), &hub.address)
        .env("HF_TOKEN", "secret")
        .args(args));
    assert_eq!((code, errors.as_str()), (0, ""));
    let own: Value = serde_json::from_str(&printed).unwrap();
    let args = [
        "estimate",
        "--model",
        "Qwen/Qwen3-0.6B",
        "--gpu",
        "rtx-4090",
        "--json",
    ];
    let (_, printed, _) = run(plimsoll(home.path(), &hub.address).args(args));
    let known: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(own["allocated_bytes"], known["allocated_bytes"]);
    let asked = hub.asked();
    // Configuration, index that is not there, and the header, which is long, in two pieces; nothing for the catalog's.
    assert!(
        asked[0].starts_with("/my/own/resolve/main/config.json  Bearer secret"),
        "{asked:?}"
    );
    assert!(
        asked[2].starts_with("/my/own/resolve/main/model.safetensors bytes=0-65535 "),
        "{asked:?}"
    );
    // Only the hub itself is shown the token.
    assert_eq!(asked[3], "/elsewhere/blob bytes=0-65535 ");
    assert_eq!(asked.len(), 3 + 1, "{asked:?}");
}

#[test]
fn what_comes_out_can_be_looked_at() {
    let home = TempDir::new().unwrap();
    let hub = FakeHub::start(repository(|_| {}));
    let (code, printed, _) = run(plimsoll(home.path(), &hub.address).args(["inspect", "my/own"]));
    assert_eq!(code, 0);
    for text in [
        "model_type = qwen3",
        "decoder layers",
        "configuration and files agree: 596049920 weights computed, 596049920 stored",
        "#v=1&config.model_type=qwen3",
        "config.name=my/own",
    ] {
        assert!(printed.contains(text), "{text} in {printed}");
    }
    let (_, printed, _) = run(plimsoll(home.path(), &hub.address).args(["inspect", "my/own", "--json"]));
    let own: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(own["check"]["agrees"], json!(true));
}

#[test]
fn every_refusal_of_a_hub_is_a_sentence_with_the_way_on() {
    for (answer, text) in [
        (
            Answer::Status(401, None),
            "private or gated; accept its terms there and set HF_TOKEN",
        ),
        (Answer::Status(403, None), "private or gated"),
        (
            Answer::Status(429, Some(17)),
            "asks for fewer requests: try again in 17 seconds",
        ),
        (Answer::Status(503, None), "has a problem of its own (status 503)"),
        (
            Answer::Truncated(b"{\"model_type\": \"llama\"}".to_vec()),
            "ended before it was whole",
        ),
        (Answer::Slow(4), "did not answer within 2 seconds"),
        (
            Answer::Redirect("/my/own/resolve/main/config.json".into()),
            "cannot be reached",
        ),
        (
            Answer::File(b"<html>".to_vec(), 6),
            "config.json: expected value at line 1",
        ),
    ] {
        let errors = complaint(answer);
        assert!(errors.contains(text), "{text} in {errors}");
    }
    assert!(complaint(Answer::Status(404, None)).contains("has neither config.json nor adapter_config.json"));
    let home = TempDir::new().unwrap();
    let (_, _, errors) = run(plimsoll(home.path(), "http://127.0.0.1:1").args(["inspect", "my/own"]));
    assert!(errors.contains("cannot be reached"), "{errors}");
    let offline = run(plimsoll(home.path(), "http://127.0.0.1:1")
        .env("HF_HUB_OFFLINE", "1")
        .args(["inspect", "my/own"]));
    assert!(
        offline
            .2
            .contains("is not in the local cache, and HF_HUB_OFFLINE is set"),
        "{offline:?}"
    );
    let (_, _, errors) = run(plimsoll(home.path(), "ftp://hub").args(["inspect", "my/own"]));
    assert!(
        errors.contains("HF_ENDPOINT: 'ftp://hub' is no address"),
        "{errors}"
    );
}

#[test]
fn a_gated_repository_opens_to_its_token() {
    let home = TempDir::new().unwrap();
    let config = model("Qwen/Qwen3-0.6B").config_json();
    let hub = FakeHub::start(vec![(
        "/my/own/resolve/main/config.json".into(),
        Answer::Gated(config, "key"),
    )]);
    let inspect = |token: &str| {
        run(plimsoll(home.path(), &hub.address)
            .env("HF_TOKEN", token)
            .args(["inspect", "my/own"]))
    };
    assert!(inspect("other").2.contains("refuses my/own to this token"));
    let (code, printed, _) = inspect("key");
    assert_eq!(code, 0);
    assert!(printed.contains("there are no safetensors files"), "{printed}");
    // As huggingface-cli login keeps it.
    fs::write(home.path().join("token"), "key\n").unwrap();
    assert_eq!(
        run(plimsoll(home.path(), &hub.address).args(["inspect", "my/own"])).0,
        0
    );
}

#[test]
fn files_that_lie_about_their_length_are_refused() {
    let home = TempDir::new().unwrap();
    let ask = |answer: Answer| {
        let mut answers = repository(|_| {});
        answers.pop();
        answers.push(("/elsewhere/blob".into(), answer));
        let hub = FakeHub::start(answers);
        run(plimsoll(home.path(), &hub.address).args(["inspect", "my/own"])).2
    };
    let (bytes, length) = header(&model("Qwen/Qwen3-0.6B").in_bf16());
    let errors = ask(Answer::File(bytes.clone(), length + 10));
    assert!(errors.contains("and the file holds"), "{errors}");
    let errors = ask(Answer::File((1u64 << 63).to_le_bytes().to_vec(), 8));
    assert!(
        errors.contains("9223372036854775808 bytes are claimed"),
        "{errors}"
    );
    let long = header(&model("Qwen/Qwen3-30B-A3B").in_bf16()).0;
    let errors = ask(Answer::WholeOnly(long));
    assert!(errors.contains("sends whole files only"), "{errors}");
}

#[test]
fn the_local_cache_comes_before_the_hub() {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("hub/models--my--own");
    let snapshot = folder.join("snapshots/abc");
    fs::create_dir_all(folder.join("refs")).unwrap();
    fs::create_dir_all(&snapshot).unwrap();
    fs::write(folder.join("refs/main"), "abc").unwrap();
    let fixture = model("Qwen/Qwen3-0.6B");
    fs::write(snapshot.join("config.json"), fixture.config_json()).unwrap();
    // Without weights the hub is asked; where it cannot be, the configuration is enough.
    let (code, printed, errors) =
        run(plimsoll(home.path(), "http://127.0.0.1:1").args(["inspect", "my/own"]));
    assert_eq!(code, 0, "{errors}");
    assert!(
        errors.contains("cannot be reached") && printed.contains("from the Hugging Face cache"),
        "{errors}"
    );
    let (bytes, length) = header(&fixture.in_bf16());
    let file = fs::File::create(snapshot.join("model.safetensors")).unwrap();
    std::io::Write::write_all(&mut &file, &bytes).unwrap();
    file.set_len(length).unwrap();
    let (code, printed, errors) =
        run(plimsoll(home.path(), "http://127.0.0.1:1").args(["inspect", "my/own"]));
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(printed.contains("configuration and files agree"), "{printed}");
    // The same as a folder, a file of it, and an adapter's base.
    for path in [snapshot.clone(), snapshot.join("model.safetensors")] {
        let (code, printed, _) = run(plimsoll(home.path(), "http://127.0.0.1:1")
            .arg("inspect")
            .arg(&path));
        assert_eq!(code, 0, "{printed}");
        assert!(printed.contains("configuration and files agree"), "{printed}");
    }
    let adapter = home.path().join("adapter");
    fs::create_dir(&adapter).unwrap();
    let settings = json!({"peft_type": "LORA", "base_model_name_or_path": "my/own", "r": 64, "lora_alpha": 128,
        "target_modules": ["q_proj", "v_proj"]});
    fs::write(adapter.join("adapter_config.json"), settings.to_string()).unwrap();
    let mut command = plimsoll(home.path(), "http://127.0.0.1:1");
    let (code, printed, _) = run(command
        .args(["estimate", "--gpu", "rtx-4090", "--model"])
        .arg(&adapter));
    assert_eq!(code, 0);
    assert!(
        printed.contains("my/own") && printed.contains("rank 64"),
        "{printed}"
    );
    let mut command = plimsoll(home.path(), "http://127.0.0.1:1");
    let (_, printed, _) = run(command.arg("inspect").arg(&adapter));
    assert!(
        printed.starts_with("Adapter of my/own: rank 64 on q_proj, v_proj\n\nmy/own: from"),
        "{printed}"
    );
    // An adapter that names itself leads nowhere.
    let settings = json!({"peft_type": "LORA", "base_model_name_or_path": &adapter});
    fs::write(adapter.join("adapter_config.json"), settings.to_string()).unwrap();
    let mut command = plimsoll(home.path(), "http://127.0.0.1:1");
    let (code, _, errors) = run(command.arg("inspect").arg(&adapter));
    assert_eq!(code, 2);
    assert!(errors.contains("which is not here; give that model"), "{errors}");
}

#[test]
fn an_adapter_of_an_adapter_is_not_followed() {
    let home = TempDir::new().unwrap();
    let settings = json!({"peft_type": "LORA", "base_model_name_or_path": "my/own"}).to_string();
    let length = settings.len() as u64;
    let file = Answer::File(settings.into_bytes(), length);
    let hub = FakeHub::start(vec![("/my/own/resolve/main/adapter_config.json".into(), file)]);
    let (code, _, errors) = run(plimsoll(home.path(), &hub.address).args(["inspect", "my/own"]));
    assert_eq!(code, 2);
    assert!(
        errors.contains("an adapter says nothing of the model it belongs to"),
        "{errors}"
    );
    assert_eq!(hub.asked().len(), 4, "{:?}", hub.asked());
}

#[test]
fn an_unknown_type_needs_the_users_word() {
    let home = TempDir::new().unwrap();
    let hub = FakeHub::start(repository(|config| config["model_type"] = "qwen9".into()));
    let mut args = vec!["estimate", "--model", "my/own", "--gpu", "rtx-4090"];
    let (code, _, errors) = run(plimsoll(home.path(), &hub.address).args(&args));
    assert_eq!(code, 2);
    assert!(
        errors.contains(
            "(model type 'qwen9'). The nearest type that is known is 'qwen3'; --treat-as qwen3 estimates it"
        ),
        "{errors}"
    );
    args.extend(["--treat-as", "qwen3"]);
    let (code, printed, _) = run(plimsoll(home.path(), &hub.address).args(&args));
    assert_eq!(code, 0);
    assert!(
        printed.contains("my/own, treated as qwen3") && printed.contains("on your word"),
        "{printed}"
    );
    *args.last_mut().unwrap() = "qwen10";
    let (_, _, errors) = run(plimsoll(home.path(), &hub.address).args(&args));
    assert!(
        errors.contains("'qwen10' is not known; use one of llama, mistral"),
        "{errors}"
    );
}

#[test]
fn weights_stored_in_an_unwritten_format_are_estimated_as_their_original_on_the_users_word() {
    let home = TempDir::new().unwrap();
    let gptq =
        |config: &mut Value| config["quantization_config"] = json!({"quant_method": "gptq", "bits": 4});
    let hub = FakeHub::start(repository(gptq));
    let mut args = vec!["estimate", "--model", "my/own", "--gpu", "rtx-4090"];
    let (code, _, errors) = run(plimsoll(home.path(), &hub.address).args(&args));
    assert_eq!(code, 2);
    assert!(
        errors.contains("stored as gptq, whose layers are not written"),
        "{errors}"
    );
    args.extend(["--weights", "bf16"]);
    let (code, _, errors) = run(plimsoll(home.path(), &hub.address).args(&args));
    assert_eq!(code, 0, "{errors}");
    assert!(errors.contains("estimated is its 16-bit original"), "{errors}");
}

#[test]
fn mirrors_of_the_catalog_need_no_hub() {
    let home = TempDir::new().unwrap();
    let estimate = |model: &str| {
        let command = [
            "estimate", "--stack", "unsloth", "--gpu", "rtx-4090", "--model", model,
        ];
        run(plimsoll(home.path(), "http://127.0.0.1:1").args(command))
    };
    let (code, answer, warnings) = estimate("unsloth/llama-3-8b");
    assert_eq!(
        (code, warnings.contains("cannot be reached")),
        (0, false),
        "{warnings}"
    );
    assert!(
        answer.contains("meta-llama/Meta-Llama-3-8B, Unsloth, QLoRA"),
        "{answer}"
    );
    // The layers of a quantized one are in its headers: without them, by the rule, and the answer says so.
    let (code, answer, warnings) = estimate("unsloth/Qwen3-14B-unsloth-bnb-4bit");
    assert_eq!(code, 0, "{warnings}");
    assert!(
        answer.contains("Qwen/Qwen3-14B, Unsloth, QLoRA on Unsloth dynamic 4-bit"),
        "{answer}"
    );
    assert!(
        warnings.contains("is taken for Qwen/Qwen3-14B stored as"),
        "{warnings}"
    );
    assert!(warnings.contains("cannot be reached"), "{warnings}");
}
