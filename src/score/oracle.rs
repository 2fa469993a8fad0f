//! Rows measured with the real PyTorch, transformers, PEFT and bitsandbytes: `{"id", "case", "result"}`, where the
//! case's model is a configuration class with its arguments.

use std::str::FromStr;

use serde_json::{Map, Value};

use super::config_class::config;
use super::fields::Fields;
use super::row::{bytes, id};
use super::{Measured, Origin, Refusal, Row};
use crate::model::HfConfig;
use crate::scenario::{
    AdapterDtype, Attention, Autocast, BaseDtype, Checkpointing, Float8, Harness, Loader, Lora, Method,
    ModelRef, Objective, Optimizer, Qat, Release, Scenario, SdpaBackend, Stack, Targets, Transformers,
    WeightFormat,
};

/// Reads a row that has a `case` and a `result`.
pub(super) fn read(fields: &Map<String, Value>) -> Option<Row> {
    let case = fields.get("case")?.as_object()?;
    let result = fields.get("result")?.as_object()?;
    let failed = result.get("error").is_some_and(|error| !error.is_null());
    let model = case
        .get("model")
        .and_then(|model| model.get("name"))
        .and_then(Value::as_str);
    Some(Row {
        id: id(fields),
        origin: Origin::default(),
        model: model.map(Into::into),
        scenario: match failed {
            true => Err(Refusal("the run itself ended in an error".into())),
            false => scenario(case.clone()),
        },
        measured: measured(fields),
    })
}

/// The measured quantities of a row with a `result`.
pub(super) fn measured(fields: &Map<String, Value>) -> Measured {
    let Some(result) = fields.get("result").and_then(Value::as_object) else {
        return Measured::default();
    };
    Measured {
        allocated: bytes(result, "peak_allocated_bytes"),
        reserved: bytes(result, "peak_reserved_bytes"),
        least_capacity: bytes(result, "least_capacity_bytes"),
        ..Measured::default()
    }
}

/// The scenario of a case. The defaults are those of the measuring program.
fn scenario(case: Map<String, Value>) -> Result<Scenario, Refusal> {
    let mut case = Fields::new("", case);
    let _id: Value = case.take("id", Value::Null)?;
    let model = model(&mut case)?;
    let (method, weights, dtype) = method_and_weights(&mut case)?;
    let read = Scenario {
        model: ModelRef::Config(Box::new(model)),
        gpu: None,
        stack: Stack::Hf,
        method,
        weights,
        skip_modules: Vec::new(),
        dtype,
        autocast: match case.take::<Option<String>>("autocast", None)?.as_deref() {
            None => Autocast::Off,
            Some("bf16") => Autocast::Bf16,
            Some("fp16") => Autocast::Fp16,
            Some(other) => return Err(not_modelled("autocast", other)),
        },
        lora: lora(&mut case)?,
        prepare_kbit: case.take("kbit_prepare", true)?,
        batch: case.take("batch", 1)?,
        seq: case.take("seq", 512)?,
        grad_accum: case.take("grad_accum", 1)?,
        optimizer: word(&mut case, "optimizer", Optimizer::AdamwTorchFused)?,
        checkpointing: match case.take("checkpointing", "off".to_string())?.as_str() {
            "off" => Checkpointing::None,
            "non_reentrant" => Checkpointing::Hf,
            "reentrant" => Checkpointing::HfReentrant,
            other => return Err(not_modelled("checkpointing", other)),
        },
        attention: word(&mut case, "attention", Attention::Sdpa)?,
        sdpa_backend: word(&mut case, "sdpa_backend", SdpaBackend::Auto)?,
        padding: case.take("padding", false)?,
        padding_free: false,
        packing: 1,
        lengths: Vec::new(),
        objective: Objective::Sft,
        loader: Loader::FastLanguageModel,
        release: Release::Current,
        qat: Qat::Off,
        transformers: Transformers::Current,
        memory_gib: None,
        clip: case.take("clip", Some(1.0))?.is_some_and(|norm| norm > 0.0),
        use_cache: case.take("use_cache", false)?,
        harness: word(&mut case, "harness", Harness::Loop)?,
        keep_outputs: case.take("keep_outputs", false)?,
        liger: case.take("liger", false)?,
        float8: float8(&mut case)?,
        expandable_segments: match case.take::<Option<String>>("alloc_conf", None)?.as_deref() {
            None => false,
            Some("expandable_segments:True") => true,
            Some(other) => return Err(not_modelled("alloc_conf", other)),
        },
        compute_capability: Some(compute_capability(&mut case)?),
    };
    if case.take("steps", 2_u64)? < 2 {
        return Err(Refusal(
            "steps: fewer than 2, the steady state is not reached".into(),
        ));
    }
    match case.take("loss", "hf".to_string())?.as_str() {
        "hf" => {}
        other => return Err(not_modelled("loss", other)),
    }
    case.finish()?;
    Ok(read)
}

