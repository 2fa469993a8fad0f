//! Catalogs that come at run time, for programs that do not hold them.

use super::gpus::GPUS;
use super::models::MODELS;
use super::prices::PRICES;
use super::variants::VARIANTS;
use std::str::FromStr;

/// One of the data files beside this one, by its name without `.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Catalog {
    /// The models: without them a scenario spells its model out.
    Models,
    /// The cards: without them no card can be named.
    Gpus,
    /// What Unsloth publishes of a model: without them the layers that a dynamic 4-bit repository keeps in 16 bit are not
    /// known.
    Variants,
    /// Prices: without them no card is the cheapest.
    Prices,
}

impl FromStr for Catalog {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "models" => Ok(Catalog::Models),
            "gpus" => Ok(Catalog::Gpus),
            "variants" => Ok(Catalog::Variants),
            "prices" => Ok(Catalog::Prices),
            _ => Err(format!(
                "'{name}' is no catalog; there are models, gpus, variants, prices"
            )),
        }
    }
}

/// Supplies a catalog: the text of its file. One that is there already stays.
///
/// # Errors
/// The text is not of such a file.
pub fn supply(catalog: Catalog, json: &str) -> Result<(), &'static str> {
    match catalog {
        Catalog::Models => MODELS.supply(json),
        Catalog::Gpus => GPUS.supply(json),
        Catalog::Variants => VARIANTS.supply(json),
        Catalog::Prices => PRICES.supply(json),
    }
}
