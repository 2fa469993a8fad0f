//! Scripts and configurations: what is written is read back as the same scenario, Python compiles, and every name is one
//! that the trainer knows.

#![allow(clippy::unwrap_used)]

use plimsoll::export::{Source, Target, import, script};
use plimsoll::scenario::{
    AdapterDtype, Attention, Autocast, Checkpointing, Harness, Method, ModelRef, Optimizer, Scenario, Stack,
    Targets, WeightFormat,
};
use proptest::prelude::*;
use std::io::Write;
use std::process::Command;

const READABLE: [Target; 5] = [
    Target::Axolotl,
    Target::LlamaFactory,
    Target::Transformers,
    Target::Trl,
    Target::Unsloth,
];

prop_compose! {
    fn a_scenario()(
        (stack, method) in (prop::sample::select(Stack::ALL.to_vec()), prop::sample::select(Method::ALL.to_vec())),
        weights in prop::sample::select(WeightFormat::ALL.to_vec()),
        autocast in prop::sample::select(Autocast::ALL.to_vec()),
        model in prop::sample::select(vec!["meta-llama/Llama-3.1-8B", "Qwen/Qwen3-8B", "google/gemma-3-1b-it"]),
        (batch, seq, grad_accum, rank) in (1u64..64, 1u64..100_000, 1u64..64, 1u64..512),
        (alpha, dropout) in (1u32..4096, 0u32..100),
        optimizer in prop::sample::select(Optimizer::ALL.to_vec()),
        checkpointing in prop::sample::select(Checkpointing::ALL.to_vec()),
        (eager, base, padding, clip, liger) in any::<(bool, bool, bool, bool, bool)>(),
        (expandable, dora, rslora, kbit, modules) in any::<(bool, bool, bool, bool, bool)>(),
        (targets, gpu) in (0usize..3, prop::sample::select(vec![None, Some("h100-80gb-sxm"), Some("t4")])),
    ) -> Scenario {
        let mut run = Scenario::for_stack(stack, method);
        run.set_weights(weights);
        run.model = ModelRef::Catalog(model.into());
        (run.batch, run.seq, run.grad_accum, run.lora.rank) = (batch, seq, grad_accum, rank);
        (run.lora.alpha, run.lora.dropout) = (f64::from(alpha) / 4.0, f64::from(dropout) / 100.0);
        (run.autocast, run.optimizer, run.gpu) = (autocast, optimizer, gpu.map(Into::into));
        if checkpointing != Checkpointing::Unsloth || stack == Stack::Unsloth {
            run.checkpointing = checkpointing;
        }
        if eager {
            run.attention = Attention::Eager;
        }
        if base {
            run.lora.adapter_dtype = AdapterDtype::Base;
        }
        (run.padding, run.clip, run.liger, run.expandable_segments) = (padding, clip, liger, expandable);
        (run.lora.use_dora, run.lora.use_rslora, run.prepare_kbit) = (dora, rslora, kbit);
        run.harness = if clip { Harness::Trainer } else { Harness::Loop };
        if modules {
            run.lora.modules_to_save = vec!["embed_tokens".into(), "lm_head".into()];
        }
        run.lora.targets = match targets {
            0 => Targets::all_linear(),
            1 => Targets::Modules(vec!["q_proj".into()]),
            _ => Targets::Modules(vec!["v_proj".into(), "down_proj".into()]),
        };
        run
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back_as_the_scenario_that_it_runs(run in a_scenario()) {
        prop_assume!(run.problems().is_empty());
        for target in READABLE {
            // Refused with the reason: the trainer runs nothing like it.
            let Ok(written) = script(&run, target) else { continue };
            prop_assert_eq!(written.runs.problems(), [], "{} of {}", target, run.to_fragment());
            let read = import(&written.text).unwrap();
            prop_assert_eq!(&read.problems, &[], "{}:\n{}", target, &written.text);
            prop_assert_eq!(&read.unknown, &[], "{}:\n{}", target, &written.text);
            prop_assert_eq!(written.runs.differences(&read.scenario), [], "{}:\n{}", target, &written.text);
            prop_assert_eq!(&read.scenario, &written.runs);
            // What a trainer runs, it runs as it is.
            let again = script(&written.runs, target).unwrap();
            prop_assert_eq!(again.differences, [], "{}", target);
        }
    }

    #[test]
    fn no_text_is_too_hostile_to_be_read(text in "[a-z_]{0,8}[=:]?[ \\[{\"'#\n]{0,3}.{0,40}") {
        let _ = import(&text);
        let _ = import(&format!("base_model: x\n{text}"));
        let _ = import(&format!("import x\n{text}"));
        let _ = import(&format!("{{\"r\": 1, {text}"));
    }
}

#[test]
fn a_model_outside_the_catalog_travels_in_the_comment() {
    let mut config = Scenario::default().model.config().unwrap().into_owned();
    config.num_hidden_layers = 7;
    let run = Scenario {
        model: ModelRef::Config(Box::new(config)),
        ..Scenario::default()
    };
    for target in READABLE {
        let written = script(&run, target).unwrap();
        assert_eq!(import(&written.text).unwrap().scenario, written.runs, "{target}");
    }
}

/// Scripts of every Python target over formats, methods and trainers.
fn python_scripts() -> Vec<String> {
    let mut texts = Vec::new();
    for target in [
        Target::Transformers,
        Target::Trl,
        Target::Unsloth,
        Target::Fp8Benchmark,
    ] {
        for &method in Method::ALL {
            for &weights in WeightFormat::ALL {
                let mut run = Scenario::for_stack(Stack::Hf, method);
                run.set_weights(weights);
                run.liger = method == Method::Lora;
                run.expandable_segments = true;
                run.lora.modules_to_save = vec!["lm_head".into()];
                texts.extend(script(&run, target).map(|script| script.text));
            }
        }
    }
    texts.sort();
    texts.dedup();
    texts
}

#[test]
fn python_scripts_compile() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("python3 is not here: scripts are not compiled");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let texts = python_scripts();
    assert!(texts.len() > 20);
    let mut command = Command::new("python3");
    command.args(["-m", "py_compile"]);
    for (number, text) in texts.iter().enumerate() {
        let path = folder.path().join(format!("script_{number}.py"));
        std::fs::File::create(&path)
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        command.arg(path);
    }
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn names(list: &str) -> Vec<String> {
    let text = std::fs::read_to_string(format!("src/export/names/{list}.txt")).unwrap();
    text.lines().skip(1).map(Into::into).collect()
}

/// The keyword arguments of a call, one a line, as the scripts write them.
fn arguments<'a>(text: &'a str, call: &str) -> Vec<&'a str> {
    let Some(start) = text.find(&format!("{call}(\n")) else {
        return Vec::new();
    };
    let lines = text[start..]
        .lines()
        .skip(1)
        .take_while(|line| line.trim() != ")");
    lines
        .filter_map(|line| Some(line.trim().split_once('=')?.0))
        .collect()
}

