//! Which linear layers of a quantized model stay in 16 bit.

use crate::model::Part;

/// Where a skip list comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipList {
    /// The format quantizes every linear layer but the head.
    None,
    /// The user named the modules.
    Given,
    /// A published repository's `quantization_config.llm_int8_skip_modules`.
    Published,
    /// The repository's list is not known: only what its makers document is skipped.
    Documented,
}

/// Modules that quantization leaves alone beside embedding, head, norms, biases and routers (which are no linear
/// layers here) and towers (`llm_int8_skip_modules`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    patterns: Vec<String>,
    /// Where the list comes from.
    pub source: SkipList,
}

impl Kept {
    /// Nothing but what every format keeps.
    pub const fn nothing(source: SkipList) -> Self {
        Kept {
            patterns: Vec::new(),
            source,
        }
    }

    /// The modules of a list.
    pub fn named<T: AsRef<str>>(names: &[T], source: SkipList) -> Self {
        Kept {
            patterns: names.iter().map(|name| name.as_ref().trim().to_owned()).collect(),
            source,
        }
    }

    /// Is every linear layer quantized?
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Does the linear layer of this path, in this decoder layer, stay in 16 bit? A name keeps what begins with it (so
    /// `model.layers.1` keeps layers 10 to 19 too), what ends with it
    /// (`transformers/quantizers/quantizers_utils.py: should_convert_module`), and, with Unsloth, what lies in a module
    /// of that name (`unsloth_zoo/patching_utils.py: _unsloth_should_convert_module`).
    pub fn keeps(&self, layer: u64, part: &Part) -> bool {
        if self.patterns.is_empty() {
            return false;
        }
        let full = format!("model.layers.{layer}.{}", part.path);
        let words = format!(".{full}.");
        self.patterns.iter().any(|name| {
            full.starts_with(name) || full.ends_with(name) || words.contains(&format!(".{name}."))
        })
    }

    /// A number that differs between layers of which other parts are kept: a bit a kept part.
    pub fn mask(&self, layer: u64, parts: &[Part]) -> u32 {
        if self.patterns.is_empty() {
            return 0;
        }
        let kept = |(i, part): (usize, &Part)| u32::from(self.keeps(layer, part)) << (i % 24);
        parts.iter().enumerate().map(kept).fold(0, |mask, bit| mask | bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeps(names: &[&str], layer: u64, path: &'static str) -> bool {
        Kept::named(names, SkipList::Given).keeps(layer, &Part::linear(path, 1, 1, false))
    }

    #[test]
    fn a_module_keeps_what_is_in_it() {
        assert!(keeps(&["model.layers.1.mlp"], 1, "mlp.down_proj"));
        assert!(!keeps(&["model.layers.1.mlp"], 1, "self_attn.o_proj"));
        assert!(!keeps(&["model.layers.1.mlp"], 10, "mlp.down_proj"));
        assert!(keeps(&["model.layers.1"], 10, "mlp.down_proj"));
        assert!(!keeps(&["model.layers.1."], 10, "mlp.down_proj"));
    }

    #[test]
    fn a_name_keeps_the_layers_of_that_name() {
        assert!(keeps(&["down_proj"], 7, "mlp.down_proj"));
        assert!(keeps(&["mlp"], 7, "mlp.down_proj"));
        assert!(!keeps(&["attn"], 7, "self_attn.o_proj"));
    }

    #[test]
    fn names_may_leave_out_the_model() {
        assert!(keeps(&["layers.0.mlp.down_proj"], 0, "mlp.down_proj"));
    }

    #[test]
    fn the_head_is_no_part_of_a_layer() {
        assert!(!keeps(&["lm_head", "merger"], 0, "mlp.down_proj"));
    }
}
