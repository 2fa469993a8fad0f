//! Rows of measured runs: what scenario each becomes, and what is refused.

#![allow(clippy::unwrap_used)]

use plimsoll::scenario::{
    AdapterDtype, Attention, Autocast, BaseDtype, Checkpointing, Float8, Harness, Loader, Lora, Method,
    ModelRef, Objective, Optimizer, Qat, Release, Scenario, SdpaBackend, Stack, Targets, Transformers,
    WeightFormat,
};
use plimsoll::score::{self, Measured, Quantities, Row, RowScore};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The row of a case, with all of a Llama's arguments at their defaults.
#[track_caller]
fn row(case: Value) -> Row {
    let mut row = json!({"id": "a", "case": {"model": {"name": "toy", "config_class": "LlamaConfig", "config": {}}},
        "result": {"peak_allocated_bytes": 3, "peak_reserved_bytes": 4, "least_capacity_bytes": 5, "error": null}});
    if let (Some(fields), Value::Object(case)) = (row["case"].as_object_mut(), case) {
        fields.extend(case);
    }
    only_row(&row)
}

#[track_caller]
fn only_row(row: &Value) -> Row {
    let (rows, errors) = score::read("rows.jsonl", row.to_string().as_bytes());
    assert_eq!((rows.len(), errors), (1, vec![]));
    rows.into_iter().next().unwrap()
}

#[track_caller]
fn scenario(case: Value) -> Scenario {
    row(case).scenario.unwrap()
}

#[track_caller]
fn refusal(case: Value) -> String {
    row(case).scenario.unwrap_err().to_string()
}

#[test]
fn a_case_that_says_nothing_has_the_defaults_of_the_measuring_program() {
    let config = match scenario(json!({})).model {
        ModelRef::Config(config) => config,
        ModelRef::Catalog(id) => panic!("a configuration, not {id}"),
    };
    assert_eq!(config.model_type, "llama");
    assert_eq!(
        scenario(json!({})),
        Scenario {
            model: ModelRef::Config(config),
            gpu: None,
            stack: Stack::Hf,
            method: Method::Lora,
            weights: WeightFormat::Bf16,
            skip_modules: vec![],
            dtype: BaseDtype::Auto,
            autocast: Autocast::Off,
            lora: Lora::default(),
            prepare_kbit: true,
            batch: 1,
            seq: 512,
            grad_accum: 1,
            optimizer: Optimizer::AdamwTorchFused,
            checkpointing: Checkpointing::None,
            attention: Attention::Sdpa,
            sdpa_backend: SdpaBackend::Auto,
            padding: false,
            padding_free: false,
            packing: 1,
            lengths: Vec::new(),
            objective: Objective::Sft,
            loader: Loader::FastLanguageModel,
            release: Release::Current,
            qat: Qat::Off,
            transformers: Transformers::Current,
            memory_gib: None,
            clip: true,
            use_cache: false,
            harness: Harness::Loop,
            keep_outputs: false,
            liger: false,
            float8: Float8::Off,
            expandable_segments: false,
            compute_capability: Some("9.0".into()),
        }
    );
}

