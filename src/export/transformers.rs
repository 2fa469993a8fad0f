//! Python scripts for the Hugging Face stack: Transformers' own Trainer, which is what is replayed, or TRL's SFTTrainer.

use super::python::{arguments, literal};
use super::setting::{Line, line, plain};
use super::settle::{self, fp32_adapters, link, model_name};
use super::{Written, lora_keys, trainer_keys};
use crate::scenario::{AdapterDtype, Autocast, Method, Scenario, Stack, WeightFormat};
use serde_json::json;

/// What the script runs of a scenario.
fn settle(scenario: &Scenario, trl: bool) -> Result<Scenario, String> {
    let mut run = settle::common(scenario, Stack::Hf)?;
    if run.weights != WeightFormat::Fp8 {
        settle::bitsandbytes_only(&run, "Transformers")?;
    }
    if trl {
        // SFTTrainer takes the loaded model: it prepares nothing and casts adapters of a quantized base to bf16
        // (trl 1.15 trainer/sft_trainer.py).
        run.prepare_kbit = false;
        fp32_adapters(&mut run.lora);
        if matches!(run.weights, w if w.is_quantized() && w != WeightFormat::Fp8) {
            run.lora.adapter_dtype = AdapterDtype::Base;
        }
    }
    if !run.weights.is_quantized() {
        run.prepare_kbit = false;
    }
    Ok(run)
}

pub(super) fn write(scenario: &Scenario, trl: bool) -> Result<Written, String> {
    let run = settle(scenario, trl)?;
    let mut notes = Vec::new();
    if trl {
        notes.push("TRL 1.15 computes the loss in tiles of the head: logits take less than is estimated");
    }
    let text = [
        head(&run, trl),
        load(&run),
        adapters(&run, trl),
        data(&run, trl),
        train(&run, trl),
    ];
    Ok(Written {
        text: text.concat(),
        runs: run,
        notes,
    })
}

fn head(run: &Scenario, trl: bool) -> String {
    let pins = "torch==2.11.0 transformers==5.17.0 peft==0.21.2 accelerate==1.15.0 bitsandbytes==0.50.2 datasets==4.8.5";
    let more = if trl { " trl==1.15.0" } else { "" };
    let liger = if run.liger { " liger-kernel" } else { "" };
    let ao = if run.weights == WeightFormat::Fp8 {
        " torchao"
    } else {
        ""
    };
    let mut text = format!(
        "# pip install {pins}{more}{liger}{ao}\n{}\nimport os\n\n",
        link(run)
    );
    if run.expandable_segments {
        text += "# Freed memory can be used for any size.\n\
                 os.environ[\"PYTORCH_ALLOC_CONF\"] = \"expandable_segments:True\"\n\n";
    }
    text += "import torch\nfrom datasets import load_dataset\n";
    let adapters = run.method != Method::Full;
    if adapters {
        let prepare = if run.prepare_kbit {
            ", prepare_model_for_kbit_training"
        } else {
            ""
        };
        let wrap = if trl { "" } else { ", get_peft_model" };
        text += &format!("from peft import LoraConfig{wrap}{prepare}\n");
    }
    let quantization = match run.weights {
        WeightFormat::Fp8 => ", TorchAoConfig",
        format if format.is_quantized() => ", BitsAndBytesConfig",
        _ => "",
    };
    let trainer = if trl {
        ""
    } else {
        ", DataCollatorForLanguageModeling, Trainer, TrainingArguments"
    };
    text += &format!("from transformers import AutoModelForCausalLM, AutoTokenizer{quantization}{trainer}\n");
    if run.weights == WeightFormat::Fp8 {
        text += "from torchao.quantization import Float8WeightOnlyConfig\n";
    }
    if trl {
        text += "from trl import SFTConfig, SFTTrainer\n";
    }
    text + &format!("\nMODEL = {}\n", literal(&json!(model_name(run))))
}

/// The dtype of what is not quantized.
fn dtype(run: &Scenario) -> &'static str {
    match run.weights {
        WeightFormat::Fp16 => "=torch.float16",
        WeightFormat::Fp32 => "=torch.float32",
        _ => "=torch.bfloat16",
    }
}

fn load(run: &Scenario) -> String {
    let mut text = String::from("\ntokenizer = AutoTokenizer.from_pretrained(MODEL)\n");
    text += "if tokenizer.pad_token is None:\n    tokenizer.pad_token = tokenizer.eos_token\n";
    let mut arguments_of = vec![
        line("dtype", dtype(run), "of what is not quantized"),
        line("attn_implementation", run.attention.slug(), run.attention.note()),
        plain("device_map", json!({"": 0})),
    ];
    if run.weights.is_quantized() {
        text += &quantization(run);
        arguments_of.push(line("quantization_config", "=quantization", run.weights.note()));
    }
    text += &format!(
        "model = AutoModelForCausalLM.from_pretrained(\n    MODEL,\n{})\nmodel.config.use_cache = False\n",
        arguments(&arguments_of, "    ")
    );
    text
}

