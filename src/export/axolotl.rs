//! Axolotl 0.18 configurations: written and read.

use super::draft::{Draft, Precision, Taken, not_a};
use super::setting::{Line, Setting, line, number, plain};
use super::settle::{self, bitsandbytes_only, link, model_name, one_dtype, optim};
use super::{Written, yaml};
use crate::scenario::{
    AdapterDtype, Attention, Autocast, Checkpointing, Method, Optimizer, Scenario, Stack, Targets,
    WeightFormat,
};
use serde_json::{Value, json};

/// What Axolotl runs of a scenario.
///
/// It calls `prepare_model_for_kbit_training` and then converts norms, embeddings and head back to 16 bit
/// (`loaders/model.py: _configure_embedding_dtypes`), and sets expandable segments (`utils/__init__.py:
/// set_pytorch_cuda_alloc_conf`).
fn settle(scenario: &Scenario) -> Result<Scenario, String> {
    let mut run = settle::common(scenario, Stack::Hf)?;
    bitsandbytes_only(&run, "Axolotl")?;
    one_dtype(&mut run);
    run.prepare_kbit = false;
    run.expandable_segments = true;
    Ok(run)
}

pub(super) fn write(scenario: &Scenario) -> Result<Written, String> {
    let run = settle(scenario)?;
    let mut notes = Vec::new();
    if run.method == Method::Full {
        notes.push("Axolotl keeps embeddings and norms in fp32 in full fine-tuning, which is not modelled");
    }
    let head = "# Axolotl 0.18.0, which pins transformers 5.14.1, PEFT 0.19.1, TRL 1.8.0:\n\
                #   pip install axolotl==0.18.0\n\
                #   axolotl train axolotl.yaml\n";
    let text = format!("{head}{}\n{}", link(&run), yaml::write(&lines(&run)));
    Ok(Written {
        text,
        runs: run,
        notes,
    })
}

fn lines(run: &Scenario) -> Vec<Line> {
    let mut lines = vec![plain("base_model", model_name(run))];
    lines.extend(weights(run));
    if run.method != Method::Full {
        lines.extend(adapter(run));
    }
    lines.extend([
        line(
            "sequence_len",
            run.seq,
            "activations and logits grow with the tokens of a micro-batch",
        ),
        line(
            "sample_packing",
            !run.padding,
            "packed batches hold no padding; a padding mask bars flash kernels",
        ),
        plain("pad_to_sequence_len", true),
        plain("micro_batch_size", run.batch),
        line(
            "gradient_accumulation_steps",
            run.grad_accum,
            "more micro-batches a step need no more activations",
        ),
        line("optimizer", optim(run.optimizer), run.optimizer.note()),
        line(
            "max_grad_norm",
            if run.clip { 1.0 } else { 0.0 },
            "0 does not clip",
        ),
    ]);
    let on = run.checkpointing != Checkpointing::None;
    lines.push(line("gradient_checkpointing", on, run.checkpointing.note()));
    if on {
        let reentrant = run.checkpointing == Checkpointing::HfReentrant;
        lines.push(plain(
            "gradient_checkpointing_kwargs",
            json!({"use_reentrant": reentrant}),
        ));
    }
    lines.push(line(
        "attn_implementation",
        run.attention.slug(),
        run.attention.note(),
    ));
    if run.liger {
        lines.push(line(
            "plugins",
            json!(["axolotl.integrations.liger.LigerPlugin"]),
            "Liger: the loss is computed without all logits",
        ));
        for key in LIGER {
            lines.push(plain(key, true));
        }
    }
    lines.extend([
        plain("learning_rate", json!(0.0002)),
        plain("lr_scheduler", "cosine"),
        plain("num_epochs", 1),
        line(
            "datasets",
            json!([{"path": "tatsu-lab/alpaca", "type": "alpaca"}]),
            "put your own data here",
        ),
        plain("val_set_size", 0),
        plain("output_dir", "./outputs"),
    ]);
    lines
}

const LIGER: [&str; 4] = [
    "liger_rope",
    "liger_rms_norm",
    "liger_glu_activation",
    "liger_fused_linear_cross_entropy",
];

fn weights(run: &Scenario) -> Vec<Line> {
    let mut lines = vec![
        line("load_in_4bit", run.weights.is_4bit(), run.weights.note()),
        plain("load_in_8bit", run.weights == WeightFormat::Int8),
    ];
    // Axolotl's own is nf4 with double quantization.
    let fp4 = matches!(run.weights, WeightFormat::Fp4 | WeightFormat::Fp4Dq);
    let twice = matches!(run.weights, WeightFormat::Nf4Dq | WeightFormat::Fp4Dq);
    if run.weights.is_4bit() && (fp4 || !twice) {
        let code = if fp4 { "fp4" } else { "nf4" };
        let kwargs = json!({"bnb_4bit_quant_type": code, "bnb_4bit_use_double_quant": twice});
        lines.push(plain("bnb_config_kwargs", kwargs));
    }
    let flag = match (run.autocast, run.weights) {
        (Autocast::Bf16, _) => "bf16",
        (Autocast::Fp16, _) => "fp16",
        (Autocast::Off, WeightFormat::Fp16) => "float16",
        (Autocast::Off, WeightFormat::Fp32) => "float32",
        (Autocast::Off, _) => "bfloat16",
    };
    lines.push(line(flag, true, run.autocast.note()));
    lines
}

