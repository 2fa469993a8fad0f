//! A user's ways to a model that the catalog does not hold: from a hub, from files, by fields.

use crate::access::violations;
use crate::looks::{look, save};
use crate::page::{Page, on_page};
use crate::server::{Answer, FakeHub};
use serde_json::json;
use std::env;
use std::fs;

/// `config.json` of a model small enough to be made here whole.
const CONFIG: &str = r#"{"model_type": "llama", "vocab_size": 64, "hidden_size": 32, "intermediate_size": 64,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": true,
    "torch_dtype": "bfloat16"}"#;

/// Its `model.safetensors`, all zeros.
fn weights() -> Vec<u8> {
    let mut tensors = vec![
        ("model.embed_tokens.weight".to_owned(), 64 * 32),
        ("model.norm.weight".into(), 32),
    ];
    for layer in 0..2 {
        for (name, size) in [
            ("self_attn.q_proj", 32 * 32),
            ("self_attn.k_proj", 16 * 32),
            ("self_attn.v_proj", 16 * 32),
            ("self_attn.o_proj", 32 * 32),
            ("mlp.gate_proj", 64 * 32),
            ("mlp.up_proj", 64 * 32),
            ("mlp.down_proj", 32 * 64),
            ("input_layernorm", 32),
            ("post_attention_layernorm", 32),
        ] {
            tensors.push((format!("model.layers.{layer}.{name}.weight"), size));
        }
    }
    let mut header = serde_json::Map::new();
    let mut end = 0;
    for (name, size) in tensors {
        header.insert(
            name,
            json!({"dtype": "BF16", "shape": [size], "data_offsets": [end, end + 2 * size]}),
        );
        end += 2 * size;
    }
    let text = serde_json::Value::Object(header).to_string();
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.into_bytes());
    bytes.resize(bytes.len() + end as usize, 0);
    bytes
}

/// Opens the panel.
#[track_caller]
fn open(page: &Page) {
    page.click("[data-testid=own-model]");
    page.until("the panel is open", || {
        page.run("return !!document.querySelector('dialog.own[open]')", json!([])) == true
    });
}

/// Asks a server on this machine for `my/own`, which the page's security policy would forbid.
#[track_caller]
fn read_from(page: &Page, hub: &FakeHub) {
    page.set("own-endpoint", &hub.address);
    page.set("own-id", "my/own");
    page.click("[data-testid=own-read]");
}

/// Pastes a configuration.
fn paste(page: &Page, text: &str) {
    let paste = "const field = document.querySelector('[data-testid=own-paste]');
        field.value = arguments[0]; field.dispatchEvent(new Event('input', { bubbles: true }))";
    page.run(paste, json!([text]));
}

fn without_policy(page: &Page) {
    page.session
        .devtools("Page.setBypassCSP", json!({ "enabled": true }));
    page.reload();
}

