//! Common runs to start from.

use crate::scenario::Scenario;

/// Name and link of each.
const PRESETS: &[(&str, &str)] = &[
    ("QLoRA of an 8B on a 24 GB card", ""),
    ("Unsloth: QLoRA of an 8B on a 24 GB card", "stack=unsloth"),
    (
        "QLoRA of a 1B on a free T4",
        "model=meta-llama/Llama-3.2-1B&gpu=t4&autocast=fp16",
    ),
    (
        "LoRA of an 8B in bf16 on an 80 GB card",
        "model=meta-llama/Llama-3.1-8B&method=lora&gpu=a100-80gb-sxm&seq=4096",
    ),
    (
        "QLoRA of a 32B on a 48 GB card",
        "model=Qwen/Qwen2.5-32B-Instruct&gpu=rtx-6000-ada&batch=1",
    ),
    (
        "QLoRA of a 70B on an 80 GB card",
        "model=meta-llama/Llama-3.3-70B-Instruct&gpu=h100-80gb-sxm&batch=1",
    ),
    (
        "Full fine-tuning of a 0.5B on a 24 GB card",
        "model=Qwen/Qwen2.5-0.5B&method=full",
    ),
    (
        "Full fine-tuning of a 7B on an H200",
        "model=Qwen/Qwen2.5-7B&method=full&gpu=h200-sxm&batch=1",
    ),
    (
        "LoRA of a 30B mixture of experts on an H200",
        "model=Qwen/Qwen3-30B-A3B&method=lora&targets=q_proj,k_proj,v_proj,o_proj&gpu=h200-sxm&batch=1",
    ),
];

/// Names and scenarios, in order.
pub fn presets() -> impl Iterator<Item = (&'static str, Scenario)> {
    PRESETS
        .iter()
        .map(|(name, link)| (*name, Scenario::from_fragment(link).scenario))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::estimate;

    #[test]
    fn every_preset_is_read_whole_and_answered() {
        for (name, link) in PRESETS {
            let parsed = Scenario::from_fragment(link);
            assert_eq!((parsed.problems, parsed.notices), (vec![], vec![]), "{name}");
            let estimate = estimate(&parsed.scenario).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(estimate.verdict.is_some(), "{name}");
        }
    }
}
