//! `quantization_config`: what a model's files say of how its weights are stored.

use super::problem;
use crate::scenario::{FieldError, WeightFormat};
use serde::Serialize;
use serde_json::{Map, Value};

/// The longest list of modules in 16 bit; published ones are a tenth of it.
const MOST_SKIPPED: usize = 2048;

/// The quantization of stored weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quantization {
    /// `quant_method`, such as `bitsandbytes`.
    pub method: String,
    /// The format of the catalog that it is, where it is one.
    pub format: Option<WeightFormat>,
    /// Bits of a packed weight.
    pub bits: u64,
    /// Modules that stay in 16 bit, as the settings name them.
    pub skip: Vec<String>,
    /// What it is, in words.
    pub words: String,
    /// For training the weights are turned into 16 bit while they are loaded
    /// (`transformers/quantizers/quantizer_*.py: is_trainable`).
    pub dequantized: bool,
}

impl Quantization {
    /// Reads the settings.
    ///
    /// # Errors
    /// They are no object.
    pub(super) fn read(value: &Value, file: &str) -> Result<Self, FieldError> {
        let Value::Object(keys) = value else {
            let text = format!("expected an object, found {value}");
            return Err(problem(file, "quantization_config", text));
        };
        let method = keys.get("quant_method").and_then(Value::as_str);
        let method = match method {
            Some(method) => method.to_owned(),
            // Checkpoints of bitsandbytes from before the key was written.
            None if is(keys, "load_in_4bit") || is(keys, "load_in_8bit") => "bitsandbytes".into(),
            None => "an unnamed method".into(),
        };
        let skip: Vec<_> = [
            "llm_int8_skip_modules",
            "modules_to_not_convert",
            "ignore",
            "ignored_layers",
        ]
        .iter()
        .flat_map(|key| names(keys, key))
        .collect();
        if skip.len() > MOST_SKIPPED {
            let text = format!("{} modules to skip are more than {MOST_SKIPPED}", skip.len());
            return Err(problem(file, "quantization_config", text));
        }
        let bits = number(keys, "bits")
            .or_else(|| number(keys, "w_bit"))
            .unwrap_or(4);
        let found = Quantization {
            method,
            format: None,
            bits,
            skip,
            words: String::new(),
            dequantized: false,
        };
        Ok(match found.method.as_str() {
            "bitsandbytes" | "bitsandbytes_4bit" | "bitsandbytes_8bit" => found.bitsandbytes(keys),
            "fp8" => found.fine_grained(keys),
            "compressed-tensors" => found.compressed_tensors(keys),
            "mxfp4" => Quantization {
                words: "MXFP4 experts, which are turned into 16 bit for training".into(),
                dequantized: true,
                ..found
            },
            "gptq" | "awq" => {
                let group =
                    number(keys, "group_size").map_or(String::new(), |size| format!(", groups of {size}"));
                Quantization {
                    words: format!("{}, {bits} bits{group}", found.method.to_uppercase()),
                    ..found
                }
            }
            _ => Quantization {
                words: found.method.clone(),
                ..found
            },
        })
    }

    /// `transformers/utils/quantization_config.py: BitsAndBytesConfig`, with its defaults.
    fn bitsandbytes(self, keys: &Map<String, Value>) -> Self {
        if is(keys, "load_in_8bit") || is(keys, "_load_in_8bit") {
            return Quantization {
                format: Some(WeightFormat::Int8),
                bits: 8,
                words: "LLM.int8 of bitsandbytes".into(),
                ..self
            };
        }
        let double = is(keys, "bnb_4bit_use_double_quant");
        let kind = keys
            .get("bnb_4bit_quant_type")
            .and_then(Value::as_str)
            .unwrap_or("fp4");
        let format = match (kind, double) {
            ("nf4", true) => WeightFormat::Nf4Dq,
            ("nf4", false) => WeightFormat::Nf4,
            (_, true) => WeightFormat::Fp4Dq,
            (_, false) => WeightFormat::Fp4,
        };
        Quantization {
            format: Some(format),
            bits: 4,
            words: format!(
                "{kind} of bitsandbytes{}",
                if double { ", double quantization" } else { "" }
            ),
            ..self
        }
    }

