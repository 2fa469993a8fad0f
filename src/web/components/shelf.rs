//! The two shelves of the catalog from which the page picks: models and cards.

use super::combobox::{Combobox, Entry, grouped};
use super::desk::Desk;
use crate::catalog;
use crate::model::unsupported_reason;
use crate::scenario::ModelRef;
use crate::web::state::Action;
use crate::web::words::{gib1, params};
use yew::prelude::*;

/// A shelf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelf {
    /// The models.
    Models,
    /// The cards.
    Cards,
}

impl Shelf {
    /// The field that it fills, named as in URLs.
    pub fn id(self) -> &'static str {
        match self {
            Shelf::Models => "model",
            Shelf::Cards => "gpu",
        }
    }

    /// The field's label.
    pub fn label(self) -> &'static str {
        match self {
            Shelf::Models => "Model",
            Shelf::Cards => "Card",
        }
    }

    /// Shown while the field is empty.
    pub fn placeholder(self) -> &'static str {
        match self {
            Shelf::Models => "owner/name",
            Shelf::Cards => "no card, no verdict",
        }
    }

    /// What is on it, groups together.
    pub fn entries(self) -> Vec<Entry> {
        grouped(match self {
            Shelf::Models => catalog::models().iter().map(model).collect(),
            Shelf::Cards => catalog::gpus().iter().map(card).collect(),
        })
    }
}

fn model(model: &catalog::Model) -> Entry {
    let owner = model.id.split('/').next().unwrap_or_default();
    let license = model.license.as_deref().unwrap_or("licence unknown");
    let detail = format!("{owner} · {license}");
    let size = params(model.computed_params);
    let mut entry = Entry::new(&model.id, model.name(), &model.family, size, detail);
    entry.refused = unsupported_reason(&model.config);
    entry
}

fn card(card: &catalog::Gpu) -> Entry {
    let capability = match (&card.compute_capability, &card.target) {
        (Some(capability), _) => format!(" · compute capability {capability}"),
        (None, Some(target)) => format!(" · {target}"),
        (None, None) => String::new(),
    };
    let detail = format!("{} GiB usable{capability}", gib1(card.usable_bytes()));
    Entry::new(
        &card.slug,
        &card.name,
        &card.architecture,
        format!("{} GiB", card.memory_gib),
        detail,
    )
}

/// Chooses the model.
pub fn model_picker(desk: &Desk) -> Html {
    let (value, chosen) = match &desk.state.scenario.model {
        ModelRef::Catalog(id) => (id.clone(), Some(AttrValue::from(id.clone()))),
        ModelRef::Config(config) => {
            let layers = config.num_hidden_layers;
            (format!("own {} of {layers} layers", config.label()), None)
        }
    };
    let commit = desk.act.reform(Action::Model);
    html! {
        <Combobox shelf={Shelf::Models} {value} {chosen} {commit} problem={desk.state.problem("model")} />
    }
}

/// Chooses the card, or none.
pub fn card_picker(desk: &Desk) -> Html {
    let scenario = &desk.state.scenario;
    let chosen = scenario.gpu.clone();
    let value = scenario
        .card()
        .map(|card| card.name.clone())
        .or_else(|| chosen.clone())
        .unwrap_or_default();
    let commit = desk
        .act
        .reform(|slug: String| Action::Card((!slug.is_empty()).then_some(slug)));
    html! {
        <Combobox shelf={Shelf::Cards} {value} chosen={chosen.map(AttrValue::from)} {commit}
            problem={desk.state.problem("gpu")} />
    }
}