#[test]
fn python_arguments_are_names_that_the_libraries_know() {
    for (call, lists) in [
        ("TrainingArguments", &["training_arguments"][..]),
        ("SFTConfig", &["sft_config"]),
        ("LoraConfig", &["lora_config"]),
        ("BitsAndBytesConfig", &["bits_and_bytes_config"]),
        ("AutoModelForCausalLM.from_pretrained", &["from_pretrained"]),
        ("FastLanguageModel.from_pretrained", &["unsloth_from_pretrained"]),
        ("FastLanguageModel.get_peft_model", &["unsloth_get_peft_model"]),
    ] {
        let known: Vec<String> = lists.iter().flat_map(|list| names(list)).collect();
        let mut seen = 0;
        for text in python_scripts() {
            for name in arguments(&text, call) {
                assert!(known.iter().any(|own| own == name), "{call} does not know {name}");
                seen += 1;
            }
        }
        assert!(seen > 0, "{call}");
    }
}

#[test]
fn yaml_keys_are_names_that_the_trainers_know() {
    for (target, list) in [
        (Target::Axolotl, "axolotl"),
        (Target::LlamaFactory, "llama_factory"),
    ] {
        let known = names(list);
        for &method in Method::ALL {
            let mut run = Scenario::for_stack(Stack::Hf, method);
            run.liger = true;
            (run.lora.use_dora, run.lora.use_rslora) = (true, true);
            run.lora.adapter_dtype = AdapterDtype::Base;
            run.lora.modules_to_save = vec!["lm_head".into()];
            let text = script(&run, target).unwrap().text;
            let keys = text
                .lines()
                .filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()));
            for key in keys.map(|line| line.split(':').next().unwrap()) {
                assert!(known.iter().any(|own| own == key), "{target} does not know {key}");
            }
        }
    }
}

