//! What a stored tensor is to the model: by its name.

use serde::Serialize;

/// A part of a model's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The table of token embeddings.
    Embeddings,
    /// The decoder layers.
    Layers,
    /// The norm behind them.
    Norm,
    /// The head.
    Head,
    /// Vision and audio towers with their projectors.
    Towers,
    /// What a trainer of the language model does not load: layers of multi-token prediction, heads of other tasks,
    /// buffers that are recomputed.
    NotLoaded,
    /// What has none of the usual names.
    Other,
}

impl Role {
    /// In the order in which they are shown.
    pub const ALL: [Role; 7] = [
        Role::Embeddings,
        Role::Layers,
        Role::Norm,
        Role::Head,
        Role::Towers,
        Role::NotLoaded,
        Role::Other,
    ];

    /// For a person.
    pub const fn label(self) -> &'static str {
        match self {
            Role::Embeddings => "embeddings",
            Role::Layers => "decoder layers",
            Role::Norm => "final norm",
            Role::Head => "head",
            Role::Towers => "vision and audio towers",
            Role::NotLoaded => "not loaded",
            Role::Other => "other",
        }
    }

    /// Does a language model of these many layers load it?
    pub const fn is_loaded(self) -> bool {
        !matches!(self, Role::NotLoaded)
    }

    /// The role of a tensor in a model of so many decoder layers.
    pub fn of(name: &str, layers: u64) -> Self {
        // The common case first: large headers name a hundred thousand of these.
        if let Some((index, rest)) = name.strip_prefix("model.layers.").and_then(numbered) {
            let loaded = index < layers && !rest.split('.').any(|part| RECOMPUTED.contains(&part));
            return if loaded { Role::Layers } else { Role::NotLoaded };
        }
        let has = |words: &[&str]| name.split('.').any(|part| words.contains(&part));
        if has(&TOWERS) || name.starts_with("v.") || name.starts_with("mm.") {
            return Role::Towers;
        }
        // Another table of embeddings, the module's own layer, stands in the layers of multi-token prediction.
        if has(&["mtp", "mtp_layers", "score", "classifier", "v_head", "value_head"]) || has(&RECOMPUTED) {
            return Role::NotLoaded;
        }
        if let Some((layer, _)) = layer(name) {
            return if layer < layers {
                Role::Layers
            } else {
                Role::NotLoaded
            };
        }
        let module = name
            .strip_suffix(".weight")
            .or_else(|| name.strip_suffix(".bias"))
            .unwrap_or(name);
        match module.rsplit('.').next().unwrap_or(module) {
            "embed_tokens" | "wte" | "tok_embeddings" | "word_embeddings" | "token_embd" | "embed_in" => {
                Role::Embeddings
            }
            "lm_head" | "output" | "embed_out" => Role::Head,
            "norm" | "ln_f" | "final_layernorm" | "final_norm" | "output_norm" | "embedding_norm" => {
                Role::Norm
            }
            // Names of quantized heads go on: `lm_head.weight.absmax`.
            _ if has(&["lm_head"]) => Role::Head,
            _ if has(&["embed_tokens"]) => Role::Embeddings,
            _ => Role::Other,
        }
    }
}

/// Modules beside the language model (`modeling_*.py` of multimodal models).
const TOWERS: [&str; 21] = [
    "vision_tower",
    "vision_model",
    "vision_embedder",
    "vision_encoder",
    "visual",
    "vit",
    "multi_modal_projector",
    "mm_projector",
    "modality_projection",
    "connector",
    "aligner",
    "vision_adapter",
    "patch_merger",
    "embed_vision",
    "image_newline",
    "audio_tower",
    "audio_model",
    "audio_encoder",
    "embed_audio",
    "sound_tower",
    "img_processor",
];

/// Buffers that are made anew.
const RECOMPUTED: [&str; 4] = ["rotary_emb", "rotary_pos_emb", "masked_bias", "rope_freqs"];

/// The decoder layer that a tensor belongs to, and its name within it.
pub(super) fn layer(name: &str) -> Option<(u64, &str)> {
    if let Some(found) = name.strip_prefix("model.layers.").and_then(numbered) {
        return Some(found);
    }
    ["layers.", "h.", "blk.", "blocks."].iter().find_map(|word| {
        let mut places = name.match_indices(word).map(|(at, _)| at);
        let at = places.find(|at| *at == 0 || name.as_bytes().get(at - 1) == Some(&b'.'))?;
        numbered(&name[at + word.len()..])
    })
}

/// A number before a point, and what follows it.
fn numbered(name: &str) -> Option<(u64, &str)> {
    let (number, rest) = name.split_once('.')?;
    Some((number.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_kinds_are_placed() {
        for (name, role) in [
            ("model.embed_tokens.weight", Role::Embeddings),
            ("model.language_model.embed_tokens.weight", Role::Embeddings),
            ("transformer.wte.weight", Role::Embeddings),
            ("model.layers.3.self_attn.q_proj.weight", Role::Layers),
            ("model.layers.4.embed_tokens.weight", Role::NotLoaded),
            ("model.layers.4.mlp.gate_proj.weight", Role::NotLoaded),
            ("mtp.layers.0.mlp.gate_proj.weight", Role::NotLoaded),
            ("model.layers.0.self_attn.rotary_emb.inv_freq", Role::NotLoaded),
            ("score.weight", Role::NotLoaded),
            ("model.norm.weight", Role::Norm),
            ("lm_head.weight", Role::Head),
            ("lm_head.weight.absmax", Role::Head),
            ("model.visual.blocks.0.attn.qkv.weight", Role::Towers),
            ("vision_tower.encoder.layers.0.mlp.fc1.weight", Role::Towers),
            ("blk.3.attn_q.weight", Role::Layers),
            ("token_embd.weight", Role::Embeddings),
            ("something.weight", Role::Other),
        ] {
            assert_eq!(Role::of(name, 4), role, "{name}");
        }
    }
}
