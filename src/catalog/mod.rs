//! Embedded facts: models, cards, prices. `data/README.md` says where they come from.
//!
//! ```
//! use plimsoll::catalog;
//! let model = catalog::model("meta-llama/llama-3.1-8b").unwrap();
//! assert_eq!(model.computed_params, 8_030_261_248);
//! let card = catalog::gpu("NVIDIA GeForce RTX 4090").unwrap();
//! assert_eq!(card.slug, "rtx-4090");
//! assert_eq!(catalog::nearest_gpus("rtx4900", 1)[0].slug, "rtx-4090");
//! ```

mod gpus;
mod listed;
mod mirror;
mod models;
mod nearest;
mod prices;
mod renderer;
mod row;
mod shelf;
mod supply;
mod variants;

pub use gpus::{Gpu, UsableBasis, gpu, gpus, nearest_gpus};
pub use listed::{ListedGpu, ListedModel, listed_gpus, listed_models};
pub use mirror::{Mirror, mirror};
pub use models::{Model, model, models, nearest_models};
pub use prices::{Price, prices, prices_of};
pub use renderer::gpus_by_renderer;
pub use supply::{Catalog, supply};
pub use variants::{Variants, variants, variants_of};

pub(crate) use nearest::similarity;
pub(crate) use row::Row;
#[cfg(feature = "app")]
pub(crate) use row::elements;
