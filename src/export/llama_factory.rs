//! LLaMA-Factory 0.9.6 configurations: written and read.

use super::axolotl::attention;
use super::draft::{Draft, Precision, Taken, not_a};
use super::setting::{Line, Setting, line, number, plain};
use super::settle::{self, bitsandbytes_only, fp32_adapters, link, model_name, one_dtype};
use super::{Written, trainer_keys, yaml};
use crate::scenario::{
    Attention, Autocast, Checkpointing, Method, Optimizer, Scenario, Stack, Targets, WeightFormat,
};
use serde_json::{Value, json};

/// What LLaMA-Factory runs of a scenario.
///
/// It does not call `prepare_model_for_kbit_training`, and casts what is trained to fp32 unless `pure_bf16` is set
/// (`model/adapter.py: init_adapter`): adapters always, by PEFT's own default too, and all weights in full fine-tuning.
fn settle(scenario: &Scenario) -> Result<Scenario, String> {
    use WeightFormat::{Bf16, Fp16, Fp32};
    let mut run = settle::common(scenario, Stack::Hf)?;
    bitsandbytes_only(&run, "LLaMA-Factory")?;
    run.prepare_kbit = false;
    run.expandable_segments = false;
    fp32_adapters(&mut run.lora);
    // There is no flag for fp16 throughout.
    if (run.weights, run.autocast) == (Fp16, Autocast::Off) {
        run.autocast = Autocast::Fp16;
    }
    match run.method {
        Method::Full if run.autocast != Autocast::Off => run.weights = Fp32,
        Method::Full if run.weights != Fp32 => run.weights = Bf16,
        Method::Full => {}
        Method::Lora | Method::Qlora => one_dtype(&mut run),
    }
    Ok(run)
}

pub(super) fn write(scenario: &Scenario) -> Result<Written, String> {
    let run = settle(scenario)?;
    let head = "# LLaMA-Factory 0.9.6.dev0 (transformers up to 5.8, PEFT 0.18):\n\
                #   llamafactory-cli train llama_factory.yaml\n";
    let text = format!("{head}{}\n{}", link(&run), yaml::write(&lines(&run)));
    Ok(Written {
        text,
        runs: run,
        notes: Vec::new(),
    })
}

fn lines(run: &Scenario) -> Vec<Line> {
    let mut lines = vec![
        plain("model_name_or_path", model_name(run)),
        plain("stage", "sft"),
        plain("do_train", true),
    ];
    match run.method {
        Method::Full => lines.push(line("finetuning_type", "full", run.method.note())),
        Method::Lora | Method::Qlora => lines.extend(adapter(run)),
    }
    lines.extend(weights(run));
    let on = run.checkpointing != Checkpointing::None;
    lines.push(line(
        "disable_gradient_checkpointing",
        !on,
        run.checkpointing.note(),
    ));
    if on {
        let reentrant = run.checkpointing == Checkpointing::HfReentrant;
        lines.push(plain("use_reentrant_gc", reentrant));
    }
    let attention = match run.attention {
        Attention::Eager => "disabled",
        Attention::Sdpa => "sdpa",
        Attention::FlashAttention2 => "fa2",
    };
    lines.push(line("flash_attn", attention, run.attention.note()));
    lines.push(line(
        "enable_liger_kernel",
        run.liger,
        "true computes the loss without all logits",
    ));
    lines.extend([
        line(
            "cutoff_len",
            run.seq,
            "activations and logits grow with the tokens of a micro-batch",
        ),
        line(
            "packing",
            !run.padding,
            "packed batches hold no padding; a padding mask bars flash kernels",
        ),
    ]);
    lines.extend(trainer_keys::steps(run));
    lines.extend([
        plain("learning_rate", json!(0.0002)),
        plain("lr_scheduler_type", "cosine"),
        plain("num_train_epochs", 1),
        line("dataset", "alpaca_en_demo", "put your own data here"),
        line("template", "default", "the chat template of the model"),
        plain("output_dir", "./outputs"),
    ]);
    lines
}

fn adapter(run: &Scenario) -> Vec<Line> {
    let lora = &run.lora;
    let targets = match &lora.targets {
        Targets::Word(_) => json!("all"),
        Targets::Modules(names) => json!(names.join(",")),
    };
    let mut lines = vec![
        plain("finetuning_type", "lora"),
        line(
            "lora_rank",
            lora.rank,
            "weights, gradients and states of adapters are proportional to the rank",
        ),
        plain("lora_alpha", number(lora.alpha)),
        line(
            "lora_dropout",
            number(lora.dropout),
            "above zero each adapted layer keeps a dropped copy of its input",
        ),
        plain("lora_target", targets),
    ];
    if !lora.modules_to_save.is_empty() {
        lines.push(plain("additional_target", lora.modules_to_save.join(",")));
    }
    if lora.use_dora {
        lines.push(plain("use_dora", true));
    }
    if lora.use_rslora {
        lines.push(plain("use_rslora", true));
    }
    lines
}

