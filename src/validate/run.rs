//! A run that is to be measured: its scenario, its name, and what its measuring program is told.

use serde_json::{Map, Value, json};

use super::Weights;
use crate::model::HfConfig;
use crate::scenario::{ModelRef, Scenario, Stack, Transformers};

/// A run that is to be measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its name: the same for the same scenario, so that a resumed validation knows it.
    pub id: String,
    /// What is run. Card and compute capability are those of the machine, whatever stands here.
    pub scenario: Scenario,
    /// Where the weights come from.
    pub weights_from: Weights,
}

impl Run {
    /// Names a scenario; `repeat` counts the times it is run, from 1.
    pub fn new(scenario: Scenario, weights_from: Weights, repeat: u32) -> Self {
        let scenario = Scenario {
            gpu: None,
            compute_capability: None,
            memory_gib: None,
            ..scenario
        };
        let model = match &scenario.model {
            ModelRef::Catalog(id) => id.rsplit('/').next().unwrap_or(id).to_ascii_lowercase(),
            ModelRef::Config(config) => config.model_type.to_ascii_lowercase(),
        };
        let mut id = format!(
            "{}-{}-{}-{model}-b{}-s{}-{:08x}",
            scenario.stack,
            scenario.method,
            scenario.weights,
            scenario.batch,
            scenario.seq,
            digest(&scenario)
        );
        if weights_from == Weights::Hub {
            id += "-hub";
        }
        if repeat > 1 {
            id += &format!("-{repeat}");
        }
        Run {
            id,
            scenario,
            weights_from,
        }
    }

    /// How many steps show the steady state: optimizer states are born in the first; Unsloth's second buffer of
    /// off-loaded layer inputs in the second.
    fn steps(&self) -> u32 {
        match self.scenario.stack {
            Stack::Hf => 2,
            Stack::Unsloth => 3,
        }
    }
}

/// 32 bits that tell scenarios apart (FNV-1a over the scenario's JSON).
fn digest(scenario: &Scenario) -> u32 {
    let text = serde_json::to_string(scenario).unwrap_or_default();
    text.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// What a measuring program is told on its standard input.
///
/// # Errors
/// The model cannot be made from its configuration alone.
pub fn program_input(run: &Run, history: bool) -> Result<Value, String> {
    let config = run
        .scenario
        .model
        .config()
        .ok_or("the model is not in the catalog")?;
    let id = match &run.scenario.model {
        ModelRef::Catalog(id) => Some(id),
        ModelRef::Config(_) => None,
    };
    if run.scenario.transformers != Transformers::Current {
        return Err("the measuring program needs transformers 5; leave the field transformers out".into());
    }
    if run.weights_from == Weights::Hub && id.is_none() {
        return Err("weights from the Hub need a model's Hub id".into());
    }
    if run.weights_from == Weights::Random && config.vision_config.is_some() {
        return Err(
            "the model has a vision tower, which its configuration does not describe whole; \
                    run it with --weights hub"
                .into(),
        );
    }
    Ok(json!({
        "scenario": run.scenario,
        "config": arguments(&config),
        "model": id,
        "weights": run.weights_from,
        "steps": run.steps(),
        "history": history,
    }))
}

/// Fields that are this project's own and no keys of a `config.json`; transformers knows them from `model_type`.
const OWN: &[&str] = &[
    "attention_bias_scope",
    "effective_intermediate_size",
    "full_attention_layers",
    "mlp_gated",
    "qk_norm",
    "text_model_type",
];

/// The configuration as transformers takes it.
fn arguments(config: &HfConfig) -> Map<String, Value> {
    let mut keys = Map::new();
    for (name, value) in config.fields().filter(|(name, _)| !OWN.contains(name)) {
        keys.insert(name.into(), value);
    }
    if keys.remove("layer_types_pattern").is_some()
        && let Some(pattern) = config.layer_types_pattern.as_ref().filter(|p| !p.is_empty())
    {
        // A configuration lists every layer; no more than a scenario may have.
        let layers = config.num_hidden_layers.min(4096) as usize;
        let types: Vec<_> = pattern.iter().cycle().take(layers).collect();
        keys.insert("layer_types".into(), json!(types));
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_the_same_name_whatever_card_it_is_meant_for() {
        let on = |gpu: Option<&str>| {
            let scenario = Scenario {
                gpu: gpu.map(Into::into),
                ..Scenario::default()
            };
            Run::new(scenario, Weights::Random, 1).id
        };
        assert_eq!(on(None), on(Some("rtx-4090")));
        assert!(on(None).starts_with("hf-qlora-nf4-dq-llama-3.1-8b-b2-s2048-"));
        let longer = Scenario {
            seq: 4096,
            ..Scenario::default()
        };
        assert_ne!(on(None), Run::new(longer, Weights::Random, 1).id);
    }

    #[test]
    fn a_repeated_run_has_a_name_of_its_own() {
        let named = |weights, repeat| Run::new(Scenario::default(), weights, repeat).id;
        assert_eq!(named(Weights::Random, 2), named(Weights::Random, 1) + "-2");
        assert_eq!(named(Weights::Hub, 1), named(Weights::Random, 1) + "-hub");
    }

    #[test]
    fn a_program_is_told_the_keys_that_transformers_knows() {
        let input = program_input(&Run::new(Scenario::default(), Weights::Random, 1), true).unwrap();
        assert_eq!(input["config"]["hidden_size"], 4096);
        assert_eq!(input["config"]["model_type"], "llama");
        assert!(OWN.iter().all(|name| input["config"].get(name).is_none()));
        assert_eq!(
            (&input["steps"], &input["weights"]),
            (&json!(2), &json!("random"))
        );
        assert_eq!(input["scenario"]["weights"], "nf4-dq");
    }

    #[test]
    fn every_layer_of_a_mixed_model_is_listed() {
        let scenario = Scenario {
            model: ModelRef::Catalog("openai/gpt-oss-20b".into()),
            ..Scenario::default()
        };
        let input = program_input(&Run::new(scenario, Weights::Random, 1), true).unwrap();
        let types = input["config"]["layer_types"].as_array().unwrap();
        assert_eq!(
            types.len() as u64,
            input["config"]["num_hidden_layers"].as_u64().unwrap()
        );
    }
}
