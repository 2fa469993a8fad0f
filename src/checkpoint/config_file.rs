//! `config.json`: the architecture, and how the weights are stored.

use super::{Quantization, problem, strict_json, tower};
use crate::model::{HfConfig, NOT_OF_THE_HUB};
use crate::scenario::FieldError;
use serde_json::Value;

/// A `config.json` that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigFile {
    /// The architecture.
    pub config: HfConfig,
    /// How the weights are stored, where they are quantized.
    pub quantization: Option<Quantization>,
    /// The dtype of what is not quantized (`dtype`, formerly `torch_dtype`), such as `bfloat16`.
    pub dtype: Option<String>,
    /// The classes that load it (`architectures`).
    pub classes: Vec<String>,
    /// Weights of its vision tower with the projector, where its configuration tells.
    pub towers: Option<u64>,
}

impl ConfigFile {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// It is no sound JSON object, or a field that matters has a value of the wrong type; the first such field is named.
    pub fn read(bytes: &[u8], file: &str) -> Result<Self, FieldError> {
        let mut keys = strict_json::read_object(bytes, file)?;
        keys.retain(|key, _| !NOT_OF_THE_HUB.contains(&key.as_str()));
        let text = |key: &str| {
            let inner = keys.get("text_config").and_then(|inner| inner.get(key));
            keys.get(key).filter(|value| !value.is_null()).or(inner).cloned()
        };
        let quantization = text("quantization_config").or_else(|| text("compression_config"));
        let quantization = quantization.filter(|value| !value.is_null());
        let dtype = text("dtype").or_else(|| text("torch_dtype"));
        let classes = text("architectures");
        let towers = tower::weights(&keys);
        let (config, problems) = HfConfig::read(keys);
        if let Some((key, wrong)) = problems.first() {
            return Err(problem(file, key, wrong));
        }
        let quantization = quantization
            .map(|value| Quantization::read(&value, file))
            .transpose()?;
        if config.model_type.is_empty() && config.hidden_size == 0 {
            return Err(problem(
                file,
                "model_type",
                "is missing: is it a model's config.json?",
            ));
        }
        Ok(ConfigFile {
            config,
            towers,
            quantization,
            dtype: dtype.and_then(|value| Some(value.as_str()?.trim_start_matches("torch.").to_owned())),
            classes: match classes {
                Some(Value::Array(names)) => names
                    .iter()
                    .filter_map(|name| Some(name.as_str()?.to_owned()))
                    .collect(),
                _ => Vec::new(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::WeightFormat;

    #[test]
    fn a_quantized_config_is_read_with_its_settings() {
        let text = r#"{"model_type": "llama", "torch_dtype": "bfloat16", "architectures": ["LlamaForCausalLM"],
            "hidden_size": 64, "name": {"not": "ours"}, "treat_as": 7,
            "quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": "nf4",
                "bnb_4bit_use_double_quant": true, "llm_int8_skip_modules": ["lm_head", "model.layers.1.mlp"]}}"#;
        let file = ConfigFile::read(text.as_bytes(), "config.json").unwrap();
        assert_eq!(
            (file.config.hidden_size, file.config.name, file.config.treat_as),
            (64, None, None)
        );
        assert_eq!((file.dtype.as_deref(), file.classes.len()), (Some("bfloat16"), 1));
        let quantization = file.quantization.unwrap();
        assert_eq!(quantization.format, Some(WeightFormat::Nf4Dq));
        assert_eq!(quantization.skip, ["lm_head", "model.layers.1.mlp"]);
    }

    #[test]
    fn fields_of_the_wrong_type_are_named() {
        let complaint = |text: &str| {
            ConfigFile::read(text.as_bytes(), "config.json")
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            complaint(r#"{"hidden_size": -4096}"#),
            "config.json: hidden_size: expected a whole number, found -4096"
        );
        assert_eq!(complaint("[]"), "config.json: is no JSON object");
        assert_eq!(
            complaint(r#"{"version": "1.0"}"#),
            "config.json: model_type: is missing: is it a model's config.json?"
        );
        assert_eq!(
            complaint(r#"{"quantization_config": 3}"#),
            "config.json: quantization_config: expected an object, found 3"
        );
    }
}