#[test]
fn every_field_of_a_case_reaches_the_scenario() {
    let read = scenario(json!({
        "method": "qlora", "quant": {"type": "fp4", "double_quant": false}, "weights_dtype": "fp16", "kbit_prepare": false,
        "autocast": "fp16", "optimizer": "paged_adamw_8bit", "checkpointing": "reentrant", "attention": "eager",
        "sdpa_backend": "math", "padding": true, "batch": 3, "seq": 777, "grad_accum": 4, "clip": null, "steps": 3,
        "harness": "trainer", "keep_outputs": true, "use_cache": true, "liger": true,
        "fp8_compute": {"recipe": "tensorwise"}, "gpu": {"cc": "8.6"}, "alloc_conf": "expandable_segments:True",
        "lora": {"rank": 8, "alpha": 16, "dropout": 0.1, "targets": ["q_proj", "v_proj"], "use_dora": true,
            "use_rslora": true, "modules_to_save": ["lm_head"], "autocast_adapter_dtype": false},
    }));
    assert_eq!(
        Scenario {
            model: ModelRef::Config(Box::default()),
            ..read
        },
        Scenario {
            model: ModelRef::Config(Box::default()),
            gpu: None,
            stack: Stack::Hf,
            method: Method::Qlora,
            weights: WeightFormat::Fp4,
            skip_modules: vec![],
            dtype: BaseDtype::Fp16,
            autocast: Autocast::Fp16,
            lora: Lora {
                rank: 8,
                alpha: 16.0,
                dropout: 0.1,
                targets: Targets::Modules(vec!["q_proj".into(), "v_proj".into()]),
                use_dora: true,
                use_rslora: true,
                modules_to_save: vec!["lm_head".into()],
                adapter_dtype: AdapterDtype::Base,
            },
            prepare_kbit: false,
            batch: 3,
            seq: 777,
            grad_accum: 4,
            optimizer: Optimizer::PagedAdamw8bit,
            checkpointing: Checkpointing::HfReentrant,
            attention: Attention::Eager,
            sdpa_backend: SdpaBackend::Math,
            padding: true,
            padding_free: false,
            packing: 1,
            lengths: Vec::new(),
            objective: Objective::Sft,
            loader: Loader::FastLanguageModel,
            release: Release::Current,
            qat: Qat::Off,
            transformers: Transformers::Current,
            memory_gib: None,
            clip: false,
            use_cache: true,
            harness: Harness::Trainer,
            keep_outputs: true,
            liger: true,
            float8: Float8::Tensorwise,
            expandable_segments: true,
            compute_capability: Some("8.6".into()),
        }
    );
}

#[test]
fn the_method_and_the_dtype_of_a_case_make_the_method_and_the_weights() {
    let made = |case| {
        let scenario = scenario(case);
        (scenario.method, scenario.weights)
    };
    let full_fp32 = json!({"method": "full", "weights_dtype": "fp32"});
    assert_eq!(made(full_fp32), (Method::Full, WeightFormat::Fp32));
    assert_eq!(
        made(json!({"method": "qlora"})),
        (Method::Qlora, WeightFormat::Nf4Dq)
    );
    assert_eq!(
        made(json!({"method": "fp8lora"})),
        (Method::Lora, WeightFormat::Fp8)
    );
    assert_eq!(
        made(json!({"method": "qlora", "quant": {"double_quant": false}})),
        (Method::Qlora, WeightFormat::Nf4)
    );
}

#[test]
fn beside_quantized_weights_their_dtype_is_that_of_the_rest() {
    let dtype = |method| scenario(json!({"method": method, "weights_dtype": "fp32"})).dtype;
    assert_eq!(dtype("qlora"), BaseDtype::Fp32);
    assert_eq!(dtype("fp8lora"), BaseDtype::Fp32);
    assert_eq!(dtype("lora"), BaseDtype::Auto);
}

#[test]
fn clipping_at_zero_is_no_clipping() {
    assert!(!scenario(json!({"clip": 0})).clip);
    assert!(scenario(json!({"clip": 0.3})).clip);
}

#[test]
fn what_cannot_be_expressed_is_refused_with_a_reason_that_names_it() {
    for (case, reason) in [
        (json!({"method": "lora8bit"}), "method 'lora8bit' is not modelled"),
        (
            json!({"weights_dtype": "int4"}),
            "weights_dtype 'int4' is not modelled",
        ),
        (
            json!({"method": "qlora", "quant": {"type": "af4"}}),
            "quant.type 'af4' is not modelled",
        ),
        (
            json!({"quant": {"blocksize": 128}}),
            "field 'quant.blocksize' is not known",
        ),
        (json!({"autocast": "fp8"}), "autocast 'fp8' is not modelled"),
        (json!({"optimizer": "muon"}), "optimizer 'muon' is not modelled"),
        (
            json!({"checkpointing": "selective"}),
            "checkpointing 'selective' is not modelled",
        ),
        (
            json!({"attention": "flex_attention"}),
            "attention 'flex_attention' is not modelled",
        ),
        (
            json!({"sdpa_backend": "cudnn"}),
            "sdpa_backend 'cudnn' is not modelled",
        ),
        (
            json!({"fp8_compute": {"recipe": "rowwise"}}),
            "fp8_compute.recipe 'rowwise' is not modelled",
        ),
        (
            json!({"alloc_conf": "max_split_size_mb:64"}),
            "alloc_conf 'max_split_size_mb:64' is not modelled",
        ),
        (
            json!({"steps": 1}),
            "steps: fewer than 2, the steady state is not reached",
        ),
        (json!({"loss": "chunked"}), "loss 'chunked' is not modelled"),
        (
            json!({"lora": {"targets": ".*proj"}}),
            "lora.targets '.*proj' is not modelled",
        ),
        (
            json!({"lora": {"target_parameters": ["w"]}}),
            "lora.target_parameters is not modelled",
        ),
        (
            json!({"lora": {"init": "pissa"}}),
            "field 'lora.init' is not known",
        ),
        (
            json!({"gpu": {"cc": "9.0", "sms": 66}}),
            "field 'gpu.sms' is not known",
        ),
        (json!({"compile": true}), "field 'compile' is not known"),
        (
            json!({"batch": "two"}),
            "batch: invalid type: string \"two\", expected u64",
        ),
        (
            json!({"seq": -1}),
            "seq: invalid value: integer `-1`, expected u64",
        ),
        (
            json!({"optimizer": null}),
            "optimizer: invalid type: null, expected a string",
        ),
    ] {
        assert_eq!(refusal(case.clone()), reason, "{case}");
    }
}

