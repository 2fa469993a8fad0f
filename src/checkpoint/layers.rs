//! The linear layers of a model as its files store them: which of them quantization left in 16 bit.

use super::role;
use super::{Role, Tensor};
use crate::model::{Architecture, Part, PartKind};
use crate::quant::{Kept, SkipList};
use std::collections::{BTreeMap, HashMap};

/// Modules by layer and path: is the weight in 16 bit or wider?
type Stored<'t> = HashMap<(u64, &'t str), bool>;

fn stored(tensors: &[Tensor], layers: u64) -> Stored<'_> {
    let weights = tensors
        .iter()
        .filter(|tensor| Role::of(&tensor.name, layers) == Role::Layers);
    let placed = weights.filter_map(|tensor| {
        let (layer, rest) = role::layer(&tensor.name)?;
        let path = ["weight", "qweight", "weight_packed"]
            .iter()
            .find_map(|end| rest.strip_suffix(end))?;
        Some(((layer, path.strip_suffix('.')?), tensor.dtype.is_wide_float()))
    });
    placed.collect()
}

fn linear(part: &Part) -> bool {
    matches!(part.kind, PartKind::Linear { .. })
}

/// The modules of a quantized checkpoint that are stored in 16 bit, by their full names; a module all of whose linear
/// layers are, by its own. Nothing when no linear layer is found to be quantized.
pub(super) fn kept_in_files(tensors: &[Tensor], arch: &Architecture) -> Option<Vec<String>> {
    let stored = stored(tensors, arch.layers);
    if stored.values().all(|wide| *wide) {
        return None;
    }
    let mut names = Vec::new();
    for index in 0..arch.layers {
        let parts: Vec<Part> = arch.layer(index).into_iter().filter(linear).collect();
        let wide = |part: &Part| stored.get(&(index, part.path)) == Some(&true);
        // By the module that holds them: `mlp`, `self_attn`.
        let mut modules: BTreeMap<&str, Vec<&Part>> = BTreeMap::new();
        for part in &parts {
            modules
                .entry(part.path.split('.').next().unwrap_or(part.path))
                .or_default()
                .push(part);
        }
        for (module, parts) in modules {
            let prefix = format!("model.layers.{index}.");
            match parts.iter().all(|part| wide(part)) {
                true => names.push(format!("{prefix}{module}")),
                false => names.extend(
                    parts
                        .iter()
                        .filter(|part| wide(part))
                        .map(|part| format!("{prefix}{}", part.path)),
                ),
            }
        }
    }
    Some(names)
}

/// The names of a skip list that keep a linear layer of the language model, as the replay spells them.
pub(super) fn that_matter(skip: &[String], arch: &Architecture) -> Vec<String> {
    let names = skip.iter().map(|name| spelt(name));
    let kinds: Vec<u64> = arch.kinds().into_iter().map(|(index, _)| index).collect();
    let keeps = |name: &String| {
        let kept = Kept::named(std::slice::from_ref(name), SkipList::Given);
        let keeps_in = |index: u64| {
            let parts = arch.layer(index);
            parts
                .iter()
                .filter(|part| linear(part))
                .any(|part| kept.keeps(index, part))
        };
        // A name that numbers its layer keeps that one and those whose number begins so; others keep all of a kind.
        match numbered(name) {
            Some(digits) => (0..arch.layers)
                .filter(|index| index.to_string().starts_with(digits))
                .any(keeps_in),
            None => kinds.iter().copied().any(keeps_in),
        }
    };
    names.filter(keeps).collect()
}

/// The number of the layer in a name, as it is written.
fn numbered(name: &str) -> Option<&str> {
    let digits = name.split_once("layers.")?.1;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    (end > 0).then_some(&digits[..end])
}

/// Multimodal models call the language model's layers `model.language_model.layers.0`, `language_model.model.layers.0`.
fn spelt(name: &str) -> String {
    match name.find("layers.") {
        Some(at) if name[..at].contains("language_model") => format!("model.{}", &name[at..]),
        _ => name.to_owned(),
    }
}

/// Do two lists keep the same layers?
pub(super) fn agree(one: &[String], other: &[String], arch: &Architecture) -> bool {
    let (one, other) = (
        Kept::named(one, SkipList::Given),
        Kept::named(other, SkipList::Given),
    );
    (0..arch.layers).all(|index| {
        let parts = arch.layer(index);
        parts
            .iter()
            .filter(|part| linear(part))
            .all(|part| one.keeps(index, part) == other.keeps(index, part))
    })
}

/// The paths of linear layers in the files' first decoder layer.
pub(super) fn first_layer(tensors: &[Tensor]) -> Vec<&str> {
    let placed = tensors
        .iter()
        .filter(|tensor| Role::of(&tensor.name, u64::MAX) == Role::Layers);
    let paths = placed.filter_map(|tensor| match role::layer(&tensor.name)? {
        (0, rest) => ["weight", "qweight", "weight_packed"]
            .iter()
            .find_map(|end| rest.strip_suffix(end)?.strip_suffix('.')),
        _ => None,
    });
    paths.collect()
}
