//! Names under which other owners publish a model of the catalog, such as `unsloth/Qwen3-8B-unsloth-bnb-4bit`.

use super::models::{Model, model, models};
use super::variants::variants;
use crate::scenario::WeightFormat;

/// A repository that holds a model of the catalog.
#[derive(Clone, Copy, Debug)]
pub struct Mirror {
    /// The model.
    pub model: &'static Model,
    /// How its weights are stored; nothing where they are the model's own 16-bit ones.
    pub weights: Option<WeightFormat>,
    /// Is the repository listed among Unsloth's, rather than recognised by its name alone?
    pub listed: bool,
}

/// What the repository of this name holds: by the list of Unsloth's, else by the name after the owner, upper and lower
/// case alike. Nothing for the catalog's own names.
pub fn mirror(name: &str) -> Option<Mirror> {
    let name = name.trim();
    match model(name) {
        Some(_) => None,
        None => of_a_variant(name).or_else(|| of_another_owner(name)),
    }
}

fn of_a_variant(name: &str) -> Option<Mirror> {
    variants().iter().find_map(|variants| {
        let holds = |format: &&WeightFormat| {
            variants
                .repository(**format)
                .is_some_and(|own| own.eq_ignore_ascii_case(name))
        };
        let format = *WeightFormat::ALL.iter().find(holds)?;
        Some(Mirror {
            model: model(&variants.id)?,
            weights: Some(format).filter(|format| format.is_quantized()),
            listed: true,
        })
    })
}

/// The model of the catalog that has this name under another owner, as mirrors do; also where the mirror quantized it.
fn of_another_owner(name: &str) -> Option<Mirror> {
    let (wanted, weights) = plain(name);
    let mut alike = models().iter().filter(|model| plain(&model.id).0 == wanted);
    match (alike.next(), alike.next()) {
        (Some(model), None) => Some(Mirror {
            model,
            weights,
            listed: false,
        }),
        _ => None,
    }
}

/// A name without owner and without the suffix of a format, and that format.
fn plain(name: &str) -> (String, Option<WeightFormat>) {
    const SUFFIXES: [(&str, WeightFormat); 4] = [
        ("-unsloth-bnb-4bit", WeightFormat::Dynamic4bit),
        ("-bnb-4bit", WeightFormat::Nf4Dq),
        ("-fp8-dynamic", WeightFormat::Fp8Dynamic),
        ("-fp8-block", WeightFormat::Fp8Block),
    ];
    let name = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    let (bare, weights) = SUFFIXES
        .iter()
        .find_map(|(suffix, format)| Some((name.strip_suffix(suffix)?, Some(*format))))
        .unwrap_or((&name, None));
    (bare.strip_prefix("meta-").unwrap_or(bare).to_owned(), weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> Option<(&'static str, Option<WeightFormat>, bool)> {
        mirror(name).map(|found| (found.model.id.as_str(), found.weights, found.listed))
    }

    #[test]
    fn a_repository_of_unsloth_is_its_model_in_its_format() {
        let nf4 = Some(WeightFormat::Nf4Dq);
        assert_eq!(
            read("unsloth/llama-3-8b-bnb-4bit"),
            Some(("meta-llama/Meta-Llama-3-8B", nf4, true))
        );
        assert_eq!(
            read("UNSLOTH/llama-3-8b"),
            Some(("meta-llama/Meta-Llama-3-8B", None, true))
        );
        assert_eq!(
            read("unsloth/Qwen3-14B-unsloth-bnb-4bit"),
            Some(("Qwen/Qwen3-14B", Some(WeightFormat::Dynamic4bit), true))
        );
    }

    #[test]
    fn another_owner_is_recognised_by_the_name_alone_and_strangers_are_not() {
        assert_eq!(
            read("somebody/Qwen3-14B-bnb-4bit"),
            Some(("Qwen/Qwen3-14B", Some(WeightFormat::Nf4Dq), false))
        );
        assert_eq!(read("Qwen/Qwen3-14B"), None);
        assert_eq!(read("nobody/nothing"), None);
    }
}