fn not_modelled(field: &str, word: &str) -> Refusal {
    Refusal(format!("{field} '{word}' is not modelled"))
}

/// A closed choice that rows and scenarios name alike.
fn word<T: FromStr + ToString>(case: &mut Fields, field: &str, default: T) -> Result<T, Refusal> {
    let word = case.take(field, default.to_string())?;
    word.parse().map_err(|_| not_modelled(field, &word))
}

fn model(case: &mut Fields) -> Result<HfConfig, Refusal> {
    let mut model = case.object("model", "model.")?;
    let _name: Value = model.take("name", Value::Null)?;
    let class: String = model.take("config_class", String::new())?;
    let arguments: Map<String, Value> = model.take("config", Map::new())?;
    model.finish()?;
    config(&class, &arguments)
}

/// A method of the rows is a method and a format of the weights here; their dtype is the weights', or that of what is not
/// quantized.
fn method_and_weights(case: &mut Fields) -> Result<(Method, WeightFormat, BaseDtype), Refusal> {
    let method = case.take("method", "lora".to_string())?;
    let dtype = case.take("weights_dtype", "bf16".to_string())?;
    let mut quant = case.object("quant", "quant.")?;
    let kind = quant.take("type", "nf4".to_string())?;
    let double = quant.take("double_quant", true)?;
    quant.finish()?;

    let (unquantized, beside) = match dtype.as_str() {
        "bf16" => (WeightFormat::Bf16, BaseDtype::Auto),
        "fp16" => (WeightFormat::Fp16, BaseDtype::Fp16),
        "fp32" => (WeightFormat::Fp32, BaseDtype::Fp32),
        other => return Err(not_modelled("weights_dtype", other)),
    };
    let (method, weights) = match (method.as_str(), kind.as_str(), double) {
        ("full", ..) => (Method::Full, unquantized),
        ("lora", ..) => (Method::Lora, unquantized),
        ("fp8lora", ..) => (Method::Lora, WeightFormat::Fp8),
        ("qlora", "nf4", false) => (Method::Qlora, WeightFormat::Nf4),
        ("qlora", "nf4", true) => (Method::Qlora, WeightFormat::Nf4Dq),
        ("qlora", "fp4", false) => (Method::Qlora, WeightFormat::Fp4),
        ("qlora", "fp4", true) => (Method::Qlora, WeightFormat::Fp4Dq),
        ("qlora", other, _) => return Err(not_modelled("quant.type", other)),
        (other, ..) => return Err(not_modelled("method", other)),
    };
    let dtype = match weights.is_quantized() {
        true => beside,
        false => BaseDtype::Auto,
    };
    Ok((method, weights, dtype))
}

fn lora(case: &mut Fields) -> Result<Lora, Refusal> {
    let mut lora = case.object("lora", "lora.")?;
    let read = Lora {
        rank: lora.take("rank", 16)?,
        alpha: lora.take("alpha", 32.0)?,
        dropout: lora.take("dropout", 0.0)?,
        targets: lora.take("targets", Targets::all_linear())?,
        use_dora: lora.take("use_dora", false)?,
        use_rslora: lora.take("use_rslora", false)?,
        modules_to_save: lora
            .take::<Option<Vec<String>>>("modules_to_save", None)?
            .unwrap_or_default(),
        adapter_dtype: match lora.take("autocast_adapter_dtype", true)? {
            true => AdapterDtype::Fp32,
            false => AdapterDtype::Base,
        },
    };
    if let Targets::Word(word) = &read.targets
        && read.targets != Targets::all_linear()
    {
        return Err(not_modelled("lora.targets", word));
    }
    if lora.take::<Value>("target_parameters", Value::Null)? != Value::Null {
        return Err(Refusal("lora.target_parameters is not modelled".into()));
    }
    lora.finish()?;
    Ok(read)
}

fn float8(case: &mut Fields) -> Result<Float8, Refusal> {
    let Some(recipe) = case.take::<Option<Map<String, Value>>>("fp8_compute", None)? else {
        return Ok(Float8::Off);
    };
    let mut recipe = Fields::new("fp8_compute.", recipe);
    let name = recipe.take("recipe", "tensorwise".to_string())?;
    recipe.finish()?;
    match name.as_str() {
        "tensorwise" => Ok(Float8::Tensorwise),
        other => Err(not_modelled("fp8_compute.recipe", other)),
    }
}

fn compute_capability(case: &mut Fields) -> Result<String, Refusal> {
    let mut gpu = case.object("gpu", "gpu.")?;
    let capability = gpu.take("cc", "9.0".to_string())?;
    gpu.finish()?;
    Ok(capability)
}