#[test]
fn a_sky_task_rents_a_card_that_fits_and_holds_the_script() {
    let written = script(&Scenario::default(), Target::SkyPilot).unwrap();
    assert!(written.text.contains("\n  accelerators: "), "{}", written.text);
    assert!(
        written.text.contains("\n  from transformers import "),
        "{}",
        written.text
    );
    let estimate = plimsoll::estimate::estimate(&written.runs).unwrap();
    assert_eq!(estimate.verdict, Some(plimsoll::estimate::Verdict::Fits));
}

#[test]
fn fp8_is_not_measured_on_a_card_without_it() {
    let run = Scenario {
        gpu: Some("t4".into()),
        ..Scenario::default()
    };
    assert_eq!(
        script(&run, Target::Fp8Benchmark).unwrap_err(),
        "FP8 products need compute capability 8.9 (Ada, Hopper or newer); this card has 7.5"
    );
}

#[track_caller]
fn remarks(text: &str) -> Vec<String> {
    let read = import(text).unwrap();
    let remarks = read.problems.iter().chain(&read.unknown);
    remarks.map(ToString::to_string).collect()
}

#[test]
fn contradictions_unknown_keys_and_unknown_models_are_named_with_their_line() {
    assert_eq!(
        remarks(
            "base_model: Qwen/Qwen3-8B\nadapter: qlora\nload_in_4bit: true\nload_in_8bit: true\nbf16: true\nfp16: true\n"
        ),
        [
            "line 6: fp16: contradicts the precision set on line 5; the first counts",
            "line 4: load_in_8bit: contradicts 4-bit loading on line 3, which counts",
        ]
    );
    assert_eq!(
        remarks(
            "model_name_or_path: Qwen/Qwen4-8B\nfinetuning_type: freeze\ncutof_len: 8\ncutoff_len: many\n"
        ),
        [
            "line 1: model_name_or_path: 'Qwen/Qwen4-8B' is not in the catalog; nearest are Qwen/Qwen3-8B, Qwen/Qwen3-4B, Qwen/Qwen3-14B",
            "line 2: finetuning_type: fine-tuning of type \"freeze\" is not modelled",
            "line 4: cutoff_len: 'many' is not a whole number between 1 and 4194304",
            "line 3: cutof_len: is no key of a LLaMA-Factory configuration; did you mean 'cutoff_len'?",
        ]
    );
    assert_eq!(
        remarks("base_model: Qwen/Qwen3-8B\ndeepspeed: zero3.json\nlora_mlp_kernel: true\n"),
        [
            "line 2: deepspeed: more than one GPU is not modelled",
            "line 3: lora_mlp_kernel: is not modelled; the run takes less than estimated, or otherwise",
        ]
    );
}