fn quantization(run: &Scenario) -> String {
    if run.weights == WeightFormat::Fp8 {
        return "quantization = TorchAoConfig(Float8WeightOnlyConfig())\n".into();
    }
    let lines: Vec<Line> = match run.weights {
        WeightFormat::Int8 => vec![plain("load_in_8bit", true)],
        format => {
            let fp4 = matches!(format, WeightFormat::Fp4 | WeightFormat::Fp4Dq);
            let twice = matches!(format, WeightFormat::Nf4Dq | WeightFormat::Fp4Dq);
            vec![
                plain("load_in_4bit", true),
                plain("bnb_4bit_quant_type", if fp4 { "fp4" } else { "nf4" }),
                line(
                    "bnb_4bit_use_double_quant",
                    twice,
                    "0.516 bytes a weight with, 0.5625 without",
                ),
                plain("bnb_4bit_compute_dtype", "=torch.bfloat16"),
            ]
        }
    };
    format!(
        "quantization = BitsAndBytesConfig(\n{})\n",
        arguments(&lines, "    ")
    )
}

fn adapters(run: &Scenario, trl: bool) -> String {
    if run.method == Method::Full {
        return String::new();
    }
    let mut text = String::new();
    if run.prepare_kbit {
        text += "# Makes norms, embeddings and head fp32, and the residual stream with them.\n";
        text += "model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)\n";
    }
    let mut lines = lora_keys::lines(run);
    lines.push(plain("task_type", "CAUSAL_LM"));
    text += &format!("\nlora = LoraConfig(\n{})\n", arguments(&lines, "    "));
    if !trl {
        let fp32 = run.lora.adapter_dtype == AdapterDtype::Fp32;
        text += &format!(
            "# autocast_adapter_dtype: adapters in fp32, 4 bytes a weight, or in the dtype of the base.\n\
             model = get_peft_model(model, lora, autocast_adapter_dtype={})\n\
             model.enable_input_require_grads()\n",
            literal(&json!(fp32))
        );
    }
    text
}

fn data(run: &Scenario, trl: bool) -> String {
    let seq = run.seq;
    let mut text = format!(
        "\n# Tokens of a sequence: activations and logits grow with them.\nMAX_LENGTH = {seq}\n\
         # Put your own data here: a column \"text\".\n\
         dataset = load_dataset(\"yahma/alpaca-cleaned\", split=\"train[:2000]\")\n\
         dataset = dataset.map(lambda row: {{\"text\": row[\"instruction\"] + \"\\n\" + row[\"input\"] + \"\\n\" + row[\"output\"]}})\n"
    );
    if !trl {
        text += &format!(
            "# Packed sequences are full: no padding, and no mask that bars flash kernels.\nPACKED = {}\n\n\n\
             def tokenize(rows):\n\
             \x20   if not PACKED:\n\
             \x20       return tokenizer(rows[\"text\"], truncation=True, max_length=MAX_LENGTH, padding=\"max_length\")\n\
             \x20   ids = [token for text in rows[\"text\"] for token in tokenizer(text)[\"input_ids\"] + [tokenizer.eos_token_id]]\n\
             \x20   blocks = [ids[start : start + MAX_LENGTH] for start in range(0, len(ids) - MAX_LENGTH + 1, MAX_LENGTH)]\n\
             \x20   return {{\"input_ids\": blocks, \"attention_mask\": [[1] * MAX_LENGTH for _ in blocks]}}\n\n\n\
             dataset = dataset.map(tokenize, batched=True, remove_columns=dataset.column_names)\n",
            literal(&json!(!run.padding))
        );
    }
    text
}

fn train(run: &Scenario, trl: bool) -> String {
    let mut lines = vec![plain("output_dir", "outputs")];
    if trl {
        lines.extend([
            plain("max_length", "=MAX_LENGTH"),
            line(
                "packing",
                !run.padding,
                "packed batches hold no padding; a padding mask bars flash kernels",
            ),
        ]);
        if !run.padding {
            lines.push(plain("packing_strategy", "wrapped"));
        }
    }
    lines.extend(trainer_keys::lines(run));
    lines.extend([
        plain("learning_rate", json!(0.0002)),
        line("max_steps", 60, "enough to see the peak; then num_train_epochs"),
        plain("logging_steps", 1),
        plain("report_to", "none"),
    ]);
    let (config, trainer, rest) = match (trl, run.method) {
        (true, Method::Full) => ("SFTConfig", "SFTTrainer", "processing_class=tokenizer"),
        (true, _) => (
            "SFTConfig",
            "SFTTrainer",
            "processing_class=tokenizer, peft_config=lora",
        ),
        (false, _) => (
            "TrainingArguments",
            "Trainer",
            "data_collator=DataCollatorForLanguageModeling(tokenizer, mlm=False)",
        ),
    };
    let scaler = match run.autocast {
        Autocast::Fp16 => "# fp16: a gradient scaler skips steps that overflow.\n",
        _ => "",
    };
    format!(
        "\n{scaler}args = {config}(\n{})\ntrainer = {trainer}(model=model, args=args, train_dataset=dataset, {rest})\n\
         trainer.train()\n\n{PEAKS}",
        arguments(&lines, "    ")
    )
}

/// What a script prints at its end, to hold against the estimate.
pub(super) const PEAKS: &str = "\
gib = 2**30
print(f\"allocated {torch.cuda.max_memory_allocated() / gib:.2f} GiB, reserved {torch.cuda.max_memory_reserved() / gib:.2f} GiB\")
";
