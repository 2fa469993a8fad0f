//! The keywords of Python scripts and saved arguments.

use super::draft::{Draft, Taken, not_a};
use super::import::Source;
use super::setting::Setting;
use super::{axolotl, lora_keys, trainer_keys, unsloth};
use crate::scenario::{AdapterDtype, Autocast, Checkpointing, Method, Scenario, WeightFormat};
use serde_json::Value;

/// A keyword of a script.
pub(super) fn read(draft: &mut Draft, source: Source, setting: &Setting) -> Taken {
    let value = &setting.value;
    match setting.key.as_str() {
        "MODEL" | "model_name" | "model_id" => draft.model(value),
        "MAX_LENGTH" | "max_length" | "max_seq_length" => match value.as_u64() {
            Some(_) => draft.set("seq", value),
            // The name of a constant that is read where it is set.
            None => Taken::NoMatter,
        },
        "PACKED" | "packing" => match value {
            Value::Bool(packed) => draft.set("padding", &(!packed).into()),
            _ => not_a("truth value"),
        },
        "load_in_4bit" => draft.bits(setting, true),
        "load_in_8bit" => draft.bits(setting, false),
        "load_in_16bit" | "full_finetuning" | "use_exact_model_name" if value.is_boolean() => {
            match (setting.key.as_str(), *value == true) {
                ("full_finetuning", on) => draft.full = on,
                ("load_in_16bit", true) => draft.four = None,
                _ => {}
            }
            Taken::Yes
        }
        "load_in_fp8" => {
            draft.dtype = match value {
                Value::Bool(true) => Some(WeightFormat::Fp8Dynamic),
                Value::String(word) if word == "block" => Some(WeightFormat::Fp8Block),
                Value::String(word) if word == "row" => Some(WeightFormat::Fp8Dynamic),
                _ => return Taken::Yes,
            };
            Taken::Yes
        }
        "bnb_4bit_quant_type" => {
            draft.fp4 = *value == "fp4";
            Taken::Yes
        }
        "bnb_4bit_use_double_quant" => Draft::flag(&mut draft.double_quant, value),
        "dtype" | "torch_dtype" => {
            let word = value.as_str().unwrap_or_default();
            let format = match word {
                "bfloat16" => WeightFormat::Bf16,
                "float16" | "half" => WeightFormat::Fp16,
                "float32" => WeightFormat::Fp32,
                _ => {
                    return Taken::Noted("the checkpoint's dtype is taken to be bf16".into());
                }
            };
            if draft.dtype.is_none() {
                draft.dtype = Some(format);
            }
            Taken::Yes
        }
        "attn_implementation" => axolotl::attention(draft, value.as_str().unwrap_or_default()),
        "use_gradient_checkpointing" => match value {
            Value::String(word) if word == "unsloth" => {
                draft.run.checkpointing = Checkpointing::Unsloth;
                Taken::Yes
            }
            Value::Bool(on) if source == Source::Unsloth => {
                draft.checkpointing = *on;
                Taken::Yes
            }
            _ => Taken::NoMatter,
        },
        _ => match lora_keys::read(draft, setting) {
            Taken::Unknown => trainer_keys::read(draft, setting),
            taken => taken,
        },
    }
}

/// What follows from the whole text, by what the libraries do.
pub(super) fn finish(source: Source, run: &mut Scenario, text: &str, named: &dyn Fn(&str) -> bool) {
    match source {
        Source::LlamaFactory | Source::Axolotl => {}
        Source::Unsloth => {
            unsloth::recognise_all_linear(run);
            let exact = named("use_exact_model_name");
            if run.weights == WeightFormat::Nf4Dq && !exact {
                run.weights = WeightFormat::Dynamic4bit;
            }
            let fp16 = run.autocast == Autocast::Fp16 || run.weights == WeightFormat::Fp16;
            run.autocast = if fp16 { Autocast::Fp16 } else { Autocast::Bf16 };
            if run.weights == WeightFormat::Fp32 {
                run.weights = WeightFormat::Bf16;
            }
        }
        Source::Trl | Source::Transformers | Source::Json => {
            let plain = !run.weights.is_quantized();
            if text.contains("Float8WeightOnlyConfig") && run.method == Method::Lora {
                run.weights = WeightFormat::Fp8;
            }
            // The checkpoint's own dtype, which is bf16 for every model of the catalog that is trained today.
            if plain && run.weights == WeightFormat::Fp32 && !named("dtype") && !named("torch_dtype") {
                run.weights = WeightFormat::Bf16;
            }
            run.prepare_kbit = text.contains("prepare_model_for_kbit_training(");
            if source == Source::Trl {
                if !named("bf16") && !named("fp16") {
                    run.autocast = Autocast::Bf16;
                }
                if run.weights.is_quantized() && run.weights != WeightFormat::Fp8 {
                    run.lora.adapter_dtype = AdapterDtype::Base;
                }
            }
        }
    }
}
