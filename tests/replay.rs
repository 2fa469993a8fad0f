//! The two ways of computing a peak agree to the byte: segments of one step over representative layers, and the full
//! list of events of two steps over all layers.

use plimsoll::estimate::{grid, peak_allocated};
use plimsoll::model::HfConfig;
use plimsoll::plan::Plan;
use plimsoll::replay::allocator::serve::{Served, serve};
use plimsoll::replay::allocator::trials::Trials;
use plimsoll::replay::{Event, Recording, Turns, segment};
use plimsoll::scenario::{
    AdapterDtype, Attention, Autocast, BaseDtype, Checkpointing, Float8, Harness, Loader, Lora, Method,
    ModelRef, Optimizer, Release, Scenario, SdpaBackend, Stack, Targets, Transformers, WeightFormat,
};
use plimsoll::score;
use plimsoll::stack::{Detail, hf, peak, record, turns, unsloth};
use proptest::prelude::*;

#[track_caller]
fn both_ways_agree(scenario: &Scenario) {
    if let Ok(plan) = Plan::new(scenario) {
        let full = segment::peak(&record(&plan, Detail::Full));
        assert_eq!(peak(&plan), full, "{}", scenario.to_fragment());
    }
}

#[track_caller]
fn both_lists_agree(scenario: &Scenario) {
    if let Ok(plan) = Plan::new(scenario) {
        let (full, expanded) = (record(&plan, Detail::Full), turns(&plan).list());
        // What is dropped at one time is dropped in any order.
        let sorted = |recording: &Recording| {
            let mut events = recording.events.clone();
            let both_free = |a: &Event, b: &Event| matches!((a, b), (Event::Free(_), Event::Free(_)));
            events.chunk_by_mut(both_free).for_each(|run| {
                run.sort_by_key(|e| match *e {
                    Event::Free(i) => i,
                    _ => 0,
                })
            });
            events
        };
        assert!(sorted(&full) == sorted(&expanded), "{}", scenario.to_fragment());
        assert!(full.allocs == expanded.allocs, "{}", scenario.to_fragment());
    }
}

/// What serving came to, without where in the list it was.
fn figures(served: &Served) -> impl PartialEq + std::fmt::Debug + use<> {
    let allocated = (served.peak_allocated, served.highest_allocated);
    let reserved = (served.peak_reserved, served.highest_reserved);
    let live = served.highest.as_ref().map(|highest| highest.live);
    (allocated, reserved, live, served.phases.clone())
}

#[test]
fn segments_and_the_full_list_agree_on_every_measured_run() {
    let rows = include_bytes!("fixtures/oracle/rows.jsonl");
    for row in score::read("rows", rows).0 {
        if let Ok(scenario) = row.scenario {
            both_ways_agree(&scenario);
            both_lists_agree(&scenario);
        }
    }
}

/// Chunks of linear attention that are alike are folded; gradients that are kept show a byte that is lost there.
#[test]
fn segments_and_the_full_list_agree_on_every_measured_run_of_recurrent_layers() {
    let rows = include_bytes!("fixtures/oracle/recurrent.jsonl");
    for row in score::read("rows", rows).0 {
        if let Ok(scenario) = row.scenario {
            for seq in [scenario.seq, 256, 257, 321, 700] {
                let run = Scenario {
                    seq,
                    grad_accum: 2,
                    ..scenario.clone()
                };
                both_ways_agree(&run);
            }
            both_lists_agree(&scenario);
        }
    }
}

/// One model type of each family, and some that differ by what their configuration implies.
const MODEL_TYPES: [&str; 44] = [
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma",
    "gemma2",
    "gemma3_text",
    "gemma3n_text",
    "gemma4_text",
    "gemma4_unified_text",
    "phi3",
    "granite",
    "olmo2",
    "olmo3",
    "exaone4",
    "smollm3",
    "hunyuan_v1_dense",
    "ministral3",
    "starcoder2",
    "phi",
    "glm",
    "glm4",
    "cohere",
    "cohere2",
    "qwen3_moe",
    "mixtral",
    "gpt_oss",
    "qwen2_moe",
    "olmoe",
    "glm4_moe",
    "deepseek_v2",
    "deepseek_v3",
    "glm4_moe_lite",
    "llama4_text",
    "mistral4",
    "apertus",
    "mllama",
    "minimax_m2",
    "seed_oss",
    "granitemoehybrid",
    "qwen3_5",
    "qwen3_5_moe",
    "qwen3_next",
    "lfm2",
];

