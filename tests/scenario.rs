//! Properties of the scenario and its faces.

use plimsoll::catalog;
use plimsoll::model::HfConfig;
use plimsoll::scenario::{
    AdapterDtype, Attention, Autocast, BaseDtype, Checkpointing, Float8, Harness, Loader, Lora, Method,
    ModelRef, Objective, Optimizer, Qat, Release, Scenario, SdpaBackend, Stack, Targets, Transformers,
    WeightFormat,
};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

fn model() -> impl Strategy<Value = ModelRef> {
    let ids: Vec<_> = catalog::models().iter().map(|model| model.id.clone()).collect();
    let configs: Vec<_> = catalog::models()
        .iter()
        .map(|model| model.config.clone())
        .collect();
    prop_oneof![
        3 => select(ids).prop_map(ModelRef::Catalog),
        1 => select(configs).prop_map(|config| ModelRef::Config(Box::new(config))),
        1 => dimensions().prop_map(|config| ModelRef::Config(Box::new(config))),
    ]
}

/// A small Llama-like architecture of arbitrary dimensions.
fn dimensions() -> impl Strategy<Value = HfConfig> {
    let sizes = (
        1..64_u64,
        1..8_u64,
        1..5_u32,
        1..65_536_u64,
        1..100_u64,
        1..200_000_u64,
    );
    let choices = (
        any::<bool>(),
        option::of(any::<bool>()),
        option::of(1..100_000_u64),
        option::of(0.01..1.0_f64),
    );
    (sizes, choices).prop_map(
        |((head, groups, kv, mlp, layers, vocab), (tied, bias, window, rotary))| HfConfig {
            model_type: "llama".into(),
            vocab_size: vocab,
            hidden_size: 2 * head * groups * u64::from(kv),
            intermediate_size: mlp,
            num_hidden_layers: layers,
            num_attention_heads: groups * u64::from(kv),
            num_key_value_heads: Some(kv.into()),
            tie_word_embeddings: tied,
            attention_bias: bias,
            sliding_window: window,
            partial_rotary_factor: rotary,
            ..HfConfig::default()
        },
    )
}

/// Numbers are read exactly to fifteen digits; nobody writes more.
fn to_fifteen_digits(run: &mut Scenario) {
    let short = |value: f64| (value * 1e6).round() / 1e6;
    run.lora.alpha = short(run.lora.alpha);
    run.lora.dropout = short(run.lora.dropout);
    if let ModelRef::Config(config) = &mut run.model {
        config.partial_rotary_factor = config.partial_rotary_factor.map(short);
    }
}

fn lora() -> impl Strategy<Value = Lora> {
    let modules = vec![
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    ];
    let targets = prop_oneof![
        Just(Targets::all_linear()),
        subsequence(modules, 1..7)
            .prop_map(|names| Targets::Modules(names.into_iter().map(Into::into).collect())),
    ];
    let saved = subsequence(vec!["embed_tokens", "lm_head", "norm"], 0..3);
    let numbers = (1..65_536_u64, -1e6..1e6_f64, 0.0..1.0_f64);
    let choices = (any::<bool>(), any::<bool>(), select(AdapterDtype::ALL));
    (numbers, targets, saved, choices).prop_map(
        |((rank, alpha, dropout), targets, saved, (dora, rslora, dtype))| Lora {
            rank,
            alpha,
            dropout,
            targets,
            use_dora: dora,
            use_rslora: rslora,
            modules_to_save: saved.into_iter().map(Into::into).collect(),
            adapter_dtype: dtype,
        },
    )
}

/// Sound scenarios.
fn scenario() -> impl Strategy<Value = Scenario> {
    let slugs: Vec<_> = catalog::gpus().iter().map(|gpu| gpu.slug.clone()).collect();
    let what = (
        model(),
        option::of(select(slugs)),
        select(Stack::ALL),
        select(Method::ALL),
        lora(),
    );
    let sizes = (1..256_u64, 1..8192_u64, 1..64_u64);
    let words = (
        (select(WeightFormat::ALL), select(BaseDtype::ALL)),
        select(Autocast::ALL),
        select(Optimizer::ALL),
        select(Checkpointing::ALL),
        select(Attention::ALL),
        select(SdpaBackend::ALL),
        select(Harness::ALL),
        select(Float8::ALL),
        select(vec!["7.5", "8.0", "8.9", "9.0", "12.0"]),
    );
    let flags = prop::array::uniform7(any::<bool>());
    (what, sizes, words, flags).prop_map(|(what, (batch, seq, grad_accum), words, flags)| {
        let (model, gpu, stack, method, lora) = what;
        let (
            (weights, dtype),
            autocast,
            optimizer,
            checkpointing,
            attention,
            sdpa_backend,
            harness,
            float8,
            cc,
        ) = words;
        let [
            prepare_kbit,
            padding,
            clip,
            use_cache,
            keep_outputs,
            liger,
            expandable_segments,
        ] = flags;
        let foreign = checkpointing == Checkpointing::Unsloth && stack != Stack::Unsloth;
        Scenario {
            model,
            compute_capability: gpu.is_none().then(|| cc.to_owned()),
            memory_gib: gpu.is_none().then_some(23.5).filter(|_| keep_outputs),
            gpu,
            stack,
            method,
            weights: if weights.suits(method) {
                weights
            } else {
                WeightFormat::usual(method)
            },
            skip_modules: Vec::new(),
            dtype: if stack == Stack::Hf && weights.suits(method) && weights.is_quantized() {
                dtype
            } else {
                BaseDtype::Auto
            },
            autocast,
            lora,
            prepare_kbit,
            batch,
            seq,
            grad_accum,
            optimizer,
            checkpointing: if foreign { Checkpointing::Hf } else { checkpointing },
            attention,
            sdpa_backend,
            padding,
            padding_free: stack == Stack::Unsloth && liger,
            packing: 1,
            lengths: Vec::new(),
            objective: Objective::Sft,
            loader: if clip {
                Loader::FastModel
            } else {
                Loader::FastLanguageModel
            },
            release: if keep_outputs {
                Release::AllLogits
            } else {
                Release::Current
            },
            qat: if stack == Stack::Unsloth && use_cache {
                Qat::Int4
            } else {
                Qat::Off
            },
            transformers: if padding {
                Transformers::ShiftedLogits
            } else {
                Transformers::Current
            },
            clip,
            use_cache,
            harness,
            keep_outputs,
            liger,
            float8,
            expandable_segments,
        }
    })
}

