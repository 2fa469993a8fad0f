//! Weights of vision towers with their projectors, by their configuration: for an estimate before any header is read.

use serde_json::{Map, Value};

/// The weights beside the language model of a `config.json`; nothing where it has no tower, or one that is not known or
/// not fully described.
pub(super) fn weights(config: &Map<String, Value>) -> Option<u64> {
    let vision = Fields(config.get("vision_config")?.as_object()?);
    let text = config.get("text_config").and_then(Value::as_object);
    let width = text
        .and_then(|text| text.get("hidden_size"))
        .or_else(|| config.get("hidden_size"));
    let width = within(width?.as_u64()?)?;
    let all = Fields(config);
    let projector = |inputs: u64, biased: bool| linear(inputs, width, biased) + linear(width, width, biased);
    Some(match config.get("model_type")?.as_str()? {
        "qwen2_vl" => qwen2(vision)?,
        "qwen2_5_vl" => qwen2_5(vision)?,
        "qwen3_vl" | "qwen3_vl_moe" | "qwen3_5" | "qwen3_5_moe" => qwen3(vision)?,
        "gemma3" => {
            // `Gemma3MultiModalProjector`: a matrix and a norm.
            let inputs = vision.of("hidden_size")?;
            siglip(vision)? + inputs * width + inputs
        }
        "mistral3" => {
            // `Mistral3MultiModalProjector`: a norm, `Mistral3PatchMerger`, two layers.
            let inputs = vision.of("hidden_size")?;
            let merged = all.merged()?;
            let biased = all.is("multimodal_projector_bias", false);
            pixtral(vision)? + inputs + merged * inputs * inputs + projector(inputs, biased)
        }
        kind @ ("llava" | "llava_next") => {
            let tower = match vision.0.get("model_type").and_then(Value::as_str) {
                Some("pixtral") => pixtral(vision)?,
                Some("siglip_vision_model") | None => return None,
                Some(_) => clip(vision)?,
            };
            // `LlavaNextModel.image_newline`.
            let newline = if kind == "llava_next" { width } else { 0 };
            let biased = all.is("multimodal_projector_bias", true);
            tower + newline + projector(vision.of("hidden_size")?, biased)
        }
        _ => return None,
    })
}

/// Sizes beyond this are none of a tower's, nor so many patches along a side merged into one; below it no sum here
/// overflows.
const LARGEST: u64 = 1 << 15;
const MOST_MERGED: u64 = 1 << 6;

fn within(size: u64) -> Option<u64> {
    (size <= LARGEST).then_some(size)
}

#[derive(Clone, Copy)]
struct Fields<'c>(&'c Map<String, Value>);

impl Fields<'_> {
    fn of(self, key: &str) -> Option<u64> {
        within(self.0.get(key)?.as_u64()?)
    }

    fn is(self, key: &str, default: bool) -> bool {
        self.0.get(key).and_then(Value::as_bool).unwrap_or(default)
    }

    /// Patches that are merged into one.
    fn merged(self) -> Option<u64> {
        let side = self.of("spatial_merge_size")?;
        (side <= MOST_MERGED).then_some(side * side)
    }

    /// Values of a patch: three colours, square, perhaps of several frames.
    fn patch(self, frames: u64) -> Option<u64> {
        Some(3 * frames * self.of("patch_size")?.pow(2))
    }

    fn layers(self, key: &str, each: u64) -> Option<u64> {
        self.of(key)?.checked_mul(each)
    }
}

fn linear(inputs: u64, outputs: u64, biased: bool) -> u64 {
    inputs * outputs + if biased { outputs } else { 0 }
}

/// Two layers over the patches that are merged into one (`PatchMerger`).
fn merger(inputs: u64, outputs: u64) -> u64 {
    linear(inputs, inputs, true) + linear(inputs, outputs, true)
}

/// `modeling_qwen2_vl.py: Qwen2VisionTransformerPretrainedModel`.
fn qwen2(vision: Fields) -> Option<u64> {
    let width = vision.of("embed_dim")?;
    let hidden = width * vision.of("mlp_ratio")?;
    let merged = vision.merged()? * width;
    let block = 4 * width
        + linear(width, 3 * width, true)
        + linear(width, width, true)
        + linear(width, hidden, true)
        + linear(hidden, width, true);
    let patch = vision.patch(vision.of("temporal_patch_size")?)?;
    let rest = patch * width + 2 * width + merger(merged, vision.of("hidden_size")?);
    vision.layers("depth", block)?.checked_add(rest)
}

/// `modeling_qwen2_5_vl.py: Qwen2_5_VisionTransformerPretrainedModel`: norms without biases, a gated MLP.
fn qwen2_5(vision: Fields) -> Option<u64> {
    let (width, hidden) = (vision.of("hidden_size")?, vision.of("intermediate_size")?);
    let merged = vision.merged()? * width;
    let block = 2 * width
        + linear(width, 3 * width, true)
        + linear(width, width, true)
        + 2 * linear(width, hidden, true)
        + linear(hidden, width, true);
    let patch = vision.patch(vision.of("temporal_patch_size")?)?;
    let rest = patch * width + width + merger(merged, vision.of("out_hidden_size")?);
    vision.layers("depth", block)?.checked_add(rest)
}

