//! Rows measured with the real Unsloth stack: `{"id", "case", "result"}` whose case names its model in one word.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::oracle::measured;
use super::row::id;
use super::{Origin, Refusal, Row, draws};
use crate::catalog::{self, Model};
use crate::model::HfConfig;
use crate::scenario::{
    Checkpointing, Loader, Lora, Method, ModelRef, Objective, Optimizer, Qat, Scenario, Stack, Targets,
    WeightFormat,
};

/// Reads a row whose `case.model` is a name.
pub(super) fn read(fields: &Map<String, Value>) -> Option<Row> {
    let case = fields.get("case")?.as_object()?;
    let model = case.get("model")?.as_str()?;
    let failed = fields
        .get("result")
        .and_then(|result| result.get("error"))
        .is_some_and(|error| !error.is_null());
    Some(Row {
        id: id(fields),
        origin: Origin::default(),
        model: Some(model.into()),
        scenario: match failed {
            true => Err(Refusal("the run itself ended in an error".into())),
            false => scenario(case.clone()),
        },
        measured: measured(fields),
    })
}

fn not_modelled(field: &str, what: &str) -> Refusal {
    Refusal(format!("{field}: {what} is not modelled"))
}

/// The scenario of a case. The defaults are those of the measuring program.
fn scenario(case: Map<String, Value>) -> Result<Scenario, Refusal> {
    let mut case = Fields::new("", case);
    for known_not_to_matter in ["id", "audit", "trace", "prompt", "generations", "labelled"] {
        let _: Value = case.take(known_not_to_matter, Value::Null)?;
    }
    // It sizes rotary tables alone, and those begin with this many rows.
    const ROTARY_ROWS: u64 = 32_768;
    let longest: Option<u64> = case.take("max_seq_length", None)?;
    if longest.is_some_and(|longest| longest > ROTARY_ROWS) {
        return Err(not_modelled("max_seq_length", "more than 32,768 tokens"));
    }
    for (set, prefix) in [("env", "env."), ("args", "args.")] {
        case.object(set, prefix)?.finish()?;
    }
    let ((method, weights, skip_modules), as_published) = load(&mut case)?;
    let (lora, qat) = lora(&mut case)?;
    let method = if lora.is_none() { Method::Full } else { method };
    let defaults = Scenario::for_stack(Stack::Unsloth, method);
    let (compute_capability, memory_gib) = card(&mut case)?;
    let batch: u64 = case.take("batch", 2)?;
    let mut seq: u64 = case.take("seq", 2048)?;
    let packing = packing(&mut case, &mut seq)?;
    let own_collator = case.take("own_collator", false)?;
    let padding_free = case.take::<Option<bool>>("padding_free", None)?;
    let padding_free = !own_collator && padding_free != Some(false);
    let grad_accum = case.take("grad_accum", 1)?;
    let steps = case.take("steps", 3)?;
    let lengths = lengths(&mut case, [batch, grad_accum, steps], padding_free)?;
    let model = model(&mut case)?;
    // GPT-OSS is published in MXFP4.
    let is_gpt_oss = |config: &HfConfig| config.model_type == "gpt_oss";
    let (method, weights) = match &model {
        ModelRef::Config(config) if as_published && is_gpt_oss(config) => {
            (Method::Qlora, WeightFormat::Mxfp4)
        }
        _ => (method, weights),
    };
    let read = Scenario {
        model,
        method,
        gpu: None,
        weights,
        skip_modules,
        lora: lora.unwrap_or(defaults.lora),
        batch,
        seq,
        packing,
        padding_free,
        qat,
        lengths,
        loader: match case.take("loader", "auto".to_string())?.as_str() {
            "auto" | "FastLanguageModel" => Loader::FastLanguageModel,
            "FastModel" => Loader::FastModel,
            other => return Err(not_modelled("loader", other)),
        },
        grad_accum,
        objective: {
            let word = case.take("trainer", Objective::Sft.slug().to_string())?;
            word.parse().map_err(|_| not_modelled("trainer", &word))?
        },
        optimizer: {
            let word = case.take("optim", Optimizer::Adamw8bit.slug().to_string())?;
            word.parse().map_err(|_| not_modelled("optim", &word))?
        },
        checkpointing: match case.take("checkpointing", Value::from("unsloth"))? {
            Value::Bool(false) => Checkpointing::None,
            Value::Bool(true) => Checkpointing::HfReentrant,
            Value::String(word) if word == "unsloth" => Checkpointing::Unsloth,
            other => return Err(not_modelled("checkpointing", &other.to_string())),
        },
        expandable_segments: match case.take::<Option<String>>("alloc_conf", None)?.as_deref() {
            None | Some("expandable_segments:True") => true,
            Some("expandable_segments:False") => false,
            Some(other) => return Err(not_modelled("alloc_conf", other)),
        },
        compute_capability: Some(compute_capability),
        memory_gib: Some(memory_gib),
        ..defaults
    };
    case.finish()?;
    Ok(read)
}

