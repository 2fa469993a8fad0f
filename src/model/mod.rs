//! An architecture: what of a model's `config.json` decides memory.

mod config;
mod config_json;
mod implied;

pub use config::HfConfig;

/// Why runs of this model cannot be replayed yet, or nothing when they can.
pub fn unsupported_reason(config: &HfConfig) -> Option<String> {
    match config.model_type.as_str() {
        "llama" | "mistral" | "qwen2" | "qwen3" => None,
        other => Some(format!("no forward pass is written yet for model type '{other}'")),
    }
}
