//! The configuration's count of weights against the files'.

use super::{Inventory, Role, Tensor, role};
use crate::model::{Architecture, PartKind};
use serde::Serialize;

/// Beyond this share of the weights a difference needs an explanation.
const TOLERANCE: f64 = 0.01;

/// How the configuration and the files agree.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// Weights of the language model as computed from the configuration.
    pub computed: u64,
    /// Weights of the language model in the files, each once.
    pub stored: u64,
    /// Are they within 1 %?
    pub agrees: bool,
    /// What explains a difference, one sentence each.
    pub explanations: Vec<String>,
}

impl Check {
    /// Holds the two against each other.
    pub(super) fn new(arch: &Architecture, inventory: &Inventory, tensors: &[Tensor], bits: u64) -> Self {
        let mut explanations = Vec::new();
        let weights = |part| inventory.weights(part);
        let mut stored = [
            Role::Embeddings,
            Role::Layers,
            Role::Norm,
            Role::Head,
            Role::Other,
        ]
        .into_iter()
        .fold(0u64, |sum, part| sum.saturating_add(weights(part)));
        let head = weights(Role::Head);
        if arch.tied && head > 0 && weights(Role::Embeddings) > 0 {
            stored -= head.min(stored);
            explanations.push(
                "the files hold the tied head a second time; it is loaded as one with the embeddings".into(),
            );
        }
        if !arch.tied && head == 0 {
            explanations.push(
                "the head is not in the files: the configuration does not tie it, so that it would be new"
                    .into(),
            );
        }
        if weights(Role::NotLoaded) > 0 {
            explanations.push(format!(
                "{} weights of the files are not loaded: layers of multi-token prediction, heads of other tasks, buffers",
                weights(Role::NotLoaded)
            ));
        }
        let computed = arch.parameters();
        let agrees = stored.abs_diff(computed) as f64 <= TOLERANCE * computed.max(1) as f64;
        explanations.extend(embedding_rows(arch, tensors));
        if !agrees {
            let named = first_difference(arch, tensors, bits)
                .into_iter()
                .chain(unknown(tensors, arch.layers));
            explanations.extend(named);
            explanations.push(format!(
                "by its configuration the model has {computed} weights, its files hold {stored}"
            ));
        }
        Check {
            computed,
            stored,
            agrees,
            explanations,
        }
    }
}

/// An embedding of other rows than the configuration's vocabulary, which loading refuses.
fn embedding_rows(arch: &Architecture, tensors: &[Tensor]) -> Option<String> {
    let table = tensors.iter().find(|tensor| {
        Role::of(&tensor.name, arch.layers) == Role::Embeddings
            && tensor.shape.len() == 2
            && tensor.dtype.is_wide_float()
    })?;
    let rows = table.shape[0];
    // ggml lists sizes the other way round.
    let differs = rows != arch.vocab && table.shape[1] != arch.vocab;
    differs.then(|| {
        format!(
            "the embeddings have {rows} rows, and vocab_size is {}",
            arch.vocab
        )
    })
}

/// The first linear layer whose stored weights are not as many as computed.
fn first_difference(arch: &Architecture, tensors: &[Tensor], bits: u64) -> Option<String> {
    let parts = arch.layer(0);
    let placed = tensors
        .iter()
        .filter_map(|tensor| match role::layer(&tensor.name)? {
            (0, rest) if Role::of(&tensor.name, arch.layers) == Role::Layers => Some((tensor, rest)),
            _ => None,
        });
    for (tensor, rest) in placed {
        let Some(module) = rest.strip_suffix(".weight") else {
            continue;
        };
        let part = parts
            .iter()
            .find(|part| part.path == module && matches!(part.kind, PartKind::Linear { .. }));
        if let (Some(part), Some(stored)) = (part, tensor.weights(bits))
            && stored != part.elements().0
        {
            return Some(format!(
                "{} holds {stored} weights, and the configuration makes it {}",
                super::short(&tensor.name),
                part.elements().0
            ));
        }
    }
    None
}

/// The first tensor that has no usual name.
fn unknown(tensors: &[Tensor], layers: u64) -> Option<String> {
    let first = tensors
        .iter()
        .find(|tensor| Role::of(&tensor.name, layers) == Role::Other)?;
    Some(format!(
        "the files hold tensors of other names, such as {}",
        super::short(&first.name)
    ))
}