/// The model of the catalog that has this name, or its configuration with another number of layers.
fn model(case: &mut Fields) -> Result<ModelRef, Refusal> {
    let name: String = case.take("model", String::new())?;
    let layers: Option<u64> = case.take("layers", None)?;
    let own: Option<HfConfig> = case.take("config", None)?;
    let alike = |m: &&Model| m.name().eq_ignore_ascii_case(&name);
    let longer = |m: &&Model| {
        let stem = format!("{}-", name.to_ascii_lowercase());
        m.name().to_ascii_lowercase().starts_with(&stem)
    };
    let models = || catalog::models().iter();
    let found = models().find(alike).or_else(|| models().find(longer));
    let mut config = match (own, found) {
        (Some(own), _) => own,
        // The catalog alone knows the size of a vision tower.
        (None, Some(model)) if layers.is_none() && model.config.vision_config.is_some() => {
            return Ok(ModelRef::Catalog(model.id.clone()));
        }
        (None, Some(model)) => model.config.clone(),
        (None, None) => return Err(Refusal(format!("no model of the catalog is called '{name}'"))),
    };
    if let Some(layers) = layers {
        config.num_hidden_layers = layers;
        config.full_attention_layers = None;
    }
    Ok(ModelRef::Config(Box::new(config)))
}

/// How the weights come: the method, their format, and what stays in 16 bit.
type Load = (Method, WeightFormat, Vec<String>);

/// `from_pretrained`'s arguments, and repositories that are quantized already. The flag: a repository is left as it is.
fn load(case: &mut Fields) -> Result<(Load, bool), Refusal> {
    let mut given = case.object("load", "load.")?;
    let four_bit = given.take("load_in_4bit", true)?;
    let sixteen_bit = given.take("load_in_16bit", false)?;
    let full = given.take("full_finetuning", false)?;
    let fp8: Value = given.take("load_in_fp8", Value::from(false))?;
    given.finish()?;
    let mut prequantized = case.object("prequant", "prequant.")?;
    let skip: Vec<String> = prequantized.take("skip", Vec::new())?;
    prequantized.finish()?;
    // Asked for, bfloat16 is what cards have it by default, and others fall back as without it
    // (`unsloth/models/llama.py: FastLlamaModel.from_pretrained`).
    let dtype: Option<String> = case.take("dtype", None)?;
    if let Some(dtype) = dtype.filter(|dtype| dtype != "bfloat16") {
        return Err(not_modelled("dtype", &dtype));
    }
    match fp8 {
        Value::Bool(false) => {}
        Value::Bool(true) => return Ok(((Method::Lora, WeightFormat::Fp8Dynamic, skip), false)),
        Value::String(word) if word == "block" => {
            return Ok(((Method::Lora, WeightFormat::Fp8Block, skip), false));
        }
        other => return Err(not_modelled("load_in_fp8", &other.to_string())),
    }
    let load = match (full, four_bit, sixteen_bit) {
        (true, ..) => (Method::Full, WeightFormat::Bf16, skip),
        (false, true, false) => (Method::Qlora, WeightFormat::Nf4Dq, skip),
        (false, false, _) => (Method::Lora, WeightFormat::Bf16, skip),
        _ => return Err(not_modelled("load", "4 and 16 bit at once")),
    };
    Ok((load, !full && !four_bit && !sixteen_bit))
}

