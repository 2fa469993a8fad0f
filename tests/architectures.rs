//! Architectures: their parameters are the catalog's, and their replay is the libraries' to the byte.

#![allow(clippy::unwrap_used)]

use plimsoll::catalog;
use plimsoll::model::Architecture;
use plimsoll::plan::Plan;
use plimsoll::scenario::{Method, ModelRef, Scenario, WeightFormat};
use plimsoll::score::{self, RowScore};

/// The weights of a model's language part, where a forward pass is written for it.
#[test]
fn parameters_of_every_architecture_are_those_of_the_catalog_to_the_unit() {
    let mut written = 0;
    for model in catalog::models() {
        if let Ok(architecture) = Architecture::from_config(&model.config) {
            written += 1;
            assert_eq!(architecture.parameters(), model.text_params, "{}", model.id);
        }
    }
    assert!(written >= 100, "{written} of {}", catalog::models().len());
}

/// Small models of every architecture, run by the real libraries.
#[test]
fn small_models_of_every_architecture_take_what_they_took() {
    take_what_they_took(include_bytes!("fixtures/oracle/architectures.jsonl"));
}

#[test]
fn small_models_with_experts_take_what_they_took() {
    take_what_they_took(include_bytes!("fixtures/oracle/experts.jsonl"));
}

#[test]
fn small_models_with_recurrent_layers_take_what_they_took() {
    take_what_they_took(include_bytes!("fixtures/oracle/recurrent.jsonl"));
}

/// Gemma 4 with heads of two widths, with experts, and with embeddings of layers and shared keys and values; Gemma 3n.
#[test]
fn small_models_of_gemma_3n_and_4_take_what_they_took() {
    take_what_they_took(include_bytes!("fixtures/oracle/gemma.jsonl"));
}

fn take_what_they_took(rows: &[u8]) {
    let (rows, errors) = score::read("rows", rows);
    assert_eq!(errors, []);
    for row in rows {
        let score = RowScore::of(&row, "rows");
        assert_eq!(score.reason, None, "{}", row.id);
        for (name, quantity) in [
            ("allocated", &score.quantities.allocated),
            ("reserved", &score.quantities.reserved),
        ] {
            let quantity = quantity.as_ref().unwrap();
            assert_eq!(quantity.estimated, quantity.measured, "{}: {name}", row.id);
        }
    }
}

/// A multimodal model is its language part and towers at rest: all parameters of the catalog, and no more.
#[test]
fn towers_of_multimodal_models_are_counted_with_their_parameters() {
    for model in catalog::models() {
        let scenario = Scenario {
            model: ModelRef::Catalog(model.id.clone()),
            method: Method::Full,
            weights: WeightFormat::Bf16,
            ..Scenario::default()
        };
        if let Ok(plan) = Plan::new(&scenario) {
            assert_eq!(plan.parameters(), model.computed_params, "{}", model.id);
        }
    }
}

/// `num_kv_shared_layers` that leaves no earlier layer with a window to take keys and values from.
#[test]
fn keys_and_values_that_no_layer_has_are_refused() {
    let link = "v=1&config.model_type=gemma3n_text&config.vocab_size=500&config.hidden_size=192\
        &config.intermediate_size=104&config.num_hidden_layers=2&config.num_attention_heads=4\
        &config.num_key_value_heads=1&config.head_dim=32&config.tie_word_embeddings=false\
        &config.sliding_window=1&config.layer_types_pattern=sliding_attention,full_attention\
        &config.num_kv_shared_layers=1&config.hidden_size_per_layer_input=8\
        &config.vocab_size_per_layer_input=500&method=full&seq=8";
    let run = Scenario::from_fragment(link).scenario;
    let refusal = Plan::new(&run).unwrap_err().to_string();
    assert!(refusal.contains("and there is none"), "{refusal}");
}