/// Any text, and texts that look like links.
fn fragment() -> impl Strategy<Value = String> {
    let key = select(vec![
        "v",
        "model",
        "stack",
        "gpu",
        "rank",
        "seq",
        "targets",
        "alpha",
        "config.hidden_size",
        "é",
    ]);
    let key = prop_oneof![key.prop_map(String::from), "config\\.[a-z_.]{0,20}", "\\PC{0,8}"];
    let value = prop_oneof!["\\PC{0,12}", "-?[0-9.e%]{0,24}", "[a-z0-9,./%+-]{0,20}"];
    let pairs = prop::collection::vec((key, value), 0..12).prop_map(|pairs| {
        let pairs: Vec<_> = pairs
            .into_iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        pairs.join("&")
    });
    prop_oneof![any::<String>(), pairs]
}

proptest! {
    #[test]
    fn a_sound_scenario_has_no_problems(run in scenario()) {
        prop_assert_eq!(run.problems(), []);
    }

    #[test]
    fn a_link_gives_back_the_scenario_it_was_made_from(mut run in scenario()) {
        to_fifteen_digits(&mut run);
        let link = run.to_fragment();
        let parsed = Scenario::from_fragment(&link);
        prop_assert_eq!(&parsed.problems, &[], "{}", link);
        prop_assert_eq!(&parsed.notices, &[""; 0], "{}", link);
        prop_assert_eq!(parsed.scenario, run, "{}", link);
    }

    #[test]
    fn json_gives_back_the_scenario_it_was_made_from(mut run in scenario()) {
        to_fifteen_digits(&mut run);
        let text = serde_json::to_string(&run).unwrap();
        let read: Scenario = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(read, run, "{}", text);
    }

    #[test]
    fn any_text_gives_a_scenario_whose_link_is_stable(text in fragment()) {
        let parsed = Scenario::from_fragment(&text);
        parsed.scenario.problems();
        let link = parsed.scenario.to_fragment();
        prop_assert_eq!(Scenario::from_fragment(&link).scenario.to_fragment(), link);
    }

    #[test]
    fn any_json_is_read_or_refused(text in any::<String>(), seq in any::<i128>(), word in any::<String>()) {
        let _ = serde_json::from_str::<Scenario>(&text);
        for object in [
            serde_json::json!({"seq": seq as f64, "model": word}),
            serde_json::json!({"stack": word, "lora": {"targets": [word], "rank": seq as i64}}),
            serde_json::json!({"model": {"hidden_size": seq as u64, word.as_str(): word.as_str()}}),
        ] {
            if let Ok(run) = serde_json::from_value::<Scenario>(object) {
                run.problems();
            }
        }
    }

    #[test]
    fn any_numbers_are_judged_without_a_panic(
        sizes in prop::array::uniform4(any::<u64>()),
        dims in prop::array::uniform8(any::<u64>()),
        reals in prop::array::uniform3(any::<f64>()),
        method in select(Method::ALL),
        small in any::<bool>(),
    ) {
        // Half of the cases keep the numbers small, so that later checks are reached too.
        let cut = |value: u64| if small { value % 5 } else { value };
        let [batch, seq, grad_accum, rank] = sizes.map(cut);
        let [hidden, heads, kv, head, mlp, vocab, layers, experts] = dims.map(cut);
        let run = Scenario {
            model: ModelRef::Config(Box::new(HfConfig {
                model_type: "llama".into(),
                hidden_size: hidden,
                num_attention_heads: heads,
                num_key_value_heads: Some(kv),
                head_dim: Some(head).filter(|head| head % 2 == 0),
                intermediate_size: mlp,
                vocab_size: vocab,
                num_hidden_layers: layers,
                num_experts: Some(experts),
                partial_rotary_factor: Some(reals[2]),
                ..HfConfig::default()
            })),
            lora: Lora { rank, alpha: reals[0], dropout: reals[1], ..Lora::default() },
            batch,
            seq,
            grad_accum,
            ..Scenario::for_stack(Stack::Hf, method)
        };
        let problems = run.problems();
        if problems.is_empty() {
            prop_assert!(run.batch.checked_mul(run.seq).is_some());
        }
    }
}

#[test]
fn the_scenarios_in_examples_and_documents_can_be_read() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = [
        "examples/embed/plain/index.html",
        "examples/embed/mdbook/src/recipe.md",
        "examples/embed/mkdocs/docs/index.md",
        "examples/embed/docusaurus/docs/recipe.mdx",
        "docs/embedding.md",
    ];
    for file in files {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        let scenarios: Vec<_> = text.split("<plimsoll-widget scenario=\"").skip(1).collect();
        assert!(!scenarios.is_empty(), "{file}");
        for scenario in scenarios {
            let link = scenario.split('"').next().unwrap().replace("&amp;", "&");
            let read = Scenario::from_fragment(&link);
            assert_eq!((read.problems, read.notices), (vec![], vec![]), "{file}");
            assert_eq!(read.scenario.problems(), [], "{file}");
        }
    }
}
