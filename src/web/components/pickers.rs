//! The two pickers over the catalog: model and card.

use super::combobox::{Combobox, Entry};
use super::desk::Desk;
use crate::catalog;
use crate::model::unsupported_reason;
use crate::scenario::ModelRef;
use crate::web::state::Action;
use crate::web::words::{gib1, params};
use yew::prelude::*;

/// Chooses the model.
#[component]
pub fn ModelPicker(desk: &Desk) -> Html {
    let entries = use_memo((), |()| {
        catalog::models().iter().map(model_entry).collect::<Vec<_>>()
    });
    let (value, chosen) = match &desk.state.scenario.model {
        ModelRef::Catalog(id) => (id.clone(), Some(AttrValue::from(id.clone()))),
        ModelRef::Config(config) => (
            format!(
                "own {} config, {} layers",
                config.model_type, config.num_hidden_layers
            ),
            None,
        ),
    };
    html! {
        <Combobox id="model" label="Model" {value} {chosen} {entries} placeholder="owner/name"
            commit={desk.act.reform(Action::Model)} problem={desk.state.problem("model")} />
    }
}

fn model_entry(model: &catalog::Model) -> Entry {
    let towers = model.computed_params - model.text_params;
    let parts = [
        Some(model.id.split('/').next().unwrap_or_default().to_owned()),
        model.license.clone(),
        (towers > 0).then(|| format!("{} without its towers", params(model.text_params))),
    ];
    Entry {
        key: model.id.clone(),
        name: model.name().to_owned(),
        aside: params(model.computed_params),
        detail: parts.into_iter().flatten().collect::<Vec<_>>().join(" · "),
        refused: unsupported_reason(&model.config),
        group: model.family.clone(),
    }
}

/// Chooses the card, or none.
#[component]
pub fn CardPicker(desk: &Desk) -> Html {
    let entries = use_memo((), |()| {
        catalog::gpus().iter().map(card_entry).collect::<Vec<_>>()
    });
    let chosen = desk.state.scenario.gpu.clone();
    let value = desk
        .state
        .scenario
        .card()
        .map(|card| card.name.clone())
        .or_else(|| chosen.clone())
        .unwrap_or_default();
    let commit = desk
        .act
        .reform(|slug: String| Action::Card((!slug.is_empty()).then_some(slug)));
    html! {
        <Combobox id="gpu" label="Card" {value} chosen={chosen.map(AttrValue::from)} {entries} {commit}
            placeholder="no card: no verdict" problem={desk.state.problem("gpu")} />
    }
}

fn card_entry(card: &catalog::Gpu) -> Entry {
    let capability = match (&card.compute_capability, &card.target) {
        (Some(capability), _) => Some(format!("compute capability {capability}")),
        (None, target) => target.clone(),
    };
    let usable = format!("{} GiB usable", gib1(card.usable_bytes()));
    Entry {
        key: card.slug.clone(),
        name: card.name.clone(),
        aside: format!("{} GiB", card.memory_gib),
        detail: [Some(usable), capability]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" · "),
        refused: None,
        group: card.architecture.clone(),
    }
}
