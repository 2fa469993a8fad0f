//! The models: architecture, parameter counts, licence.

use super::nearest;
use super::row::Row;
use super::shelf::{Shelf, embedded};
use crate::json;
use crate::model::{HfConfig, refused_by_type};
use serde::Deserialize;
use serde_json::Value;
use std::sync::OnceLock;

/// A model of the Hub. Counts are elements, not bytes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Model {
    /// The Hub id, such as `meta-llama/Llama-3.1-8B`.
    pub id: String,
    /// The family under which it is listed, such as `Llama 3.1`.
    pub family: String,
    /// The Hub's licence tag, where known.
    #[serde(default)]
    pub license: Option<String>,
    /// Must one accept terms on the Hub before downloading? Absent: unknown.
    #[serde(default)]
    pub gated: Option<bool>,
    /// The architecture.
    pub config: HfConfig,
    /// Weights of the language model.
    pub text_params: u64,
    /// Weights of the vision tower.
    #[serde(default)]
    pub vision_params: Option<u64>,
    /// Weights of the projector between tower and language model.
    #[serde(default)]
    pub projector_params: Option<u64>,
    /// Weights of the audio tower.
    #[serde(default)]
    pub audio_params: Option<u64>,
    /// Weights of vision and audio towers, where only their sum is known.
    #[serde(default)]
    pub vision_audio_params: Option<u64>,
    /// All weights that are loaded, tied ones counted once: the sum of the parts above.
    pub computed_params: u64,
    /// Mixture of experts: weights a token passes, embeddings and vision included.
    #[serde(default)]
    pub computed_active_params: Option<u64>,
    /// Weights of the multi-token prediction module, which transformers does not load.
    #[serde(default)]
    pub mtp_params: Option<u64>,
    /// Other weights that are stored and not loaded.
    #[serde(default)]
    pub checkpoint_only_params: Option<u64>,
    /// What is doubtful or peculiar about this row.
    #[serde(default)]
    pub note: Option<String>,
}

impl Model {
    /// The id without its owner: `Llama-3.1-8B`.
    pub fn name(&self) -> &str {
        self.id.rsplit('/').next().unwrap_or(&self.id)
    }

    /// Why its runs cannot be replayed, or nothing when they can.
    pub fn refused(&self) -> Option<String> {
        refused_by_type(&self.config)
    }
}

pub(super) static MODELS: Shelf<Model> = Shelf::new(read);

/// Every model, families together.
pub fn models() -> &'static [Model] {
    MODELS.rows(embedded!("data/models.json"))
}

fn read(row: Value) -> Model {
    let mut row = Row::from(row);
    let config = match row.take("config") {
        Value::Object(keys) => HfConfig::read_essential(keys).0,
        _ => HfConfig::default(),
    };
    Model {
        id: row.text("id"),
        family: row.text("family"),
        license: row.maybe_text("license"),
        gated: row.maybe_flag("gated"),
        config,
        text_params: row.whole("text_params"),
        vision_params: row.maybe_whole("vision_params"),
        projector_params: row.maybe_whole("projector_params"),
        audio_params: row.maybe_whole("audio_params"),
        vision_audio_params: row.maybe_whole("vision_audio_params"),
        computed_params: row.whole("computed_params"),
        computed_active_params: row.maybe_whole("computed_active_params"),
        mtp_params: row.maybe_whole("mtp_params"),
        checkpoint_only_params: row.maybe_whole("checkpoint_only_params"),
        note: row.maybe_text("note"),
    }
}

/// The model with this Hub id, upper and lower case alike.
pub fn model(id: &str) -> Option<&'static Model> {
    // The one that is asked for first is read alone: a page answers before it needs the others.
    static FIRST: OnceLock<Model> = OnceLock::new();
    let is_it = |model: &&Model| model.id.eq_ignore_ascii_case(id.trim());
    if FIRST.get().is_none()
        && let Some(model) = alone(embedded!("data/models.json"), id.trim())
    {
        let _ = FIRST.set(model);
    }
    FIRST.get().filter(is_it).or_else(|| models().iter().find(is_it))
}

/// A model by itself: each has a line of the file, which begins with its id.
fn alone(text: &str, id: &str) -> Option<Model> {
    let row = text.lines().find(|line| {
        let named = line
            .strip_prefix("{\"id\":\"")
            .and_then(|rest| rest.get(..=id.len()));
        named
            .and_then(|named| named.strip_suffix('"'))
            .is_some_and(|named| named.eq_ignore_ascii_case(id))
    })?;
    json::read(row.trim_end_matches(',')).map(read)
}

