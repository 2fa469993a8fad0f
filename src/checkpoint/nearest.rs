//! Which known type is nearest to one that is not.

use super::{Tensor, layers};
use crate::catalog::similarity;
use crate::model::{Architecture, Family, HfConfig};

/// Types spelt less alike than this are no relatives.
const LEAST_SIMILARITY: f64 = 0.6;

/// A known type, and what of the model's first layer it has and lacks.
pub(super) struct Nearest {
    /// The type.
    pub name: &'static str,
    /// Modules of the files that it does not have.
    pub lacking: Vec<String>,
}

/// The type whose layers share the most modules with the files'; without files the one spelt most alike, else `llama`.
pub(super) fn nearest(config: &HfConfig, tensors: &[Tensor]) -> Nearest {
    let found = layers::first_layer(tensors);
    let spelt = |name: &str| similarity(name, config.own_type());
    if found.is_empty() {
        let alike = Family::TYPES
            .into_iter()
            .filter(|name| spelt(name) >= LEAST_SIMILARITY);
        let best = alike.max_by(|a, b| spelt(a).total_cmp(&spelt(b)));
        return Nearest {
            name: best.unwrap_or("llama"),
            lacking: Vec::new(),
        };
    }
    let mut best = Nearest {
        name: "llama",
        lacking: Vec::new(),
    };
    let mut best_score = f64::MIN;
    for name in Family::TYPES {
        let trial = HfConfig {
            treat_as: Some(name.into()),
            ..config.clone()
        };
        let Ok(arch) = Architecture::from_config(&trial) else {
            continue;
        };
        let own: Vec<&str> = arch.layer(0).iter().map(|part| part.path).collect();
        let lacking: Vec<String> = found
            .iter()
            .filter(|path| !own.contains(path))
            .map(|path| (*path).to_owned())
            .collect();
        let shared = found.len() - lacking.len();
        let score =
            shared as f64 - lacking.len() as f64 - (own.len() - shared.min(own.len())) as f64 + spelt(name);
        if score > best_score {
            (best, best_score) = (Nearest { name, lacking }, score);
        }
    }
    best
}
