//! "FP8 uses 60 % less memory."

use super::{Claim, Comparison, Judgement, adapters_on, percent, signed};
use crate::plan::Plan;
use crate::scenario::{Scenario, Stack, WeightFormat};

const CLAIMED: f64 = 0.60;
/// How far below the claimed share a saving may be and still be called it.
const NEAR: f64 = 0.05;

pub(super) fn claim(scenario: &Scenario) -> Claim {
    let format = match (scenario.weights, scenario.stack) {
        (own @ (WeightFormat::Fp8Dynamic | WeightFormat::Fp8Block | WeightFormat::Fp8), _) => own,
        (_, Stack::Unsloth) => WeightFormat::Fp8Dynamic,
        (_, Stack::Hf) => WeightFormat::Fp8,
    };
    let without = adapters_on(scenario, WeightFormat::Bf16);
    let with = adapters_on(scenario, format);
    let here = match stays_wide(&with) {
        Some(reason) => Err(reason),
        None => Comparison::of(
            ("LoRA on bf16".into(), &without),
            (format!("LoRA on {}", format.label()), &with),
        ),
    };
    let mut notes = Vec::new();
    if let Ok(c) = &here {
        notes.push(format!(
            "{} of the run, {}: the linear layers take half, the rest of the run is not smaller, and each product works on copies of its own",
            signed(c.saved_bytes),
            percent(c.share)
        ));
    }
    notes.push("the 60 % compare reinforcement learning with other programs for FP8 reinforcement learning, not FP8 with bf16 of the same program".into());
    Claim {
        id: "fp8",
        title: "FP8 weights instead of bf16",
        published: "60 % less VRAM",
        source: "Unsloth's documentation on FP8 reinforcement learning",
        judgement: here.as_ref().map_or(Judgement::Open, |c| {
            if c.share >= CLAIMED - NEAR {
                Judgement::Holds
            } else {
                Judgement::FallsShort
            }
        }),
        open_because: here.as_ref().err().cloned(),
        here: here.ok(),
        notes,
    }
}

/// Why there are no FP8 weights where they were asked for: the library replaces them by 16-bit ones on this card.
fn stays_wide(with: &Scenario) -> Option<String> {
    let plan = Plan::new(with).ok()?;
    if plan.storage.is_quantized() {
        return None;
    }
    plan.substitutions.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Method;

    #[test]
    fn fp8_saves_less_than_half_of_what_is_retold() {
        let run = Scenario::for_stack(Stack::Hf, Method::Lora);
        let claim = claim(&run);
        assert_eq!(claim.judgement, Judgement::FallsShort);
        assert!(claim.here.unwrap().saved_bytes > 0);
    }

    #[test]
    fn a_card_without_fp8_leaves_the_claim_open() {
        let mut run = Scenario::for_stack(Stack::Unsloth, Method::Lora);
        run.gpu = Some("rtx-3090".into());
        let claim = claim(&run);
        assert_eq!(claim.judgement, Judgement::Open);
        assert!(
            claim
                .open_because
                .unwrap()
                .contains("requires H100 GPUs or after")
        );
    }
}