/// Up to `n` models whose id is closest to a text: those that contain its words first, then those spelt alike.
pub fn nearest_models(text: &str, n: usize) -> Vec<&'static Model> {
    nearest::nearest(text, models(), n, |m, best| {
        [&m.id, m.name()].map(best).into_iter().fold(0.0, f64::max)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn all_models_are_read_and_their_ids_are_unique() {
        let parsed: Result<Vec<Model>, _> = serde_json::from_str(include_str!("data/models.json"));
        assert_eq!(parsed.map_err(|e| e.to_string()).as_deref(), Ok(models()));
        let ids: HashSet<_> = models().iter().map(|m| m.id.to_lowercase()).collect();
        assert_eq!(ids.len(), 222);
    }

    #[test]
    fn a_models_type_says_whether_its_runs_can_be_replayed() {
        for model in models() {
            assert_eq!(
                model.refused(),
                crate::model::unsupported_reason(&model.config),
                "{}",
                model.id
            );
        }
    }

    #[test]
    fn a_model_by_itself_is_the_same() {
        for model in models() {
            let loud = model.id.to_uppercase();
            assert_eq!(
                alone(include_str!("data/models.json"), &loud).as_ref(),
                Some(model)
            );
        }
        assert_eq!(alone(include_str!("data/models.json"), "meta-llama/Llama"), None);
        assert_eq!(alone(include_str!("data/models.json"), ""), None);
    }

    #[test]
    fn every_model_has_dimensions() {
        for Model { id, config, .. } in models() {
            let c = config;
            for (key, value) in [
                ("vocab_size", c.vocab_size),
                ("hidden_size", c.hidden_size),
                ("num_hidden_layers", c.num_hidden_layers),
                ("num_attention_heads", c.num_attention_heads),
                ("num_key_value_heads", c.num_key_value_heads.unwrap_or(0)),
            ] {
                assert!(value > 0, "{id}: {key}");
            }
            assert!(
                c.intermediate_size > 0 || c.moe_intermediate_size > Some(0),
                "{id}"
            );
            assert!(!c.model_type.is_empty(), "{id}");
        }
    }

    #[test]
    fn no_field_of_the_data_is_lost() {
        let rows: Vec<serde_json::Value> = serde_json::from_str(include_str!("data/models.json")).unwrap();
        for (row, model) in rows.iter().zip(models()) {
            assert_eq!(
                serde_json::to_value(&model.config).unwrap(),
                padded(&row["config"]),
                "{}",
                model.id
            );
        }
    }

    /// A row with no dense MLP leaves its width out; it is read as zero.
    fn padded(config: &serde_json::Value) -> serde_json::Value {
        let mut config = config.clone();
        config
            .as_object_mut()
            .unwrap()
            .entry("intermediate_size")
            .or_insert(0.into());
        config
    }

    #[test]
    fn the_parts_of_a_model_add_up() {
        for m in models() {
            let towers = [
                m.vision_params,
                m.projector_params,
                m.audio_params,
                m.vision_audio_params,
            ];
            let parts = m.text_params + towers.into_iter().flatten().sum::<u64>();
            assert_eq!(parts, m.computed_params, "{}", m.id);
            assert!(
                m.computed_active_params
                    .is_none_or(|active| active <= m.computed_params),
                "{}",
                m.id
            );
        }
    }

    #[test]
    fn an_exact_count_is_exact() {
        // What the Hub publishes stands with the sources, beside the data that is embedded.
        let published: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("data/provenance/models.json")).unwrap();
        assert_eq!(published.len(), models().len());
        let exact = |p: &&serde_json::Value| p["count_check"].as_str().unwrap().starts_with("exact");
        for p in published.iter().filter(exact) {
            let m = model(p["id"].as_str().unwrap()).unwrap();
            let stored = [m.mtp_params, m.checkpoint_only_params]
                .into_iter()
                .flatten()
                .sum::<u64>();
            assert_eq!(p["published_params"], m.computed_params + stored, "{}", m.id);
        }
    }

    #[test]
    fn ids_are_found_whatever_their_case() {
        for m in models() {
            assert_eq!(model(&m.id.to_uppercase()).map(|found| &found.id), Some(&m.id));
        }
        assert!(model("Llama-3.1-8B").is_none());
        assert!(model("").is_none());
    }

    #[test]
    fn misspelt_ids_lead_to_the_model_that_was_meant() {
        let first = |text| nearest_models(text, 1).first().map(|m| m.id.as_str());
        assert_eq!(first("Llama-3.1-8B"), Some("meta-llama/Llama-3.1-8B"));
        assert_eq!(first("meta-lama/Llama-3.1-8B"), Some("meta-llama/Llama-3.1-8B"));
        assert_eq!(first("qwen2.5 0.5b"), Some("Qwen/Qwen2.5-0.5B"));
        assert_eq!(first("mistral7b-v0.3"), Some("mistralai/Mistral-7B-v0.3"));
        assert_eq!(first("zzzzzzzzzzzz"), None);
        assert_eq!(nearest_models("", 5).len(), 5);
    }
}
