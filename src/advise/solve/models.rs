//! The largest model of a family that fits the card.

use crate::advise::fit;
use crate::catalog::{self, Model};
use crate::estimate::{EstimateError, Estimates};
use crate::scenario::{FieldError, ModelRef, Scenario};
use crate::sort::sort_by_key;
use serde::Serialize;

/// The answer for a family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct ModelFit {
    /// The family, as the catalog names it.
    pub family: &'static str,
    /// The largest model that fits; nothing when none does.
    pub model: Option<&'static str>,
    /// Bytes to spare with it.
    pub headroom_bytes: Option<i64>,
    /// The next larger model that can be replayed, which does not fit.
    pub next: Option<&'static str>,
    /// Larger models that cannot be replayed, each with the reason: nothing is said of them.
    pub not_modelled: Vec<(&'static str, String)>,
}

/// The largest model of a family of the catalog with which the run fits its card; without a family that of the
/// scenario's model. Models are tried one by one from the largest down, so nothing is taken for monotone.
///
/// ```
/// use plimsoll::advise::solve::largest_model;
/// use plimsoll::scenario::Scenario;
/// let run = Scenario { gpu: Some("rtx-3060-12gb".into()), seq: 1024, ..Scenario::default() };
/// let fit = largest_model(&run, Some("Qwen2.5")).expect("a family of the catalog");
/// assert_eq!(fit.family, "Qwen2.5");
/// assert!(fit.next.is_some());
/// ```
///
/// # Errors
/// No card, an unknown family, or no model of it that can be replayed.
pub fn largest_model(scenario: &Scenario, family: Option<&str>) -> Result<ModelFit, EstimateError> {
    largest_model_by(&Estimates::default(), scenario, family)
}

/// As [`largest_model`], by estimates of which some are known.
pub(in crate::advise) fn largest_model_by(
    estimates: &Estimates,
    scenario: &Scenario,
    family: Option<&str>,
) -> Result<ModelFit, EstimateError> {
    fit::card(scenario)?;
    let family = match (family, &scenario.model) {
        (Some(name), _) => named(name)?,
        (None, ModelRef::Catalog(id)) => catalog::model(id).map_or("", |model| model.family.as_str()),
        (None, ModelRef::Config(_)) => {
            return invalid("model", "is not of the catalog; name a family of the catalog");
        }
    };
    let mut models: Vec<&'static Model> = catalog::models().iter().filter(|m| m.family == family).collect();
    // Of equally large models the scenario's own, then the catalog's first.
    let own = |model: &Model| scenario.model != ModelRef::Catalog(model.id.clone());
    sort_by_key(&mut models, |model| {
        (std::cmp::Reverse(model.computed_params), own(model))
    });
    models.dedup_by_key(|model| model.computed_params);
    let mut answer = ModelFit {
        family,
        model: None,
        headroom_bytes: None,
        next: None,
        not_modelled: Vec::new(),
    };
    for model in models {
        let run = Scenario {
            model: ModelRef::Catalog(model.id.clone()),
            ..scenario.clone()
        };
        match fit::fits(estimates, &run) {
            Ok(true) => {
                answer.model = Some(&model.id);
                answer.headroom_bytes = estimates.estimate(&run)?.headroom_bytes;
                break;
            }
            Ok(false) => answer.next = Some(&model.id),
            Err(EstimateError::NotModelled(reason)) => answer.not_modelled.push((&model.id, reason)),
            Err(error) => return Err(error),
        }
    }
    Ok(answer)
}

/// The family of this name, whatever the case.
fn named(name: &str) -> Result<&'static str, EstimateError> {
    let families = || catalog::models().iter().map(|model| model.family.as_str());
    if let Some(family) = families().find(|family| family.eq_ignore_ascii_case(name)) {
        return Ok(family);
    }
    let near = families().map(|family| (catalog::similarity(name, family), family));
    let hint = match near.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((_, family)) => format!("; did you mean '{family}'?"),
        None => String::new(),
    };
    invalid("family", &format!("'{name}' is not in the catalog{hint}"))
}

fn invalid<T>(field: &str, problem: &str) -> Result<T, EstimateError> {
    Err(EstimateError::Invalid(vec![FieldError::new(field, problem)]))
}
