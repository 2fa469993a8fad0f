//! Which model a scenario means.

use super::{FieldError, inline};
use crate::catalog;
use crate::model::HfConfig;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::borrow::Cow;

/// Which model: one of the catalog by its Hub id, or any other by its essential `config.json` fields.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ModelRef {
    /// A Hub id of the catalog, such as `meta-llama/Llama-3.1-8B`.
    Catalog(String),
    /// The essential fields of a `config.json`.
    Config(Box<HfConfig>),
}

impl ModelRef {
    /// The architecture: the catalog's, or the given one completed with what its `model_type` implies. Nothing when the
    /// catalog does not hold the id.
    pub fn config(&self) -> Option<Cow<'static, HfConfig>> {
        match self {
            ModelRef::Catalog(id) => catalog::model(id).map(|model| Cow::Borrowed(&model.config)),
            ModelRef::Config(config) => Some(Cow::Owned(completed(config))),
        }
    }

    /// Reads a Hub id, or a config with every field of it that cannot be read.
    pub(super) fn from_json(given: Value) -> Result<Self, Vec<FieldError>> {
        match given {
            Value::String(id) => Ok(ModelRef::Catalog(id)),
            Value::Object(keys) => match inline::read(keys) {
                (config, problems) if problems.is_empty() => Ok(ModelRef::Config(Box::new(config))),
                (_, problems) => Err(problems),
            },
            _ => Err(vec![FieldError::new(
                "model",
                "give a Hub id, or an object with the fields of a config.json",
            )]),
        }
    }
}

#[inline(never)]
fn completed(config: &HfConfig) -> HfConfig {
    config.clone().completed()
}

impl<'de> Deserialize<'de> for ModelRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = Value::deserialize(deserializer)?;
        ModelRef::from_json(given).map_err(|problems| D::Error::custom(FieldError::list(&problems)))
    }
}