fn file(name: &str, bytes: Vec<u8>) -> (String, Answer) {
    let length = bytes.len() as u64;
    (
        format!("/my/own/resolve/main/{name}"),
        Answer::File(bytes, length),
    )
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn a_model_of_the_hub_is_read_by_its_headers_and_kept_under_a_name() {
    on_page("", |page| {
        without_policy(page);
        let hub = FakeHub::start(vec![
            file("config.json", CONFIG.into()),
            file("model.safetensors", weights()),
        ]);
        open(page);
        assert!(hub.asked().is_empty(), "nothing is asked before the user asks");
        page.set("own-token", "secret");
        read_from(page, &hub);
        page.until("the headers are read", || page.has("own-stored"));
        assert!(
            page.text("own-found").contains("my/own: 2 layers of 32"),
            "{}",
            page.text("own-found")
        );
        assert!(
            page.text("own-remarks").contains("configuration and files agree"),
            "{}",
            page.text("own-remarks")
        );
        page.until("the page has it", || {
            page.fragment().contains("config.name=my/own")
        });
        let asked = hub.asked();
        assert_eq!(asked.len(), 3, "{asked:?}");
        assert_eq!(asked[0], "/my/own/resolve/main/config.json  Bearer secret");
        assert_eq!(
            asked[2],
            "/my/own/resolve/main/model.safetensors bytes=0-65535 Bearer secret"
        );
        assert!(!page.fragment().contains("secret"));
        page.set("own-name", "mine");
        page.click("[data-testid=own-keep]");
        page.until("it is kept", || page.text("own-kept").contains("mine"));
        let kept = page.run("return JSON.stringify(localStorage)", json!([]));
        assert!(!kept.to_string().contains("secret"), "{kept}");
        // The index is not there, which the browser remarks.
        page.console();
        page.open("#model=Qwen/Qwen3-8B");
        open(page);
        page.click("[data-testid=own-kept] button");
        page.until("it is back", || page.fragment().contains("config.name=my/own"));
        page.click("[data-testid=own-kept] button[aria-label]");
        page.until("it is gone", || page.text("own-kept").is_empty());
        page.console();
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn what_a_hub_refuses_is_told_with_the_way_on() {
    on_page("", |page| {
        without_policy(page);
        open(page);
        for (answer, told) in [
            (
                Answer::Status(401, None),
                "accept its terms there and give a token",
            ),
            (Answer::Status(429, Some(17)), "try again in 17 seconds"),
            (
                Answer::Status(404, None),
                "has neither config.json nor adapter_config.json",
            ),
            (Answer::Status(500, None), "has a problem of its own (status 500)"),
            (Answer::File(b"<html>".to_vec(), 6), "config.json: expected value"),
        ] {
            let hub = FakeHub::start(vec![("/my/own/resolve/main/config.json".into(), answer)]);
            read_from(page, &hub);
            page.until(told, || {
                page.has("own-problem") && page.text("own-problem").contains(told)
            });
        }
        page.set("own-endpoint", "http://127.0.0.1:1");
        page.click("[data-testid=own-read]");
        page.until("nobody is there", || {
            page.text("own-problem").contains("cannot be reached")
        });
        page.console();
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn files_and_fields_make_a_model_that_the_page_answers_for() {
    on_page("", |page| {
        let before = page.answer();
        open(page);
        let give = "const [config, weights] = arguments, list = new DataTransfer();
            list.items.add(new File([config], 'config.json'));
            list.items.add(new File([new Uint8Array(weights)], 'tiny.safetensors'));
            const input = document.querySelector('[data-testid=own-files]');
            input.files = list.files;
            input.dispatchEvent(new Event('change', { bubbles: true }))";
        page.run(give, json!([CONFIG, weights()]));
        page.until("the headers are read", || page.has("own-stored"));
        page.until("the page answers anew", || {
            page.bytes("allocated") < before.allocated
        });
        let found = page.fragment();
        page.run(
            "document.querySelector('[data-testid=own-fields]').open = true",
            json!([]),
        );
        let edit = "const field = document.getElementById('own-field-num_hidden_layers');
            field.value = arguments[0]; field.dispatchEvent(new Event('change', { bubbles: true }))";
        page.run(edit, json!(["4"]));
        page.until("the page has four layers", || {
            page.fragment().contains("config.num_hidden_layers=4")
        });
        assert!(page.text("own-fields").contains("1 changed"));
        page.run(edit, json!(["none"]));
        page.until("it is refused", || {
            page.text("own-fields").contains("expected a whole number")
        });
        page.click("[data-testid=own-reset-all]");
        page.until("all is as it was found", || page.fragment() == found);
        let unknown = CONFIG.replace("\"llama\"", "\"llama9\"");
        paste(page, &unknown);
        page.until("it is refused", || page.has("own-refused"));
        page.click("[data-testid=own-treat]");
        page.until("it is treated so", || {
            page.fragment().contains("config.treat_as=llama")
        });
        paste(page, "{\"hidden_size\": NaN}");
        page.until("it is told", || {
            page.text("own-problem")
                .contains("hidden_size: NaN is no number of JSON")
        });
        page.click("[data-testid=own-close]");
        page.until("the answer is there", || page.has("verdict"));
    });
}

/// Chooses files of these names and texts.
fn choose(page: &Page, files: &[(&str, &str)]) {
    let give = "const list = new DataTransfer();
        for (const [name, text] of arguments[0]) list.items.add(new File([text], name));
        const input = document.querySelector('[data-testid=own-files]');
        input.files = list.files;
        input.dispatchEvent(new Event('change', { bubbles: true }))";
    page.run(give, json!([files]));
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn an_adapter_brings_its_settings_and_its_base() {
    on_page("", |page| {
        open(page);
        let adapter = |base: &str, rank: u64| {
            json!({"peft_type": "LORA", "base_model_name_or_path": base, "r": rank, "target_modules": ["q_proj"]})
                .to_string()
        };
        let listed = adapter("unsloth/Qwen3-8B-unsloth-bnb-4bit", 64);
        choose(page, &[("adapter_config.json", &listed), ("README.md", "")]);
        page.until("the page has the base and the rank", || {
            let fragment = page.fragment();
            fragment.contains("model=Qwen/Qwen3-8B&") && fragment.contains("rank=64&alpha=8&targets=q_proj")
        });
        let elsewhere = adapter("my/own", 4);
        paste(page, &elsewhere);
        page.until("the base is asked for", || {
            page.has("own-problem") && page.text("own-problem").contains("the adapter belongs to my/own")
        });
        assert_eq!(page.value("own-id"), "my/own");
        choose(page, &[("config.json", CONFIG)]);
        page.until("the base has the adapter", || {
            let fragment = page.fragment();
            fragment.contains("config.num_hidden_layers=2") && fragment.contains("rank=4")
        });
        assert!(
            page.text("own-adapter")
                .contains("Adapter of my/own: rank 4 on q_proj")
        );
        choose(
            page,
            &[(
                "adapter_config.json",
                "{\"peft_type\": \"IA3\", \"base_model_name_or_path\": \"a/b\"}",
            )],
        );
        page.until("it is refused", || {
            page.has("own-problem")
                && page
                    .text("own-problem")
                    .contains("adapters of type \"IA3\" are not modelled")
        });
        // What stands below is another model, and said to be one.
        assert!(page.text("own-before").contains("the model before it"));
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn the_panel_is_let_in_and_fits() {
    on_page("", |page| {
        open(page);
        paste(page, CONFIG);
        page.until("it is found", || page.has("own-found"));
        page.run(
            "document.querySelector('[data-testid=own-fields]').open = true",
            json!([]),
        );
        if let Ok(axe) = env::var("PLIMSOLL_AXE") {
            page.run(&fs::read_to_string(axe).unwrap(), json!([]));
        }
        for scheme in ["light", "dark"] {
            for width in [360, 1280] {
                look(page, width, scheme);
                let over = "const own = document.querySelector('dialog.own'); return own.scrollWidth - own.clientWidth";
                assert_eq!(page.run(over, json!([])), 0, "at {width} pixels, {scheme}");
                save(page, &format!("own-{width}-{scheme}.png"));
            }
            if env::var("PLIMSOLL_AXE").is_ok() {
                assert_eq!(violations(page), Vec::<String>::new(), "in {scheme}");
            }
        }
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn a_header_of_a_hundred_thousand_tensors_is_read_in_a_moment() {
    on_page("", |page| {
        open(page);
        let give = "const entries = {};
            for (let i = 0; i < 100000; i++) {
                const name = `model.layers.${i % 60}.mlp.experts.${Math.floor(i / 180)}.${['gate', 'up', 'down'][i % 3]}_proj.${i}.weight`;
                entries[name] = { dtype: 'BF16', shape: [0, 7168], data_offsets: [0, 0] };
            }
            const json = new TextEncoder().encode(JSON.stringify(entries));
            const length = new Uint8Array(new BigUint64Array([BigInt(json.length)]).buffer);
            const list = new DataTransfer();
            list.items.add(new File([arguments[0]], 'config.json'));
            list.items.add(new File([length, json], 'large.safetensors'));
            const input = document.querySelector('[data-testid=own-files]');
            input.files = list.files;
            const began = performance.now();
            const wait = new MutationObserver(() => {
                if (document.querySelector('[data-testid=own-stored]')) {
                    wait.disconnect();
                    window.took = [performance.now() - began, json.length];
                }
            });
            wait.observe(document.querySelector('dialog.own'), { childList: true, subtree: true });
            input.dispatchEvent(new Event('change', { bubbles: true }))";
        page.run(give, json!([CONFIG]));
        page.until("it is read", || {
            page.run("return !!window.took", json!([])) == true
        });
        let took = page.run("return window.took", json!([]));
        eprintln!("100,000 tensors, from the choice of the file to the table: {took} (ms, bytes)");
    });
}
