//! The fixed words of the tree's tips.

use super::tips::Tip;
use crate::advise::levers::Cost;

/// The fixed words of a tip.
pub(super) struct Words {
    pub id: &'static str,
    pub text: &'static str,
    pub setting: Option<&'static str>,
    pub cost: Cost,
    pub side_effect: &'static str,
    pub claim: Option<&'static str>,
}

impl Tip {
    /// Its words.
    pub fn words(self) -> Words {
        let words = |id, text, setting, cost, side_effect, claim| Words {
            id,
            text,
            setting,
            cost,
            side_effect,
            claim,
        };
        match self {
            Tip::Fp8 => words(
                "fp8",
                "train adapters on an FP8-Dynamic base",
                Some("load_in_fp8=True"),
                Cost::Quality,
                "nearly the quality of bf16; faster where products run in FP8: measure it with the benchmark script",
                Some("fp8"),
            ),
            Tip::Bf16 => words(
                "bf16",
                "train in bf16",
                Some("bf16=True"),
                Cost::Free,
                "the range of fp32, no gradient scaler",
                None,
            ),
            Tip::Fp16 => words(
                "fp16",
                "train in fp16",
                Some("fp16=True"),
                Cost::Free,
                "a gradient scaler skips steps that overflow",
                None,
            ),
            Tip::FourBit => words(
                "four-bit",
                "load the base in 4 bit",
                Some("load_in_4bit=True"),
                Cost::Quality,
                "less exact weights, most felt by small models; products dequantize first",
                Some("four-bit"),
            ),
            Tip::Adamw8bit => words(
                "adamw-8bit",
                "use an 8-bit optimizer",
                Some("optim=\"adamw_8bit\""),
                Cost::Free,
                "trains as well as 32-bit states",
                Some("adamw-8bit"),
            ),
            Tip::Batch => words(
                "batch",
                "one sequence at a time, more accumulation",
                Some("per_device_train_batch_size=1"),
                Cost::Time,
                "the same gradients; a large GPU is used less well",
                None,
            ),
            Tip::Checkpointing => words(
                "checkpointing",
                "checkpoint activations",
                Some("use_gradient_checkpointing=\"unsloth\""),
                Cost::Time,
                "a fifth to a third slower: layers run forward twice",
                None,
            ),
            Tip::Remedy => words(
                "remedy",
                "take the smallest set of changes that fits",
                None,
                Cost::Time,
                "those of its changes",
                None,
            ),
            Tip::Seq => words(
                "seq",
                "shorter sequences",
                Some("max_length"),
                Cost::Task,
                "longer examples are cut off",
                None,
            ),
            Tip::Model => words(
                "model",
                "a smaller model of the family",
                None,
                Cost::Task,
                "a weaker model",
                None,
            ),
            Tip::Card => words("card", "a larger card", None, Cost::Software, "money", None),
            Tip::Dynamic4bit => words(
                "dynamic-4bit",
                "load the dynamic 4-bit variant, which leaves sensitive layers at 16 bit",
                Some("load_in_4bit=True of a -unsloth-bnb-4bit repository"),
                Cost::Free,
                "a little slower to load; better where plain 4 bit fails",
                Some("dynamic-4bit"),
            ),
            Tip::Qat => words(
                "qat",
                "quantization-aware training",
                Some("qat_scheme=\"int4\""),
                Cost::Time,
                "slower, and needs a 16-bit base; recovers up to about 70 % of what quantizing afterwards loses, 45 to 67 % in the printed cases",
                None,
            ),
        }
    }
}
