//! Models by their own files: what comes out of configurations and headers of public models.

#![allow(clippy::unwrap_used, clippy::panic)]

mod fixture;

use fixture::{Fixture, Typed, header, model, models};
use plimsoll::catalog;
use plimsoll::checkpoint::{OwnModel, Reply, Role, Visit};
use plimsoll::estimate::{Category, estimate, peak_allocated};
use plimsoll::model::HfConfig;
use plimsoll::scenario::{ModelRef, Scenario, Stack, WeightFormat};
use serde_json::json;
use std::collections::BTreeSet;

/// Visits a repository that holds a configuration and one file of these tensors.
fn visit(name: &str, config: &[u8], tensors: &[Typed]) -> OwnModel {
    let (bytes, length) = header(tensors);
    let mut visit = Visit::of_repository(name);
    while let Some(piece) = visit.wanted().cloned() {
        let reply = match piece.file.as_str() {
            "config.json" => Reply::Bytes(config.to_vec(), None),
            "model.safetensors" => {
                let end = (piece.begin + piece.length.unwrap()).min(bytes.len() as u64);
                Reply::Bytes(bytes[piece.begin as usize..end as usize].to_vec(), Some(length))
            }
            _ => Reply::Missing,
        };
        visit.take(reply).unwrap();
    }
    visit.model().unwrap()
}

fn read(fixture: &Fixture) -> OwnModel {
    visit("my/own", &fixture.config_json(), &fixture.in_bf16())
}

#[test]
fn thirty_public_models_of_twelve_families_are_read_to_the_weight() {
    let mut families = BTreeSet::new();
    for fixture in models() {
        let own = read(&fixture);
        let about = format!("{}: {own:#?}", fixture.id);
        assert_eq!(own.refused, None, "{about}");
        let check = own.check.as_ref().unwrap();
        assert!(check.agrees, "{about}");
        assert_eq!(check.stored, check.computed, "{about}");
        let towers = own.config.tower_params.unwrap_or(0);
        // Corrections of routers are buffers, stored and no parameters.
        let buffers: u64 = fixture
            .tensors
            .iter()
            .filter(|(name, _)| name.ends_with("e_score_correction_bias"))
            .map(|(_, shape)| shape[0])
            .sum();
        assert_eq!(check.stored + towers, fixture.parameters + buffers, "{about}");
        let inventory = own.inventory.as_ref().unwrap();
        assert_eq!(inventory.total(), 2 * (check.stored + towers), "{about}");
        families.insert(own.config.own_type().to_owned());
    }
    assert!(models().len() >= 30 && families.len() >= 12, "{families:?}");
}

#[test]
fn an_own_model_is_estimated_as_the_catalogs() {
    for fixture in models() {
        let own = read(&fixture);
        let mut run = Scenario {
            gpu: Some("h100-sxm".into()),
            seq: 512,
            ..Scenario::default()
        };
        run.model = ModelRef::Catalog(fixture.id.clone());
        let known = peak_allocated(&run);
        own.apply(&mut run);
        assert!(matches!(run.model, ModelRef::Config(_)));
        assert_eq!(peak_allocated(&run), known, "{}", fixture.id);
        let link = run.to_fragment();
        assert_eq!(Scenario::from_fragment(&link).scenario, run, "{link}");
        assert!(link.len() < 1200, "{}: {link}", link.len());
    }
}

#[test]
fn a_model_of_the_catalog_with_the_same_architecture_is_the_catalogs() {
    for fixture in models() {
        let own = visit(&fixture.id, &fixture.config_json(), &fixture.in_bf16());
        let known = &catalog::model(&fixture.id).unwrap().config;
        let of = |config: &HfConfig| serde_json::to_string(&config.clone().completed()).unwrap();
        let about = format!("{}\n{}", of(&own.config), of(known));
        assert_eq!(own.catalog_id(), Some(fixture.id.as_str()), "{about}");
    }
}

/// Layers that dynamic 4 bit leaves in 16 bit here.
fn protected(name: &str) -> bool {
    name.contains("layers.1.mlp") || name.contains("layers.12.self_attn.o_proj")
}

fn quantized(fixture: &Fixture, skip: &[&str]) -> Vec<u8> {
    let mut config = fixture.config.clone();
    config["quantization_config"] = json!({
        "quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": true, "bnb_4bit_compute_dtype": "bfloat16", "llm_int8_skip_modules": skip,
    });
    serde_json::to_vec(&config).unwrap()
}