#[test]
fn text_that_is_no_configuration_is_refused() {
    assert_eq!(
        import("a: 1\n").unwrap_err(),
        "is neither an Axolotl configuration (no base_model) nor one for LLaMA-Factory (no model_name_or_path)"
    );
    assert_eq!(import("").unwrap_err(), "is empty");
    assert!(import("base_model: [\n").unwrap_err().starts_with("line "));
    assert!(import("{\"r\": ").unwrap_err().starts_with("line 1: not JSON: "));
}

#[test]
fn keyword_arguments_and_saved_files_are_read() {
    let read =
        import("per_device_train_batch_size=4,\nr=32,\ntarget_modules=[\"q_proj\"],\nbf16=True,\n").unwrap();
    assert_eq!(read.source, Source::Transformers);
    assert_eq!((read.scenario.batch, read.scenario.lora.rank), (4, 32));
    let notebook = "from unsloth import FastLanguageModel\nmodel, tokenizer = FastLanguageModel.from_pretrained(\n    \
                    model_name = \"unsloth/Meta-Llama-3.1-8B\", max_seq_length = 2048, load_in_4bit = True,\n)\n\
                    model = FastLanguageModel.get_peft_model(model, r = 16, lora_alpha = 16, \
                    use_gradient_checkpointing = \"unsloth\")\n";
    let read = import(notebook).unwrap();
    let run = &read.scenario;
    assert_eq!(read.source, Source::Unsloth);
    assert_eq!(
        (run.stack, run.method, run.weights),
        (Stack::Unsloth, Method::Qlora, WeightFormat::Dynamic4bit)
    );
    assert_eq!(run.model, ModelRef::Catalog("meta-llama/Llama-3.1-8B".into()));
    let saved = "{\n  \"peft_type\": \"LORA\",\n  \"r\": 8,\n  \"base_model_name_or_path\": \"Qwen/Qwen3-8B\",\n  \"lora_alpha\": 16,\n  \"target_modules\": [\"q_proj\", \"v_proj\"]\n}";
    let read = import(saved).unwrap();
    assert_eq!((read.source, read.scenario.lora.rank), (Source::Json, 8));
    assert_eq!(read.problems, []);
    assert_eq!(read.assumptions, ["no card is named: GeForce RTX 4090 is taken"]);
}

#[test]
fn a_published_axolotl_example_is_read_with_nothing_unknown() {
    let text = "base_model: NousResearch/Meta-Llama-3-8B\nmodel_type: AutoModelForCausalLM\nload_in_8bit: false\nload_in_4bit: true\n\
                datasets:\n  - path: aaditya/alpaca_subset_1\n    type: alpaca\ndataset_prepared_path:\nval_set_size: 0\nadapter: qlora\n\
                sequence_len: 4096\nsample_packing: true\nlora_r: 32\nlora_alpha: 16\nlora_dropout: 0.05\nlora_target_linear: true\n\
                gradient_accumulation_steps: 4\nmicro_batch_size: 2\nnum_epochs: 4\noptimizer: paged_adamw_32bit\nlr_scheduler: cosine\n\
                learning_rate: 0.0002\nbf16: auto\ntf32: false\ngradient_checkpointing: true\nattn_implementation: flash_attention_2\n\
                special_tokens:\n  pad_token: \"<|end_of_text|>\"\n";
    let read = import(text).unwrap();
    assert_eq!(read.unknown, []);
    let run = &read.scenario;
    assert_eq!(
        (run.method, run.weights, run.batch, run.seq),
        (Method::Qlora, WeightFormat::Nf4Dq, 2, 4096)
    );
    assert_eq!(
        (run.optimizer, run.checkpointing),
        (Optimizer::PagedAdamw32bit, Checkpointing::Hf)
    );
    assert!(!run.padding && run.expandable_segments);
    assert_eq!(read.problems, []);
    let notes: Vec<_> = read.notes.iter().map(|note| note.key.as_str()).collect();
    assert_eq!(notes, ["base_model"]);
    assert_eq!(run.attention, Attention::FlashAttention2);
    assert_eq!(run.model, ModelRef::Catalog("meta-llama/Meta-Llama-3-8B".into()));
}
