//! What the fuzzers try with any input.

use plimsoll::checkpoint::{Header, Index, OwnModel, Reply, Visit, gguf, header_length};
use plimsoll::estimate::peak_allocated;
use plimsoll::scenario::Scenario;

/// Visits a repository with this configuration and, perhaps, these weights.
fn visit(config: &[u8], weights: Option<&[u8]>) -> Option<OwnModel> {
    let mut visit = Visit::of_repository("a/b");
    while let Some(piece) = visit.wanted().cloned() {
        let bytes = match (piece.file.as_str(), weights) {
            ("config.json", _) => Some(config),
            ("model.safetensors", Some(weights)) => Some(weights),
            _ => None,
        };
        let reply = bytes.map_or(Reply::Missing, |bytes| {
            let begin = (piece.begin as usize).min(bytes.len());
            let most = piece.length.map_or(usize::MAX, |length| length as usize);
            let part = &bytes[begin..bytes.len().min(begin.saturating_add(most))];
            Reply::Bytes(part.to_vec(), Some(bytes.len() as u64))
        });
        if visit.take(reply).is_err() {
            return None;
        }
    }
    visit.model().ok()
}

/// Any `config.json`.
pub fn config_json(bytes: &[u8]) {
    let Some(own) = visit(bytes, None) else { return };
    let mut run = Scenario {
        seq: 8,
        batch: 1,
        ..Scenario::default()
    };
    own.apply(&mut run);
    if peak_allocated(&run).is_ok() {
        let link = run.to_fragment();
        assert_eq!(Scenario::from_fragment(&link).scenario.to_fragment(), link);
    }
}

/// Any safetensors file, by itself and beside a configuration.
pub fn safetensors(bytes: &[u8]) {
    const CONFIG: &[u8] =
        br#"{"model_type": "llama", "vocab_size": 64, "hidden_size": 32, "intermediate_size": 64,
        "num_hidden_layers": 2, "num_attention_heads": 4, "quantization_config": {"load_in_4bit": true}}"#;
    let _ = header_length(bytes, "f");
    let _ = Header::read(bytes, "f", None);
    let mut file = (bytes.len() as u64).to_le_bytes().to_vec();
    file.extend(bytes);
    let _ = visit(CONFIG, Some(&file));
    let _ = visit(CONFIG, Some(bytes));
}

/// Any index.
pub fn index(bytes: &[u8]) {
    let _ = Index::read(bytes, "f");
}

/// Any GGUF file.
pub fn gguf(bytes: &[u8]) {
    let _ = gguf::read(bytes, "f", true);
    if let Ok(gguf::Progress::Whole(found)) = gguf::read(bytes, "f", false) {
        let _ = plimsoll::model::unsupported_reason(&found.config);
    }
}

/// Any link: what can be read of it is a scenario that a link can be made of again.
pub fn fragment(text: &str) {
    let scenario = Scenario::from_fragment(text).scenario;
    assert_eq!(
        Scenario::from_fragment(&scenario.to_fragment()).scenario,
        scenario
    );
    let _ = peak_allocated(&scenario);
}