fn config() -> impl Strategy<Value = HfConfig> {
    (
        prop::sample::select(MODEL_TYPES.to_vec()),
        1..20u64,
        prop::sample::select(vec![(4u64, 1u64), (4, 2), (8, 8), (6, 2)]),
        prop::sample::select(vec![32u64, 64, 80, 128]),
        1..20u64,
        500..9000u64,
        any::<bool>(),
        prop_oneof![Just(None), (1..1500u64).prop_map(Some)],
        (1..33u64, 1..9u64, any::<bool>(), 1..4u64),
    )
        .prop_map(
            |(
                model_type,
                layers,
                (heads, kv_heads),
                head_dim,
                width,
                vocab,
                tied,
                sliding_window,
                experts,
            )| {
                HfConfig {
                    model_type: model_type.into(),
                    vocab_size: vocab,
                    hidden_size: heads * 48,
                    intermediate_size: width * 104,
                    num_hidden_layers: layers,
                    num_attention_heads: heads,
                    num_key_value_heads: Some(kv_heads),
                    head_dim: Some(head_dim),
                    tie_word_embeddings: tied,
                    sliding_window,
                    num_experts: Some(experts.0),
                    num_local_experts: Some(if model_type == "granitemoehybrid" {
                        0
                    } else {
                        experts.0
                    }),
                    n_routed_experts: Some(experts.0),
                    n_group: Some(1 + experts.0 % 2),
                    first_k_dense_replace: Some(experts.3 - 1),
                    num_experts_per_tok: Some(experts.1.min(experts.0)),
                    norm_topk_prob: Some(experts.2),
                    decoder_sparse_step: Some(experts.3),
                    moe_intermediate_size: Some(width * 24),
                    shared_expert_intermediate_size: Some(width * 16),
                    q_lora_rank: experts.2.then_some(width * 8),
                    kv_lora_rank: Some(width * 16),
                    qk_nope_head_dim: Some(head_dim),
                    qk_rope_head_dim: Some(16),
                    v_head_dim: Some(64),
                    topk_group: Some(1),
                    // Half of these models have what the large ones of the family have, half what the small ones have.
                    enable_moe_block: (model_type == "gemma4_text").then_some(experts.2),
                    top_k_experts: Some(experts.1.min(experts.0)),
                    global_head_dim: Some(2 * head_dim),
                    num_global_key_value_heads: Some(1),
                    attention_k_eq_v: Some(experts.2),
                    num_kv_shared_layers: (model_type == "gemma3n_text"
                        || model_type == "gemma4_text" && !experts.2)
                        .then_some(experts.3),
                    use_double_wide_mlp: Some(tied),
                    hidden_size_per_layer_input: (model_type == "gemma3n_text"
                        || model_type == "gemma4_text" && !experts.2)
                        .then_some(width * 8),
                    final_logit_softcapping: tied.then_some(30.0),
                    attention_chunk_size: sliding_window,
                    interleave_moe_layer_step: Some(experts.3),
                    cross_attention_layers: (model_type == "mllama")
                        .then(|| (experts.3..layers).step_by(4).collect()),
                    full_attention_layers: (model_type == "granitemoehybrid").then_some(layers),
                    full_attention_interval: Some(experts.3),
                    full_attn_idxs: Some(vec![experts.3, experts.3 + 2, layers - 1]),
                    linear_num_key_heads: Some(kv_heads),
                    linear_num_value_heads: Some(kv_heads * experts.3),
                    linear_key_head_dim: Some(head_dim / 2),
                    linear_value_head_dim: Some(width * 4),
                    ..HfConfig::default()
                }
            },
        )
}

/// Lists that make some layers unlike others, or all alike in another way.
const SKIP_MODULES: &[&[&str]] = &[
    &[],
    &["model.layers.1.mlp"],
    &["down_proj"],
    &["layers.2", "layers.0.self_attn"],
];

fn one_of<T: Clone + std::fmt::Debug + 'static>(values: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(values)
}