#[test]
fn dynamic_four_bit_is_replayed_with_the_layers_that_its_list_names() {
    let fixture = model("meta-llama/Llama-3.2-1B");
    let skip = [
        "lm_head",
        "multi_modal_projector",
        "merger",
        "model.layers.1.mlp",
        "model.layers.12.self_attn.o_proj",
    ];
    let own = visit(
        "my/own-unsloth-bnb-4bit",
        &quantized(&fixture, &skip),
        &fixture.in_nf4(protected),
    );
    assert_eq!(
        own.skip_modules,
        ["model.layers.1.mlp", "model.layers.12.self_attn.o_proj"]
    );
    assert!(own.check.as_ref().unwrap().agrees, "{own:#?}");
    assert_eq!(own.config.stored_as.as_deref(), Some("nf4-dq"));
    let mut run = Scenario::for_stack(Stack::Unsloth, plimsoll::scenario::Method::Qlora);
    own.apply(&mut run);
    assert_eq!(run.weights, WeightFormat::Nf4Dq);
    let mut plain = run.clone();
    plain.skip_modules.clear();
    let (dynamic, plain) = (peak_allocated(&run).unwrap(), peak_allocated(&plain).unwrap());
    assert!(dynamic > plain);
    // Bytes of the stored weights are those of the estimate's base weights and their scales.
    let parts = estimate(&run).unwrap().breakdown;
    let base: u64 = parts
        .iter()
        .filter(|(part, _)| matches!(part, Category::Weights | Category::QuantState))
        .map(|(_, bytes)| *bytes)
        .sum();
    let stored = own.inventory.as_ref().unwrap();
    let states = 95 * stored_modules(&fixture);
    assert!(
        base.abs_diff(stored.total() - states) < 1 << 20,
        "{base} {}",
        stored.total() - states
    );
}

/// Quantized linear layers of the fixture.
fn stored_modules(fixture: &Fixture) -> u64 {
    fixture
        .in_nf4(protected)
        .iter()
        .filter(|(name, ..)| name.ends_with("bitsandbytes__nf4"))
        .count() as u64
}

#[test]
fn headers_have_the_last_word_on_which_layers_are_quantized() {
    let fixture = model("meta-llama/Llama-3.2-1B");
    let own = visit(
        "my/own",
        &quantized(&fixture, &["lm_head"]),
        &fixture.in_nf4(protected),
    );
    assert_eq!(
        own.skip_modules,
        ["model.layers.1.mlp", "model.layers.12.self_attn.o_proj"]
    );
    assert!(
        own.remarks
            .iter()
            .any(|remark| remark.contains("what the headers show is counted"))
    );
}

#[test]
fn what_a_trainer_does_not_load_is_told_apart() {
    let fixture = model("Qwen/Qwen3-0.6B");
    let mut tensors = fixture.in_bf16();
    tensors.push(("lm_head.weight".into(), "BF16", vec![151_936, 1024]));
    tensors.push(("model.layers.28.eh_proj.weight".into(), "BF16", vec![1024, 2048]));
    tensors.push(("score.weight".into(), "BF16", vec![2, 1024]));
    let own = visit("my/own", &fixture.config_json(), &tensors);
    let (inventory, check) = (own.inventory.unwrap(), own.check.unwrap());
    assert_eq!(inventory.weights(Role::NotLoaded), 1024 * 2048 + 2 * 1024);
    assert_eq!(inventory.bytes(Role::Head), 2 * 151_936 * 1024);
    assert_eq!(check.stored, check.computed);
    assert!(check.explanations[0].contains("the tied head a second time"));
    assert!(check.explanations[1].contains("are not loaded"));
}

#[test]
fn a_configuration_that_does_not_fit_its_files_is_explained() {
    let fixture = model("Qwen/Qwen3-0.6B");
    let mut other = fixture.config.clone();
    other["intermediate_size"] = 6144.into();
    other["vocab_size"] = 151_000.into();
    let own = visit("my/own", &serde_json::to_vec(&other).unwrap(), &fixture.in_bf16());
    let check = own.check.unwrap();
    assert!(!check.agrees);
    let text = check.explanations.join("\n");
    assert!(
        text.contains("the embeddings have 151936 rows, and vocab_size is 151000"),
        "{text}"
    );
    assert!(
        text.contains("mlp.gate_proj.weight holds 3145728 weights, and the configuration makes it 6291456"),
        "{text}"
    );
}