fn adapter(run: &Scenario) -> Vec<Line> {
    let lora = &run.lora;
    let mut lines = vec![
        plain("adapter", run.method.slug()),
        line(
            "lora_r",
            lora.rank,
            "weights, gradients and states of adapters are proportional to the rank",
        ),
        plain("lora_alpha", number(lora.alpha)),
        line(
            "lora_dropout",
            number(lora.dropout),
            "above zero each adapted layer keeps a dropped copy of its input",
        ),
    ];
    lines.push(match &lora.targets {
        Targets::Word(_) => plain("lora_target_linear", true),
        Targets::Modules(names) => plain("lora_target_modules", json!(names)),
    });
    if !lora.modules_to_save.is_empty() {
        lines.push(plain("lora_modules_to_save", json!(lora.modules_to_save)));
    }
    if lora.use_dora {
        lines.push(plain("peft_use_dora", true));
    }
    if lora.use_rslora {
        lines.push(plain("peft_use_rslora", true));
    }
    if lora.adapter_dtype == AdapterDtype::Base {
        lines.push(line(
            "peft_autocast_adapter_dtype",
            false,
            "adapters in the dtype of the base",
        ));
    }
    lines.push(line(
        "lora_mlp_kernel",
        false,
        "Axolotl's own kernels for adapters keep less than is estimated; true them once the run works",
    ));
    lines.extend([plain("lora_qkv_kernel", false), plain("lora_o_kernel", false)]);
    lines
}

/// A draft at Axolotl's defaults.
pub(super) fn draft(base: Scenario) -> Draft {
    let mut draft = Draft::new(Scenario {
        prepare_kbit: false,
        expandable_segments: true,
        padding: true,
        batch: 1,
        grad_accum: 1,
        seq: 512,
        optimizer: Optimizer::AdamwTorchFused,
        ..base
    });
    draft.full = true;
    draft.double_quant = true;
    draft
}

pub(super) fn read(draft: &mut Draft, setting: &Setting) -> Taken {
    let value = &setting.value;
    match setting.key.as_str() {
        "base_model" => draft.model(value),
        "load_in_4bit" => draft.bits(setting, true),
        "load_in_8bit" => draft.bits(setting, false),
        "bnb_config_kwargs.bnb_4bit_use_double_quant" => Draft::flag(&mut draft.double_quant, value),
        "bnb_config_kwargs.bnb_4bit_quant_type" => {
            draft.fp4 = *value == "fp4";
            Taken::Yes
        }
        "adapter" => match value.as_str() {
            Some("lora" | "qlora") => {
                draft.full = false;
                Taken::Yes
            }
            Some("") => Taken::Yes,
            None if value.is_null() => Taken::Yes,
            _ => Taken::Problem(format!("adapters of type {value} are not modelled")),
        },
        "lora_r" => draft.set("rank", value),
        "lora_alpha" => draft.set("alpha", value),
        "lora_dropout" => draft.set("dropout", value),
        "lora_target_linear" if *value == true => {
            draft.run.lora.targets = Targets::all_linear();
            Taken::Yes
        }
        "lora_target_linear" => Taken::Yes,
        "lora_target_modules" => draft.targets(value, "all-linear"),
        "lora_modules_to_save" => draft.set("modules_to_save", value),
        "peft_use_dora" => draft.set("use_dora", value),
        "peft_use_rslora" => draft.set("use_rslora", value),
        "peft_autocast_adapter_dtype" => draft.set(
            "adapter_dtype",
            &if *value == false { "base" } else { "fp32" }.into(),
        ),
        "sequence_len" => draft.set("seq", value),
        "micro_batch_size" => draft.set("batch", value),
        "optimizer" => draft.set("optimizer", value),
        "sample_packing" => match value {
            Value::Bool(packed) => draft.set("padding", &(!packed).into()),
            Value::Null => Taken::NoMatter,
            _ => not_a("truth value"),
        },
        "bf16" => draft.precise(setting, Precision::Bf16),
        "fp16" => draft.precise(setting, Precision::Fp16),
        "bfloat16" => draft.precise(setting, Precision::PureBf16),
        "float16" => draft.precise(setting, Precision::PureFp16),
        "float32" => draft.precise(setting, Precision::Fp32),
        "attn_implementation" => attention(draft, value.as_str().unwrap_or_default()),
        "eager_attention" if *value == true => attention(draft, "eager"),
        "sdp_attention" if *value == true => attention(draft, "sdpa"),
        "flash_attention" if *value == true => attention(draft, "flash_attention_2"),
        "liger_fused_linear_cross_entropy" => draft.set("liger", value),
        "lora_mlp_kernel"
        | "lora_qkv_kernel"
        | "lora_o_kernel"
        | "cut_cross_entropy"
        | "fp8"
        | "activation_offloading"
        | "quantize_moe_experts"
            if *value == true =>
        {
            Taken::Problem("is not modelled; the run takes less than estimated, or otherwise".into())
        }
        "gradient_checkpointing" if value.is_string() => {
            draft.checkpointing = true;
            Taken::Noted("off-loaded checkpointing is taken for plain checkpointing".into())
        }
        _ => super::trainer_keys::read(draft, setting),
    }
}

/// An implementation of attention by the name that transformers gives it.
pub(super) fn attention(draft: &mut Draft, name: &str) -> Taken {
    match name {
        "eager" => draft.run.attention = Attention::Eager,
        "sdpa" => draft.run.attention = Attention::Sdpa,
        "flash_attention_2" => draft.run.attention = Attention::FlashAttention2,
        name if name.starts_with("flash_attention") => {
            draft.run.attention = Attention::FlashAttention2;
            return Taken::Noted("is taken for FlashAttention 2, which keeps as much".into());
        }
        name => return Taken::Problem(format!("'{name}' is not modelled")),
    }
    Taken::Yes
}