prop_compose! {
    fn scenario()(
        config in config(),
        (method, weights, prepare_kbit) in prop_oneof![
            Just((Method::Full, WeightFormat::Bf16, false)),
            Just((Method::Full, WeightFormat::Fp32, false)),
            Just((Method::Lora, WeightFormat::Bf16, false)),
            Just((Method::Lora, WeightFormat::Fp16, false)),
            Just((Method::Qlora, WeightFormat::Nf4, true)),
            Just((Method::Lora, WeightFormat::Int8, true)),
            Just((Method::Qlora, WeightFormat::Nf4Dq, true)),
            Just((Method::Qlora, WeightFormat::Nf4Dq, false)),
            Just((Method::Lora, WeightFormat::Fp8, false)),
        ],
        (skip_modules, dtype) in (one_of(SKIP_MODULES), one_of(BaseDtype::ALL)),
        autocast in one_of(Autocast::ALL),
        (rank, alpha, use_dora) in (1..70u64, one_of(&[16.0, 32.0]), prop::bool::weighted(0.2)),
        dropout in one_of(&[0.0, 0.1]),
        targets in prop_oneof![
            Just(Targets::all_linear()),
            Just(Targets::Modules(vec!["q_proj".into(), "v_proj".into()])),
            Just(Targets::Modules(vec!["down_proj".into()])),
            Just(Targets::Modules(vec!["out_proj".into(), "in_proj_a".into(), "w2".into()])),
            Just(Targets::Modules(vec!["gate".into(), "o_proj".into()])),
            Just(Targets::Modules(vec!["gate_proj".into(), "up_proj".into()])),
        ],
        adapter_dtype in one_of(AdapterDtype::ALL),
        (batch, seq, grad_accum) in (1..5u64, prop_oneof![1..1500u64, (1..90u64).prop_map(|n| n * 16)], 1..4u64),
        optimizer in one_of(Optimizer::ALL),
        checkpointing in one_of(&[Checkpointing::None, Checkpointing::Hf, Checkpointing::HfReentrant]),
        attention in one_of(Attention::ALL),
        sdpa_backend in one_of(SdpaBackend::ALL),
        (clip, keep_outputs, padding, use_cache, liger) in any::<(bool, bool, bool, bool, bool)>(),
        modules_to_save in prop::sample::subsequence(vec!["embed_tokens".to_string(), "lm_head".into()], 0..=2),
        harness in one_of(Harness::ALL),
        transformers in one_of(Transformers::ALL),
        (capability, float8) in (one_of(&["7.5", "8.0", "8.9", "9.0"]), one_of(&[Float8::Off, Float8::Off, Float8::Tensorwise])),
    ) -> Scenario {
        Scenario {
            model: ModelRef::Config(Box::new(config)),
            gpu: None,
            method,
            weights,
            skip_modules: skip_modules.iter().map(ToString::to_string).collect(),
            dtype: if weights.is_quantized() { dtype } else { BaseDtype::Auto },
            prepare_kbit,
            autocast,
            lora: Lora { rank, alpha, use_dora, dropout, targets, adapter_dtype, modules_to_save, ..Lora::default() },
            batch,
            seq,
            grad_accum,
            optimizer,
            checkpointing,
            attention,
            sdpa_backend,
            clip,
            keep_outputs,
            padding,
            use_cache,
            liger,
            harness,
            transformers,
            float8,
            compute_capability: Some(capability.into()),
            ..Scenario::default()
        }
    }
}

prop_compose! {
    fn unsloth_scenario()(
        config in config(),
        model_type in one_of(&["llama", "mistral", "qwen2", "qwen3", "gemma3_text"]),
        loader in one_of(Loader::ALL),
        release in one_of(Release::ALL),
        max_positions in one_of(&[512u64, 8192, 40_960]),
        (method, weights) in prop_oneof![
            Just((Method::Qlora, WeightFormat::Nf4Dq)),
            Just((Method::Lora, WeightFormat::Bf16)),
            Just((Method::Lora, WeightFormat::Fp8Dynamic)),
            Just((Method::Full, WeightFormat::Bf16)),
        ],
        rank in 1..70u64,
        dropout in one_of(&[0.0, 0.1]),
        targets in prop_oneof![
            Just(Targets::all_linear()),
            Just(Targets::Modules(vec!["q_proj".into(), "v_proj".into()])),
            Just(Targets::Modules(vec!["down_proj".into()])),
            Just(Targets::Modules(vec!["q_proj".into(), "k_proj".into(), "v_proj".into(), "o_proj".into()])),
        ],
        (batch, documents, document, grad_accum) in (1..5u64, 1..4u64, 1..3000u64, 1..4u64),
        optimizer in one_of(&[
            Optimizer::Adamw8bit, Optimizer::PagedAdamw8bit, Optimizer::AdamwTorch, Optimizer::AdamwTorchFused,
        ]),
        checkpointing in one_of(&[Checkpointing::None, Checkpointing::HfReentrant, Checkpointing::Unsloth]),
        (clip, padded) in any::<(bool, bool)>(),
        (capability, memory_gib) in one_of(&[("7.5", 15.0), ("8.9", 23.5), ("9.0", 79.0)]),
    ) -> Scenario {
        let defaults = Scenario::for_stack(Stack::Unsloth, method);
        let config = HfConfig {
            model_type: model_type.into(),
            max_position_embeddings: Some(max_positions),
            sliding_window: None,
            ..config
        };
        Scenario {
            model: ModelRef::Config(Box::new(config)),
            gpu: None,
            weights,
            lora: Lora { rank, dropout, targets, ..defaults.lora },
            batch,
            seq: documents * document,
            packing: if padded { 1 } else { documents },
            padding_free: !padded,
            grad_accum,
            optimizer,
            checkpointing,
            loader,
            release,
            clip,
            compute_capability: Some(capability.into()),
            memory_gib: Some(memory_gib),
            ..defaults
        }
    }
}

