//! An architecture: what of a model's `config.json` decides memory.

mod architecture;
mod config;
mod config_json;
mod config_value;
mod experts;
mod family;
mod implied;
mod layer;
mod part;
mod per_layer;
mod recurrence;
mod shared_keys;

pub use architecture::{Architecture, Attention, Latent, Mlp, QueryNorm};
pub use config::HfConfig;
pub(crate) use config::NOT_OF_THE_HUB;
pub use experts::{Correction, ExpertStorage, Experts, Groups, OldNames};
pub use family::{Family, Norm};
pub use part::{Part, PartKind};
pub use per_layer::PerLayer;
pub use recurrence::{DeltaNet, Mixer, Recurrence};
pub use shared_keys::SharedKeys;

/// Why runs of this model cannot be replayed, or nothing when they can.
pub fn unsupported_reason(config: &HfConfig) -> Option<String> {
    Architecture::from_config(config).err()
}

/// The same of a configuration whose numbers are known to be sound, as those of the catalog are: a list of models asks this
/// of each.
pub fn refused_by_type(config: &HfConfig) -> Option<String> {
    match Family::of(config.text_type()) {
        Some(family) => architecture::refused(config, family).map(Into::into),
        None => Some(architecture::not_written(config.text_type())),
    }
}
