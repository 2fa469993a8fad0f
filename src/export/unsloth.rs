//! Python scripts for Unsloth with TRL's SFTTrainer.

use super::python::{arguments, literal};
use super::setting::{Line, line, plain};
use super::settle::{self, fp32_adapters, link, model_name, one_dtype};
use super::transformers::PEAKS;
use super::{Written, lora_keys, trainer_keys};
use crate::catalog;
use crate::scenario::{
    Attention, Autocast, Checkpointing, Method, ModelRef, Qat, Scenario, Stack, Targets, WeightFormat,
};
use serde_json::json;

/// What Unsloth runs of a scenario: adapters are fp32 (`unsloth_zoo training_utils`), expandable segments are on, norms
/// and head stay as they are loaded.
fn settle(scenario: &Scenario) -> Result<Scenario, String> {
    use WeightFormat::{Bf16, Dynamic4bit, Fp8Block, Fp8Dynamic, Fp16, Int8, Nf4Dq};
    let mut run = settle::common(scenario, Stack::Unsloth)?;
    match run.weights {
        Bf16 | Fp16 | Int8 | Nf4Dq | Dynamic4bit | Fp8Dynamic | Fp8Block => {}
        // Unsloth's own 4 bit and FP8.
        WeightFormat::Nf4 => run.weights = Nf4Dq,
        WeightFormat::Fp8 => run.weights = Fp8Dynamic,
        WeightFormat::Fp32 => run.weights = Bf16,
        other => return Err(format!("Unsloth does not load a base as {}", other.label())),
    }
    if run.autocast == Autocast::Off {
        run.autocast = if run.weights == Fp16 {
            Autocast::Fp16
        } else {
            Autocast::Bf16
        };
    }
    one_dtype(&mut run);
    fp32_adapters(&mut run.lora);
    run.attention = Attention::Sdpa;
    run.liger = false;
    run.prepare_kbit = false;
    run.expandable_segments = true;
    if run.checkpointing == Checkpointing::HfReentrant {
        run.checkpointing = Checkpointing::Hf;
    }
    Ok(run)
}

pub(super) fn write(scenario: &Scenario) -> Result<Written, String> {
    let run = settle(scenario)?;
    Ok(Written {
        text: text(&run),
        runs: run,
        notes: Vec::new(),
    })
}

fn text(run: &Scenario) -> String {
    let mut text = format!(
        "# pip install unsloth==2026.10.9 unsloth_zoo==2026.10.9 trl==1.15.0 transformers==5.17.0 peft==0.21.2 bitsandbytes==0.50.2\n\
         {}\n\
         from unsloth import FastLanguageModel\n\n\
         import torch\nfrom datasets import load_dataset\nfrom trl import SFTConfig, SFTTrainer\n\n\
         # Tokens of a sequence: activations grow with them, the loss hardly.\nMAX_LENGTH = {}\n\n\
         model, tokenizer = FastLanguageModel.from_pretrained(\n{})\n",
        link(run),
        run.seq,
        arguments(&load(run), "    ")
    );
    if run.method != Method::Full {
        text += &format!(
            "\nmodel = FastLanguageModel.get_peft_model(\n    model,\n{})\n",
            arguments(&adapter(run), "    ")
        );
    }
    text += "\n# Put your own data here: a column \"text\".\n\
             dataset = load_dataset(\"yahma/alpaca-cleaned\", split=\"train[:2000]\")\n\
             dataset = dataset.map(lambda row: {\"text\": row[\"instruction\"] + \"\\n\" + row[\"input\"] + \"\\n\" + row[\"output\"]})\n";
    let mut lines = vec![
        plain("output_dir", "outputs"),
        plain("max_length", "=MAX_LENGTH"),
        line("packing", !run.padding, "packed batches hold no padding"),
    ];
    lines.extend(trainer_keys::steps(run));
    lines.extend([
        line("bf16", run.autocast == Autocast::Bf16, run.autocast.note()),
        plain("fp16", run.autocast == Autocast::Fp16),
        plain("learning_rate", json!(0.0002)),
        line("max_steps", 60, "enough to see the peak; then num_train_epochs"),
        plain("logging_steps", 1),
        plain("report_to", "none"),
    ]);
    text + &format!(
        "\nargs = SFTConfig(\n{})\ntrainer = SFTTrainer(model=model, args=args, train_dataset=dataset, processing_class=tokenizer)\n\
         trainer.train()\n\n{PEAKS}",
        arguments(&lines, "    ")
    )
}