#[test]
fn a_row_carries_what_was_measured() {
    assert_eq!(
        row(json!({})).measured,
        Measured {
            allocated: Some(3),
            reserved: Some(4),
            least_capacity: Some(5),
            process: None,
            verdict: None,
        }
    );
}

#[test]
fn a_run_that_failed_is_refused() {
    let failed = json!({"id": "a", "case": {"model": {}}, "result": {"error": "RuntimeError"}});
    assert_eq!(
        only_row(&failed).scenario.unwrap_err().to_string(),
        "the run itself ended in an error"
    );
}

#[test]
fn other_kinds_of_rows_are_told_apart_by_their_fields() {
    for (row, reason) in [
        (
            json!({"id": "a", "case": {"model": "Toy-1B", "load": {}}, "result": {}}),
            "no model of the catalog is called 'Toy-1B'",
        ),
        (
            json!({"id": "a", "metric": "peak_reserved", "value_gib": 2.5, "kind": "measured"}),
            "runs on several GPUs are not modelled",
        ),
        (json!({"id": "a"}), "not a kind of row that is known here"),
    ] {
        assert_eq!(only_row(&row).scenario.unwrap_err().to_string(), reason);
    }
}

/// Any JSON value, nested a little.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9_]{0,8}".prop_map(Value::from),
        Just(json!("all-linear")),
        Just(json!("LlamaConfig")),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,8}", inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_stands_in_a_field_makes_a_scenario_or_a_refusal(
        field in prop::sample::select(FIELDS),
        value in any_json(),
    ) {
        let row = row(json!({field: value}));
        let score = RowScore::of(&row, "rows.jsonl");
        prop_assert_eq!(score.reason.is_some(), score.quantities == Quantities::default());
    }

    #[test]
    fn whatever_stands_in_a_configuration_makes_a_scenario_or_a_refusal(
        key in prop::sample::select(vec!["hidden_size", "num_hidden_layers", "sliding_window", "layer_types", "model_type"]),
        value in any_json(),
    ) {
        let row = row(json!({"model": {"config_class": "LlamaConfig", "config": {key: value}}}));
        let score = RowScore::of(&row, "rows.jsonl");
        prop_assert_eq!(score.reason.is_some(), score.quantities == Quantities::default());
    }

    #[test]
    fn whatever_bytes_a_file_holds_every_line_is_a_row_an_error_or_empty(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\":,\n19e".to_vec())], 0..200),
    ) {
        let (rows, errors) = score::read("rows.jsonl", &bytes);
        prop_assert!(rows.len() + errors.len() <= bytes.split(|byte| *byte == b'\n').count());
    }
}

const FIELDS: &[&str] = &[
    "id",
    "model",
    "method",
    "weights_dtype",
    "quant",
    "kbit_prepare",
    "autocast",
    "lora",
    "optimizer",
    "checkpointing",
    "attention",
    "sdpa_backend",
    "padding",
    "batch",
    "seq",
    "grad_accum",
    "clip",
    "steps",
    "use_cache",
    "harness",
    "keep_outputs",
    "loss",
    "liger",
    "fp8_compute",
    "gpu",
    "alloc_conf",
    "anything_else",
];