#[test]
fn a_type_that_is_not_known_is_refused_and_can_be_treated_as_the_nearest() {
    let fixture = model("Qwen/Qwen3-0.6B");
    let mut other = fixture.config.clone();
    other["model_type"] = "qwen9".into();
    let own = visit("my/own", &serde_json::to_vec(&other).unwrap(), &fixture.in_bf16());
    let refused = own.refused.clone().unwrap();
    assert!(refused.contains("model type 'qwen9'"), "{refused}");
    assert_eq!(own.nearest, Some("qwen3"), "{refused}");
    let mut run = Scenario::default();
    own.apply(&mut run);
    assert!(estimate(&run).unwrap_err().to_string().contains("qwen9"));
    let ModelRef::Config(config) = &mut run.model else {
        panic!("an own model")
    };
    config.treat_as = Some("qwen3".into());
    assert_eq!(config.label(), "my/own, treated as qwen3");
    let treated = estimate(&run).unwrap();
    assert!(
        treated
            .warnings
            .iter()
            .any(|text| text.contains("'qwen9'; on your word it is replayed as 'qwen3'"))
    );
    let link = run.to_fragment();
    assert!(link.contains("config.treat_as=qwen3"), "{link}");
    assert_eq!(Scenario::from_fragment(&link).scenario, run);
}

#[test]
fn weights_that_are_stored_in_an_unwritten_format_are_refused_by_name() {
    let fixture = model("Qwen/Qwen3-0.6B");
    let mut other = fixture.config.clone();
    other["quantization_config"] = json!({"quant_method": "gptq", "bits": 4, "group_size": 128});
    let own = visit("my/own", &serde_json::to_vec(&other).unwrap(), &fixture.in_bf16());
    let mut run = Scenario::default();
    own.apply(&mut run);
    let text = estimate(&run).unwrap_err().to_string();
    assert!(
        text.contains("stored as gptq, whose layers are not written"),
        "{text}"
    );
}

#[test]
fn a_vision_model_needs_no_headers_for_an_estimate() {
    for (id, text_type) in [
        ("Qwen/Qwen2-VL-7B-Instruct", "qwen2_vl_text"),
        ("Qwen/Qwen2.5-VL-7B-Instruct", "qwen2_5_vl_text"),
        ("Qwen/Qwen3-VL-8B-Instruct", "qwen3_vl_text"),
        ("google/gemma-3-4b-it", "gemma3_text"),
        ("mistralai/Ministral-3-3B-Instruct-2512", "ministral3"),
    ] {
        let known = catalog::model(id).unwrap();
        let mut config = serde_json::to_value(&known.config).unwrap();
        config["text_model_type"] = json!(text_type);
        let mut visit = Visit::of_files("my/own", &["config.json".into()]).unwrap();
        visit
            .take(Reply::Bytes(serde_json::to_vec(&config).unwrap(), None))
            .unwrap();
        let own = visit.model().unwrap();
        assert_eq!(own.refused, None, "{id}");
        assert_eq!(own.parameters, Some(known.text_params), "{id}");
        let mut run = Scenario::default();
        own.apply(&mut run);
        let listed = Scenario {
            model: ModelRef::Catalog(id.into()),
            ..Scenario::default()
        };
        assert_eq!(
            peak_allocated(&run).unwrap(),
            peak_allocated(&listed).unwrap(),
            "{id}"
        );
    }
}

#[test]
fn files_beside_those_of_the_model_are_passed_over() {
    let files = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).into()).collect();
        let visit = Visit::of_files("my/own", &names).map_err(|problem| problem.to_string())?;
        Ok::<_, String>(visit.progress().1)
    };
    let folder = ["tokenizer.json", "README.md", "adapter_model.safetensors"];
    assert_eq!(
        files(&[&["config.json", "adapter_config.json"], &folder[..]].concat()),
        Ok(2)
    );
    assert_eq!(files(&["config.json", "model.safetensors", "cat.png"]), Ok(2));
    assert!(
        files(&["README.md"])
            .unwrap_err()
            .starts_with("README.md: is not read")
    );
}