/// The repository to load: the published one in the format where Unsloth would not quantize by itself.
pub(super) fn repository(run: &Scenario) -> String {
    let published = match (&run.model, run.weights) {
        (
            ModelRef::Catalog(id),
            WeightFormat::Dynamic4bit | WeightFormat::Fp8Dynamic | WeightFormat::Fp8Block,
        ) => catalog::variants_of(id).and_then(|variants| variants.repository(run.weights)),
        _ => None,
    };
    published.unwrap_or_else(|| model_name(run).to_owned())
}

fn load(run: &Scenario) -> Vec<Line> {
    let mut lines = vec![
        plain("model_name", repository(run)),
        plain("max_seq_length", "=MAX_LENGTH"),
    ];
    let full = run.method == Method::Full;
    match run.weights {
        WeightFormat::Nf4Dq => lines.extend([
            line("load_in_4bit", true, run.weights.note()),
            line(
                "use_exact_model_name",
                true,
                "quantizes this model itself, instead of loading the dynamic variant",
            ),
        ]),
        WeightFormat::Dynamic4bit => lines.push(line("load_in_4bit", true, run.weights.note())),
        WeightFormat::Int8 => lines.extend([
            plain("load_in_4bit", false),
            line("load_in_8bit", true, run.weights.note()),
        ]),
        WeightFormat::Fp8Dynamic => lines.extend([
            plain("load_in_4bit", false),
            line("load_in_fp8", true, run.weights.note()),
        ]),
        WeightFormat::Fp8Block => lines.extend([
            plain("load_in_4bit", false),
            line("load_in_fp8", "block", run.weights.note()),
        ]),
        _ if full => lines.extend([
            plain("load_in_4bit", false),
            line("full_finetuning", true, run.method.note()),
        ]),
        _ => lines.extend([
            plain("load_in_4bit", false),
            line("load_in_16bit", true, run.weights.note()),
        ]),
    }
    let dtype = if run.autocast == Autocast::Fp16 {
        "=torch.float16"
    } else {
        "=torch.bfloat16"
    };
    lines.push(line("dtype", dtype, "of what is not quantized"));
    if full {
        lines.push(checkpointing(run));
    }
    lines
}

fn checkpointing(run: &Scenario) -> Line {
    let value = match run.checkpointing {
        Checkpointing::Unsloth => json!("unsloth"),
        Checkpointing::None => json!(false),
        Checkpointing::Hf | Checkpointing::HfReentrant => json!(true),
    };
    line("use_gradient_checkpointing", value, run.checkpointing.note())
}

/// The names that Unsloth adapts when all linear layers are meant (`FastLanguageModel.get_peft_model`).
const ALL: [&str; 7] = [
    "q_proj",
    "k_proj",
    "v_proj",
    "o_proj",
    "gate_proj",
    "up_proj",
    "down_proj",
];

fn adapter(run: &Scenario) -> Vec<Line> {
    let mut lines = lora_keys::lines(run);
    for line in &mut lines {
        if (line.key, &run.lora.targets) == ("target_modules", &Targets::all_linear()) {
            line.value = json!(ALL);
        }
    }
    lines.extend([checkpointing(run), plain("random_state", 3407)]);
    if run.qat != Qat::Off {
        lines.push(line("qat_scheme", run.qat.slug(), run.qat.note()));
    }
    lines
}

/// All of Unsloth's own names are all linear layers.
pub(super) fn recognise_all_linear(run: &mut Scenario) {
    if let Targets::Modules(names) = &run.lora.targets
        && names.len() == ALL.len()
        && ALL.iter().all(|name| names.iter().any(|own| own == name))
    {
        run.lora.targets = Targets::all_linear();
    }
}

/// A word of Python for a benchmark.
pub(super) fn quoted(text: &str) -> String {
    literal(&json!(text))
}
