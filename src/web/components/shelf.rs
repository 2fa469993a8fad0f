//! The two shelves of the catalog from which the page picks: models and cards.

use super::combobox::{Entry, grouped, use_combobox};
use super::desk::Desk;
use super::piece::piece;
use crate::catalog;
use crate::scenario::{ModelRef, Scenario};
use crate::web::state::Action;
use crate::words::{gib1, params};
use yew::functional::Hook;
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

    /// What of it a scenario has.
    pub fn present(self, scenario: &Scenario) -> Present {
        match (self, &scenario.model) {
            (Shelf::Models, ModelRef::Catalog(id)) => Present {
                text: id.clone(),
                key: Some(id.clone()),
            },
            (Shelf::Models, ModelRef::Config(config)) => Present {
                text: format!("own {} of {} layers", config.label(), config.num_hidden_layers),
                key: None,
            },
            (Shelf::Cards, _) => {
                let key = scenario.gpu.clone();
                let name = scenario.card().map(|card| card.name.clone());
                Present {
                    text: name.or_else(|| key.clone()).unwrap_or_default(),
                    key,
                }
            }
        }
    }

    /// What picking a key, or typing a text that is none, does.
    pub fn commit(self, text: String) -> Action {
        match self {
            Shelf::Models => Action::Model(text),
            Shelf::Cards => Action::Card((!text.is_empty()).then_some(text)),
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

/// What a scenario has of a shelf.
pub struct Present {
    /// Its name.
    pub text: String,
    /// Its key, unless it is not of the shelf.
    pub key: Option<String>,
}

fn model(model: &catalog::Model) -> Entry {
    let owner = model.id.split('/').next().unwrap_or_default();
    let license = model.license.as_deref().unwrap_or("licence unknown");
    let detail = format!("{owner} · {license}");
    let size = params(model.computed_params);
    let mut entry = Entry::new(&model.id, model.name(), &model.family, size, detail);
    entry.refused = model.refused();
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
    piece(Shelf::Models.id(), desk, |desk, context| {
        use_combobox(desk, Shelf::Models).run(context)
    })
}

/// Chooses the card, or none.
pub fn card_picker(desk: &Desk) -> Html {
    piece(Shelf::Cards.id(), desk, |desk, context| {
        use_combobox(desk, Shelf::Cards).run(context)
    })
}
