//! A model outside the catalog: what its files hold beside its dimensions, and what the user said of it.

use super::not_modelled;
use crate::estimate::EstimateError;
use crate::model::HfConfig;
use crate::scenario::{ModelRef, Scenario, WeightFormat};

/// The configuration of a scenario's own model.
fn config(s: &Scenario) -> Option<&HfConfig> {
    match &s.model {
        ModelRef::Config(config) => Some(config),
        ModelRef::Catalog(_) => None,
    }
}

/// The format in which an own model's weights are stored, where it is one of a scenario's.
pub(super) fn stored(s: &Scenario) -> Option<WeightFormat> {
    config(s)?.stored_as.as_deref()?.parse().ok()
}

/// What the user should know of an own model.
///
/// # Errors
/// Its weights are stored in a way that is not replayed.
#[inline(never)]
pub(super) fn notes(s: &Scenario, config: &HfConfig) -> Result<Vec<String>, EstimateError> {
    let mut notes = Vec::new();
    if let Some(other) = &config.treat_as {
        notes.push(format!(
            "the model's type is '{}'; on your word it is replayed as '{other}', which its real memory may differ from",
            config.own_type()
        ));
    }
    match (&config.stored_as, stored(s)) {
        (Some(method), None) => {
            return not_modelled(format!(
                "its weights are stored as {method}, whose layers are not written: take the repository of its 16-bit original, or leave stored_as out to count that"
            ));
        }
        (Some(format), Some(stored)) if stored != s.weights => notes.push(format!(
            "the model's files hold {format}, and what a quantized checkpoint says comes before what the loader asks for; {} as counted here needs its 16-bit original",
            s.weights
        )),
        _ => {}
    }
    Ok(notes)
}