fn weights(run: &Scenario) -> Vec<Line> {
    let mut lines = Vec::new();
    if run.weights.is_quantized() {
        let four = run.weights.is_4bit();
        lines.push(line(
            "quantization_bit",
            if four { 4 } else { 8 },
            run.weights.note(),
        ));
        lines.push(plain("quantization_method", "bnb"));
        if four {
            let fp4 = matches!(run.weights, WeightFormat::Fp4 | WeightFormat::Fp4Dq);
            let twice = matches!(run.weights, WeightFormat::Nf4Dq | WeightFormat::Fp4Dq);
            lines.push(plain("quantization_type", if fp4 { "fp4" } else { "nf4" }));
            lines.push(plain("double_quantization", twice));
        }
    }
    match (run.autocast, run.weights) {
        (Autocast::Bf16, _) => lines.push(line("bf16", true, run.autocast.note())),
        (Autocast::Fp16, _) => lines.push(line("fp16", true, run.autocast.note())),
        (Autocast::Off, WeightFormat::Fp32) => {}
        (Autocast::Off, _) => lines.push(line("pure_bf16", true, "trained weights stay in bf16")),
    }
    lines
}

/// A draft at LLaMA-Factory's defaults.
pub(super) fn draft(base: Scenario) -> Draft {
    let mut draft = Draft::new(Scenario {
        prepare_kbit: false,
        expandable_segments: false,
        padding: true,
        batch: 8,
        grad_accum: 1,
        seq: 2048,
        optimizer: Optimizer::AdamwTorchFused,
        ..base
    });
    draft.run.lora.rank = 8;
    draft.double_quant = true;
    (draft.checkpointing, draft.reentrant) = (true, true);
    draft
}

pub(super) fn read(draft: &mut Draft, setting: &Setting) -> Taken {
    let value = &setting.value;
    let unsupported = |what: &str| Taken::Problem(format!("{what} is not modelled"));
    match setting.key.as_str() {
        "model_name_or_path" => draft.model(value),
        "stage" if !matches!(value.as_str(), Some("sft" | "pt")) => {
            unsupported(&format!("the stage {value}"))
        }
        "stage" => Taken::Yes,
        "finetuning_type" => match value.as_str() {
            Some("lora") => Taken::Yes,
            Some("full") => {
                draft.full = true;
                Taken::Yes
            }
            _ => unsupported(&format!("fine-tuning of type {value}")),
        },
        "lora_rank" => draft.set("rank", value),
        "lora_target" => draft.targets(value, "all"),
        "additional_target" => draft.set("modules_to_save", value),
        "quantization_bit" => match value.as_i64() {
            Some(4) => draft.bits(&on(setting), true),
            Some(8) => draft.bits(&on(setting), false),
            None if value.is_null() => Taken::NoMatter,
            _ => unsupported(&format!("a base of {value} bits")),
        },
        "quantization_method" if *value != "bnb" => unsupported(&format!("quantization by {value}")),
        "quantization_method" => Taken::Yes,
        "quantization_type" => {
            draft.fp4 = *value == "fp4";
            Taken::Yes
        }
        "double_quantization" => Draft::flag(&mut draft.double_quant, value),
        "pure_bf16" => draft.precise(setting, Precision::PureBf16),
        "disable_gradient_checkpointing" => match value {
            Value::Bool(off) => {
                draft.checkpointing = !off;
                Taken::Yes
            }
            _ => not_a("truth value"),
        },
        "use_reentrant_gc" => Draft::flag(&mut draft.reentrant, value),
        "flash_attn" => match value.as_str() {
            Some("disabled") => attention(draft, "eager"),
            Some("auto" | "sdpa") => attention(draft, "sdpa"),
            Some("fa2") => attention(draft, "flash_attention_2"),
            Some("fa3") => attention(draft, "flash_attention_3"),
            // A plain `disabled` is a word; `off` is YAML's false.
            _ => unsupported(&format!("attention by {value}")),
        },
        "enable_liger_kernel" => draft.set("liger", value),
        "cutoff_len" => draft.set("seq", value),
        "packing" => match value {
            Value::Bool(packed) => draft.set("padding", &(!packed).into()),
            Value::Null => Taken::NoMatter,
            _ => not_a("truth value"),
        },
        "use_unsloth"
        | "use_unsloth_gc"
        | "use_galore"
        | "use_apollo"
        | "use_badam"
        | "fp8"
        | "upcast_layernorm"
        | "upcast_lmhead_output"
        | "shift_attn"
            if *value == true =>
        {
            unsupported("this setting")
        }
        "use_dora" | "use_rslora" | "lora_alpha" | "lora_dropout" => super::lora_keys::read(draft, setting),
        // LLaMA-Factory checkpoints by its own keys.
        "gradient_checkpointing" => Taken::NoMatter,
        _ => trainer_keys::read(draft, setting),
    }
}

fn on(setting: &Setting) -> Setting {
    Setting {
        value: true.into(),
        ..setting.clone()
    }
}

/// What LLaMA-Factory makes of what was left out, once everything is read.
pub(super) fn finish(run: &mut Scenario, alpha_given: bool) {
    if run.method == Method::Full && run.autocast != Autocast::Off {
        run.weights = WeightFormat::Fp32;
    }
    if !alpha_given && run.method != Method::Full {
        run.lora.alpha = 2.0 * run.lora.rank as f64;
    }
}