/// `PROPTEST_CASES` or a number that takes a few seconds.
fn cases() -> u32 {
    let given = std::env::var("PROPTEST_CASES").ok();
    given.and_then(|cases| cases.parse().ok()).unwrap_or(600)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn segments_and_the_full_list_agree_on_any_run(scenario in scenario()) {
        both_ways_agree(&scenario);
    }

    #[test]
    fn a_list_from_one_layer_of_each_kind_is_the_list_of_every_layer(scenario in scenario()) {
        both_lists_agree(&scenario);
    }

    #[test]
    fn a_grid_says_what_single_peaks_say(
        scenario in scenario(),
        seqs in prop::collection::vec(prop_oneof![1..3000u64, (1..24u64).prop_map(|n| n * 128)], 1..3),
        batches in prop_oneof![
            prop::collection::vec(1..6u64, 1..4),
            // Long enough that few of them are replayed.
            (1..40u64, 4..14u64, 1..5u64).prop_map(|(first, n, by)| (0..n).map(|i| first + i * by).collect()),
        ],
    ) {
        let Ok(rows) = grid(&scenario, &seqs, &batches) else {
            prop_assert!(peak_allocated(&scenario).is_err());
            return Ok(());
        };
        for (row, &batch) in rows.iter().zip(&batches) {
            for (&cell, &seq) in row.iter().zip(&seqs) {
                let run = Scenario { batch, seq, ..scenario.clone() };
                prop_assert_eq!(cell, peak_allocated(&run).ok(), "{}", run.to_fragment());
            }
        }
    }

    #[test]
    fn trials_say_what_serving_with_that_much_memory_says(
        scenario in scenario(),
        expandable_segments in any::<bool>(),
        parts in prop::collection::vec(0..64u64, 1..12),
    ) {
        let scenario = Scenario { expandable_segments, ..scenario };
        if let Ok(plan) = Plan::new(&scenario) {
            let turns = turns(&plan);
            let served = serve(&turns, None).unwrap();
            let listed = serve(&Turns::once(turns.list()), None).unwrap();
            prop_assert_eq!(figures(&served), figures(&listed));
            let mut trials = Trials::new(&turns, &served);
            // As a bisection goes: above what failed, below what worked.
            let (mut fails, mut works) = (served.highest_allocated, served.highest_reserved);
            for part in parts {
                let capacity = fails + (works - fails) * part / 64;
                let gets_through = trials.gets_through(capacity);
                prop_assert_eq!(gets_through, serve(&turns, Some(capacity)).is_ok());
                if gets_through { works = capacity } else { fails = capacity }
            }
        }
    }

    #[test]
    fn segments_and_the_full_list_agree_on_any_run_of_unsloth(scenario in unsloth_scenario()) {
        both_ways_agree(&scenario);
        both_lists_agree(&scenario);
    }
}

#[test]
fn the_default_list_follows_from_one_layer_of_each_kind() {
    // Adapters of experts are made in a second way through the layers, right behind the first; and layers of two sets of
    // parts take turns.
    for model in [
        "meta-llama/Llama-3.1-8B",
        "Qwen/Qwen3-30B-A3B",
        "Qwen/Qwen3.5-0.8B",
    ] {
        let scenario = Scenario {
            model: ModelRef::Catalog(model.into()),
            ..Scenario::default()
        };
        both_lists_agree(&scenario);
        assert!(hf::turns(&Plan::new(&scenario).unwrap()).is_some(), "{model}");
    }
    let mut scenario = Scenario::default();
    scenario.set_stack(Stack::Unsloth);
    assert!(unsloth::turns(&Plan::new(&scenario).unwrap()).is_some());
}
