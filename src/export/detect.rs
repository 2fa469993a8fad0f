//! What kind of configuration a text is.

use super::import::Source;
use super::setting::Setting;
use super::{python, yaml};
use serde_json::{Map, Value};

/// What kind of text it is, and its settings.
pub(super) fn settings(text: &str) -> Result<(Source, Vec<Setting>), String> {
    if text.trim_start().starts_with('{') {
        let keys: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| format!("line {}: not JSON: {error}", error.line()))?;
        let line = |key: &str| {
            text.find(&format!("\"{key}\""))
                .map_or(1, |at| text[..at].matches('\n').count() + 1)
        };
        let setting = |(key, value): (String, Value)| Setting {
            line: line(&key),
            key,
            value,
        };
        return Ok((Source::Json, keys.into_iter().map(setting).collect()));
    }
    let of_python = |word: &str| text.contains(word);
    let calls = [
        "import ",
        "LoraConfig(",
        "TrainingArguments(",
        "SFTConfig(",
        "from_pretrained(",
    ];
    let keywords = || {
        text.lines()
            .any(|line| !line.trim_start().starts_with('#') && is_keyword(line))
    };
    if calls.iter().any(|word| of_python(word)) || keywords() {
        let source = if of_python("unsloth") || of_python("FastLanguageModel") {
            Source::Unsloth
        } else if of_python("SFTConfig") || of_python("SFTTrainer") {
            Source::Trl
        } else {
            Source::Transformers
        };
        let settings = python::read(text);
        return match settings.is_empty() {
            true => Err("holds no keyword arguments".into()),
            false => Ok((source, settings)),
        };
    }
    let settings = yaml::read(text)?;
    let has = |key: &str| settings.iter().any(|setting| setting.key == key);
    if has("model_name_or_path") || has("finetuning_type") || has("cutoff_len") {
        Ok((Source::LlamaFactory, settings))
    } else if has("base_model") || has("micro_batch_size") || has("sequence_len") {
        Ok((Source::Axolotl, settings))
    } else {
        Err("is neither an Axolotl configuration (no base_model) nor one for LLaMA-Factory (no model_name_or_path)".into())
    }
}

/// Does a line look like `name=value`?
fn is_keyword(line: &str) -> bool {
    line.split_once('=').is_some_and(|(name, _)| {
        let name = name.trim();
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}