/// `modeling_qwen3_vl.py: Qwen3VLVisionModel`: learnt places, and a merger for each layer that is read early.
fn qwen3(vision: Fields) -> Option<u64> {
    let (width, hidden) = (vision.of("hidden_size")?, vision.of("intermediate_size")?);
    let merged = vision.merged()? * width;
    let early = vision.0.get("deepstack_visual_indexes").and_then(Value::as_array);
    let early = within(early.map_or(0, Vec::len) as u64)?;
    let block = 4 * width
        + linear(width, 3 * width, true)
        + linear(width, width, true)
        + linear(width, hidden, true)
        + linear(hidden, width, true);
    let merge = merger(merged, vision.of("out_hidden_size")?);
    let patch = vision.patch(vision.of("temporal_patch_size")?)?;
    let rest = linear(patch, width, true) + vision.of("num_position_embeddings")? * width;
    let mergers = (2 * width + merge).checked_add(early.checked_mul(2 * merged + merge)?)?;
    vision
        .layers("depth", block)?
        .checked_add(rest)?
        .checked_add(mergers)
}

/// `modeling_pixtral.py: PixtralVisionModel`.
fn pixtral(vision: Fields) -> Option<u64> {
    let (width, hidden) = (vision.of("hidden_size")?, vision.of("intermediate_size")?);
    let layer = 4 * width * width + 3 * width * hidden + 2 * width;
    let rest = vision.patch(1)? * width + width;
    vision.layers("num_hidden_layers", layer)?.checked_add(rest)
}

/// The layers of CLIP and SigLIP.
fn encoder(vision: Fields) -> Option<u64> {
    let (width, hidden) = (vision.of("hidden_size")?, vision.of("intermediate_size")?);
    let layer = 4 * width
        + 4 * linear(width, width, true)
        + linear(width, hidden, true)
        + linear(hidden, width, true);
    vision.layers("num_hidden_layers", layer)
}

fn places(vision: Fields) -> Option<u64> {
    Some(
        vision
            .of("image_size")?
            .checked_div(vision.of("patch_size")?)?
            .pow(2),
    )
}

/// `modeling_clip.py: CLIPVisionModel`: a class beside the patches, norms before and after the layers.
fn clip(vision: Fields) -> Option<u64> {
    let width = vision.of("hidden_size")?;
    let embedded = width + vision.patch(1)? * width + (places(vision)? + 1) * width;
    encoder(vision)?.checked_add(embedded + 4 * width)
}

/// `modeling_siglip.py: SiglipVisionModel`, without the head that pools.
fn siglip(vision: Fields) -> Option<u64> {
    if vision.is("vision_use_head", false) {
        return None;
    }
    let width = vision.of("hidden_size")?;
    let embedded = linear(vision.patch(1)?, width, true) + places(vision)? * width;
    encoder(vision)?.checked_add(embedded + 2 * width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::models;
    use serde_json::json;

    /// A catalog's row as its `config.json` would have it.
    fn config(id: &str) -> Map<String, Value> {
        let row = models().iter().find(|model| model.id == id).unwrap();
        let Value::Object(mut keys) = serde_json::to_value(&row.config).unwrap() else {
            panic!("an object")
        };
        let kind = match id.contains("pixtral") {
            true => "pixtral",
            false => "clip_vision_model",
        };
        keys["vision_config"]["model_type"] = kind.into();
        keys
    }

    #[test]
    fn the_towers_of_the_catalog_have_the_weights_that_their_files_hold() {
        let mut known = 0;
        for model in models()
            .iter()
            .filter(|model| model.config.vision_config.is_some())
        {
            if let Some(weights) = weights(&config(&model.id)) {
                assert_eq!(weights, model.computed_params - model.text_params, "{}", model.id);
                known += 1;
            }
        }
        assert_eq!(known, 37);
    }

    #[test]
    fn the_largest_sizes_of_all_do_not_overflow() {
        for id in [
            "Qwen/Qwen2-VL-2B-Instruct",
            "Qwen/Qwen2.5-VL-3B-Instruct",
            "Qwen/Qwen3-VL-2B-Instruct",
            "mistralai/Ministral-3-3B-Instruct-2512",
            "llava-hf/llava-v1.6-mistral-7b-hf",
        ] {
            let mut config = config(id);
            config["hidden_size"] = LARGEST.into();
            let large = |key: &str| match key {
                "spatial_merge_size" => MOST_MERGED,
                _ => LARGEST,
            };
            if let Some(Value::Object(vision)) = config.get_mut("vision_config") {
                for (key, value) in vision.iter_mut().filter(|(_, value)| value.is_u64()) {
                    *value = large(key).into();
                }
            }
            assert!(weights(&config).is_some(), "{id}");
        }
    }

    #[test]
    fn a_tower_that_is_not_fully_described_has_no_count() {
        let whole = config("google/gemma-3-4b-it");
        assert!(weights(&whole).is_some());
        for key in ["hidden_size", "num_hidden_layers", "image_size", "patch_size"] {
            for wrong in [Value::Null, json!(-1), json!("16"), json!(1u64 << 40), json!(0.5)] {
                let mut config = whole.clone();
                config["vision_config"][key] = wrong;
                assert_eq!(weights(&config), None, "{key}");
            }
        }
        let mut zero = whole.clone();
        zero["vision_config"]["patch_size"] = 0.into();
        assert_eq!(weights(&zero), None);
    }
}
