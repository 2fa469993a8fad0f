//! `adapter_config.json`: the settings of a saved adapter, and the model that it belongs to.

use super::draft::{Draft, Taken};
use super::lora_keys;
use super::setting::Setting;
use crate::scenario::{Lora, Method, Scenario, Stack, Targets};
use serde_json::{Map, Value};

/// Keys of `peft.LoraConfig` that change what is trained, and that a scenario cannot say.
const NOT_MODELLED: [&str; 8] = [
    "exclude_modules",
    "layer_replication",
    "layers_to_transform",
    "lora_bias",
    "rank_pattern",
    "target_parameters",
    "trainable_token_indices",
    "use_qalora",
];

/// A saved adapter.
#[derive(Clone, Debug, PartialEq)]
pub struct Adapter {
    /// The name of its base model.
    pub base: String,
    /// Its settings.
    pub lora: Lora,
    /// What cannot be used, a sentence each.
    pub remarks: Vec<String>,
}

impl Adapter {
    /// What it is, in a few words.
    pub fn words(&self) -> String {
        let Adapter { base, lora, .. } = self;
        let dora = if lora.use_dora { " with DoRA" } else { "" };
        let targets = match &lora.targets {
            Targets::Word(_) => "every linear layer".into(),
            Targets::Modules(names) => names.join(", "),
        };
        format!("Adapter of {base}: rank {}{dora} on {targets}", lora.rank)
    }

    /// Puts its settings into a run. The dtype is none of them: that follows from how the adapter is loaded.
    pub fn apply(&self, run: &mut Scenario) {
        if run.method == Method::Full {
            run.set_method(Method::Lora);
        }
        run.lora = Lora {
            adapter_dtype: run.lora.adapter_dtype,
            ..self.lora.clone()
        };
    }
}

/// Reads an `adapter_config.json`.
///
/// ```
/// use plimsoll::export::adapter;
/// let read = adapter(r#"{"peft_type": "LORA", "base_model_name_or_path": "Qwen/Qwen3-8B", "r": 64}"#);
/// let read = read.expect("a LoRA adapter");
/// assert_eq!((read.base.as_str(), read.lora.rank), ("Qwen/Qwen3-8B", 64));
/// ```
///
/// # Errors
/// It is no JSON object, names no base model, or is no LoRA adapter.
pub fn adapter(text: &str) -> Result<Adapter, String> {
    let text = text.trim_start_matches('\u{feff}');
    let keys: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let base = keys.get("base_model_name_or_path").and_then(Value::as_str);
    let Some(base) = base.filter(|base| !base.is_empty()) else {
        return Err("base_model_name_or_path is missing".into());
    };
    let mut draft = Draft::new(Scenario::for_stack(Stack::Hf, Method::Lora));
    // PEFT's own defaults, which older versions did not write.
    (draft.run.lora.rank, draft.run.lora.alpha) = (8, 8.0);
    let mut remarks = Vec::new();
    for (key, value) in &keys {
        if key == "base_model_name_or_path" {
            continue;
        }
        let setting = Setting {
            key: key.clone(),
            value: value.clone(),
            line: 1,
        };
        match lora_keys::read(&mut draft, &setting) {
            Taken::Problem(text) if key == "peft_type" => return Err(text),
            Taken::Problem(text) | Taken::Noted(text) => remarks.push(format!("{key}: {text}")),
            _ if NOT_MODELLED.contains(&key.as_str()) && says_something(value) => {
                remarks.push(format!("{key}: is not modelled, and left out"));
            }
            _ => {}
        }
    }
    if !keys.get("target_modules").is_some_and(says_something) {
        remarks.push("target_modules: are not named; every linear layer is taken".into());
    }
    Ok(Adapter {
        base: base.to_owned(),
        lora: draft.run.lora,
        remarks,
    })
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(keys) => !keys.is_empty(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::AdapterDtype;
    use serde_json::json;

    #[test]
    fn a_saved_adapter_is_read_whole() {
        let saved = json!({
            "peft_type": "LORA", "base_model_name_or_path": "a/b", "r": 32, "lora_alpha": 64, "lora_dropout": 0.05,
            "target_modules": ["v_proj", "q_proj"], "use_dora": true, "modules_to_save": ["lm_head"],
            "bias": "none", "rank_pattern": {}, "layers_to_transform": null, "lora_bias": false,
        });
        let read = adapter(&saved.to_string()).unwrap();
        let lora = Lora {
            rank: 32,
            alpha: 64.0,
            dropout: 0.05,
            targets: Targets::Modules(vec!["v_proj".into(), "q_proj".into()]),
            use_dora: true,
            modules_to_save: vec!["lm_head".into()],
            ..read.lora.clone()
        };
        assert_eq!(
            read,
            Adapter {
                base: "a/b".into(),
                lora,
                remarks: Vec::new()
            }
        );
        assert_eq!(
            read.words(),
            "Adapter of a/b: rank 32 with DoRA on v_proj, q_proj"
        );
    }

    #[test]
    fn what_cannot_be_used_is_remarked() {
        let saved = json!({
            "base_model_name_or_path": "a/b", "r": "many", "bias": "all", "rank_pattern": {"q_proj": 4},
            "target_modules": ".*language_model.*\\.(q_proj|v_proj)",
        });
        let read = adapter(&saved.to_string()).unwrap();
        assert_eq!(
            read.remarks,
            [
                "bias: trained biases are not modelled",
                "r: 'many' is not a whole number between 1 and 65536",
                "rank_pattern: is not modelled, and left out",
                "target_modules: a regular expression is not modelled; every linear layer is taken",
            ]
        );
        assert_eq!(read.lora.targets, Targets::all_linear());
    }

    #[test]
    fn what_is_no_lora_adapter_is_refused() {
        let refusal = |text: &str| adapter(text).unwrap_err();
        assert_eq!(refusal("{\"r\": 8}"), "base_model_name_or_path is missing");
        assert_eq!(
            refusal("{\"peft_type\": \"IA3\", \"base_model_name_or_path\": \"a/b\"}"),
            "adapters of type \"IA3\" are not modelled"
        );
        assert!(refusal("[]").starts_with("not JSON: invalid type: sequence"));
    }

    #[test]
    fn a_full_run_becomes_one_with_adapters_of_its_own_dtype() {
        let read =
            adapter("{\"base_model_name_or_path\": \"a/b\", \"r\": 4, \"target_modules\": \"all-linear\"}")
                .unwrap();
        assert_eq!(read.remarks, Vec::<String>::new());
        let mut run = Scenario::for_stack(Stack::Hf, Method::Full);
        run.lora.adapter_dtype = AdapterDtype::Base;
        read.apply(&mut run);
        assert_eq!((run.method, run.lora.rank), (Method::Lora, 4));
        assert_eq!(run.lora.adapter_dtype, AdapterDtype::Base);
    }
}