    /// `FineGrainedFP8Config`.
    fn fine_grained(self, keys: &Map<String, Value>) -> Self {
        let block = keys.get("weight_block_size").and_then(Value::as_array);
        let block: Vec<u64> = block.into_iter().flatten().filter_map(Value::as_u64).collect();
        Quantization {
            format: (block == [128, 128]).then_some(WeightFormat::Fp8Block),
            bits: 8,
            words: match block[..] {
                [rows, columns] => format!("FP8 in blocks of {rows} x {columns}"),
                _ => "FP8 with a scale a tensor".into(),
            },
            ..self
        }
    }

    /// `compressed_tensors/quantization/quant_config.py: QuantizationConfig`. Training takes them decompressed
    /// (`quantizer_compressed_tensors.py: is_trainable`).
    fn compressed_tensors(self, keys: &Map<String, Value>) -> Self {
        let groups = keys.get("config_groups").and_then(Value::as_object);
        let weights = groups.and_then(|groups| groups.values().next()?.get("weights")?.as_object());
        let bits = weights
            .and_then(|weights| number(weights, "num_bits"))
            .unwrap_or(8);
        let text = |key: &str| {
            weights
                .and_then(|weights| weights.get(key)?.as_str())
                .unwrap_or("")
        };
        let what = match (text("type"), bits) {
            ("float", 8) => "FP8".to_owned(),
            (kind, bits) => format!("{bits}-bit {kind}"),
        };
        Quantization {
            bits,
            words: format!(
                "compressed-tensors {what} by {}, which is decompressed to 16 bit for training",
                text("strategy")
            ),
            dequantized: true,
            ..self
        }
    }
}

fn is(keys: &Map<String, Value>, key: &str) -> bool {
    keys.get(key) == Some(&Value::Bool(true))
}

fn number(keys: &Map<String, Value>, key: &str) -> Option<u64> {
    keys.get(key)?
        .as_u64()
        .filter(|number| (1..=1 << 20).contains(number))
}

fn names(keys: &Map<String, Value>, key: &str) -> Vec<String> {
    let list = keys.get(key).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|name| Some(name.as_str()?.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Quantization {
        Quantization::read(&value, "config.json").unwrap()
    }

    #[test]
    fn bitsandbytes_has_the_defaults_of_its_configuration() {
        assert_eq!(
            read(json!({"load_in_4bit": true})).format,
            Some(WeightFormat::Fp4)
        );
        let of = |double| {
            json!({"quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": "nf4",
            "bnb_4bit_use_double_quant": double})
        };
        assert_eq!(read(of(true)).format, Some(WeightFormat::Nf4Dq));
        assert_eq!(read(of(false)).format, Some(WeightFormat::Nf4));
        let eight =
            json!({"quant_method": "bitsandbytes", "load_in_8bit": true, "llm_int8_skip_modules": null});
        assert_eq!(read(eight).format, Some(WeightFormat::Int8));
    }

    #[test]
    fn every_method_is_told_apart() {
        let fp8 =
            json!({"quant_method": "fp8", "weight_block_size": [128, 128], "modules_to_not_convert": ["a"]});
        assert_eq!(
            (read(fp8.clone()).format, read(fp8).skip.len()),
            (Some(WeightFormat::Fp8Block), 1)
        );
        let compressed = json!({"quant_method": "compressed-tensors", "ignore": ["lm_head"], "config_groups":
            {"group_0": {"weights": {"num_bits": 8, "type": "float", "strategy": "channel"}}}});
        assert_eq!(
            read(compressed).words,
            "compressed-tensors FP8 by channel, which is decompressed to 16 bit for training"
        );
        assert_eq!(
            read(json!({"quant_method": "gptq", "bits": 4, "group_size": 128})).words,
            "GPTQ, 4 bits, groups of 128"
        );
        assert_eq!(read(json!({"quant_method": "awq", "w_bit": 3})).bits, 3);
        assert!(read(json!({"quant_method": "mxfp4"})).dequantized);
        assert_eq!(read(json!({})).words, "an unnamed method");
    }
}
