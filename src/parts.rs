//! The page's program is divided: `cargo xtask` splits what the linker wrote, its `divide` tells how. The first part
//! has what most runs take, the rest is loaded when it is needed.

use crate::model::Architecture;
use crate::scenario::{Scenario, Stack};
use crate::stack::hf::has_common_layers;

/// Can the first part replay this run? It has the common layers under Hugging Face's stack.
pub fn is_common(scenario: &Scenario) -> bool {
    let family = |scenario: &Scenario| {
        let config = scenario.model.config()?;
        Architecture::from_config(&config).ok().map(|arch| arch.family)
    };
    scenario.stack == Stack::Hf && family(scenario).is_none_or(has_common_layers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::ModelRef;

    #[test]
    fn only_llama_and_its_kin_are_common() {
        let of = |id: &str| Scenario {
            model: ModelRef::Catalog(id.into()),
            ..Scenario::default()
        };
        assert!(is_common(&Scenario::default()));
        assert!(is_common(&of("Qwen/Qwen3-8B")));
        assert!(!is_common(&of("google/gemma-3-1b-it")));
        assert!(!is_common(&of("Qwen/Qwen3-30B-A3B")));
        let mut unsloth = Scenario::default();
        unsloth.set_stack(Stack::Unsloth);
        assert!(!is_common(&unsloth));
        // What is no model is refused without replaying anything.
        assert!(is_common(&of("no/model")));
    }
}
