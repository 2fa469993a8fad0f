//! The repositories that Unsloth publishes of a model: what a user would load for each format.

use super::models::model;
use super::row::Row;
use super::shelf::{Shelf, embedded};
use crate::scenario::WeightFormat;
use serde::Deserialize;
use serde_json::Value;

/// Published repositories of one model.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Variants {
    /// The Hub id of the model.
    pub id: String,
    bf16: Option<Name>,
    nf4: Option<Name>,
    dynamic: Option<Name>,
    block: Option<Name>,
    rows: Option<Name>,
    /// `llm_int8_skip_modules` of the dynamic 4-bit repository, where a public source shows them.
    #[serde(default)]
    pub skip: Option<Vec<String>>,
}

/// A repository's name: after the usual rule, or another.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Name {
    Usual(bool),
    Other(String),
}

impl Variants {
    /// The repository that holds the model in this format.
    pub fn repository(&self, format: WeightFormat) -> Option<String> {
        let (name, suffix) = match format {
            WeightFormat::Bf16 | WeightFormat::Fp16 => (&self.bf16, ""),
            WeightFormat::Nf4Dq => (&self.nf4, "-bnb-4bit"),
            WeightFormat::Dynamic4bit => (&self.dynamic, "-unsloth-bnb-4bit"),
            WeightFormat::Fp8Block => (&self.block, "-FP8-Block"),
            WeightFormat::Fp8Dynamic => (&self.rows, "-FP8-Dynamic"),
            _ => return None,
        };
        match name.as_ref()? {
            Name::Usual(false) => None,
            Name::Usual(true) => {
                let base = self.id.rsplit('/').next().unwrap_or(&self.id);
                Some(format!("unsloth/{base}{suffix}"))
            }
            Name::Other(name) => Some(name.clone()),
        }
    }
}

pub(super) static VARIANTS: Shelf<Variants> = Shelf::new(read);

/// Every model of the catalog of which Unsloth publishes a variant.
pub fn variants() -> &'static [Variants] {
    VARIANTS.rows(embedded!("data/variants.json"))
}

fn read(row: Value) -> Variants {
    let mut row = Row::from(row);
    let mut name = |key| match row.take(key) {
        Value::Bool(usual) => Some(Name::Usual(usual)),
        Value::String(other) => Some(Name::Other(other)),
        _ => None,
    };
    let [bf16, nf4, dynamic, block, rows] = ["bf16", "nf4", "dynamic", "block", "rows"].map(&mut name);
    Variants {
        id: row.text("id"),
        bf16,
        nf4,
        dynamic,
        block,
        rows,
        skip: Some(row.texts("skip")).filter(|skip| !skip.is_empty()),
    }
}

/// Unsloth's variants of the model with this Hub id, upper and lower case alike.
pub fn variants_of(id: &str) -> Option<&'static Variants> {
    let id = &model(id)?.id;
    variants().iter().find(|v| v.id == *id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read_and_names_a_model_of_the_catalog() {
        let parsed: Result<Vec<Variants>, _> = serde_json::from_str(include_str!("data/variants.json"));
        assert_eq!(parsed.map_err(|e| e.to_string()).as_deref(), Ok(variants()));
        assert_eq!(variants().len(), 153);
        for row in variants() {
            assert!(model(&row.id).is_some(), "{}", row.id);
        }
    }

    #[test]
    fn repositories_are_named_by_the_rule_or_by_themselves() {
        let of = |id, format| variants_of(id).and_then(|v| v.repository(format));
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(
            of("qwen/qwen3-14b", WeightFormat::Dynamic4bit),
            named("unsloth/Qwen3-14B-unsloth-bnb-4bit")
        );
        assert_eq!(
            of("Qwen/Qwen3-8B", WeightFormat::Fp8Block),
            named("unsloth/Qwen3-8B-FP8")
        );
        assert_eq!(
            of("meta-llama/Llama-3.1-8B-Instruct", WeightFormat::Fp8Dynamic),
            named("unsloth/Llama-3.1-8B-Instruct-FP8-Dynamic")
        );
        // Loading it is turned into loading the plain one (`loader_utils.py`: too big).
        assert_eq!(of("Qwen/Qwen3-32B", WeightFormat::Dynamic4bit), None);
        assert_eq!(of("nobody/nothing", WeightFormat::Nf4Dq), None);
    }

    #[test]
    fn a_published_skip_list_is_kept() {
        let distill = variants_of("deepseek-ai/DeepSeek-R1-Distill-Llama-8B").unwrap();
        assert_eq!(
            distill.skip.as_deref().unwrap().last().map(String::as_str),
            Some("model.layers.1.mlp")
        );
    }
}