/// Adapters; without them every weight is trained. Embedding and head among the targets are trained whole.
fn lora(case: &mut Fields) -> Result<(Option<Lora>, Qat), Refusal> {
    let default = serde_json::json!({});
    let given: Option<Map<String, Value>> = case.take("lora", default.as_object().cloned())?;
    let Some(given) = given else {
        return Ok((None, Qat::Off));
    };
    let mut given = Fields::new("lora.", given);
    let qat = match given.take::<Option<String>>("qat_scheme", None)? {
        None => Qat::Off,
        Some(scheme) => scheme
            .parse()
            .map_err(|_| not_modelled("lora.qat_scheme", &scheme))?,
    };
    let all = [
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    ];
    let targets: Vec<String> = given.take("targets", all.map(String::from).to_vec())?;
    let whole = |name: &String| matches!(name.as_str(), "embed_tokens" | "lm_head");
    let (saved, adapted) = targets.into_iter().partition(whole);
    let read = Lora {
        rank: given.take("rank", 16)?,
        alpha: given.take("alpha", 16.0)?,
        dropout: given.take("dropout", 0.0)?,
        targets: Targets::Modules(adapted),
        modules_to_save: saved,
        use_rslora: given.take("use_rslora", false)?,
        use_dora: given.take("use_dora", false)?,
        ..Lora::default()
    };
    given.finish()?;
    Ok((Some(read), qat))
}

/// Documents in a row: `packing` lays as many as fit into `seq` tokens behind each other.
fn packing(case: &mut Fields, seq: &mut u64) -> Result<u64, Refusal> {
    let packs = case.take::<Option<bool>>("packing", None)?;
    let from: Option<u64> = case.take("pack_from", None)?;
    match (packs, from) {
        (Some(true), Some(from)) if from > 0 && *seq >= from => {
            let documents = *seq / from;
            *seq = documents * from;
            Ok(documents)
        }
        (Some(true), _) => Err(not_modelled("packing", "packing of unknown documents")),
        _ => Ok(1),
    }
}

/// The lengths of the largest micro-batch that the run draws, where rows have several.
fn lengths(case: &mut Fields, sizes: [u64; 3], padding_free: bool) -> Result<Vec<u64>, Refusal> {
    /// Rows that are shuffled at most: runs are a few steps long.
    const MOST_ROWS: u64 = 1 << 20;
    let Some(lengths) = case.take::<Option<Vec<u64>>>("lengths", None)? else {
        return Ok(Vec::new());
    };
    let [batch, grad_accum, steps] = sizes;
    let micro_batches = grad_accum.saturating_mul(steps);
    let rows = batch
        .saturating_mul(grad_accum)
        .saturating_mul(steps.saturating_add(1))
        .max(64);
    if rows > MOST_ROWS {
        return Err(not_modelled("lengths", "a run this long"));
    }
    let sizes = [rows, batch, micro_batches].map(|n| n as usize);
    let [rows, batch, count] = sizes;
    Ok(draws::largest(&lengths, rows, batch, count, !padding_free))
}

fn card(case: &mut Fields) -> Result<(String, f64), Refusal> {
    let mut gpu = case.object("gpu", "gpu.")?;
    let capability = gpu.take("cc", "8.9".to_string())?;
    let memory = gpu.take("memory_gib", 23.52)?;
    let _name: Value = gpu.take("name", Value::Null)?;
    gpu.finish()?;
    Ok((capability, memory))
}
