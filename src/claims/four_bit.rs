//! "4-bit weights are four times smaller."

use super::{Claim, Comparison, Judgement, adapters_on, percent, signed};
use crate::bytes::Bytes;
use crate::model::PartKind;
use crate::plan::Plan;
use crate::scenario::{Scenario, WeightFormat};

/// Times smaller.
const CLAIMED: f64 = 4.0;
/// From here on a ratio is called the claimed one.
const LEAST: f64 = 3.5;

pub(super) fn claim(scenario: &Scenario) -> Claim {
    let without = adapters_on(scenario, WeightFormat::Bf16);
    let with = adapters_on(scenario, WeightFormat::Nf4Dq);
    let here = Comparison::of(
        ("LoRA on bf16".into(), &without),
        ("QLoRA on nf4 double quant".into(), &with),
    );
    Claim {
        id: "four-bit",
        title: "a 4-bit base instead of 16 bit",
        published: "4x less memory",
        source: "Unsloth's documentation on QLoRA and LoRA",
        judgement: here.as_ref().map_or(Judgement::Open, |c| {
            if c.times() >= LEAST {
                Judgement::Holds
            } else {
                Judgement::FallsShort
            }
        }),
        notes: here.as_ref().map_or_else(|_| Vec::new(), |c| notes(&with, c)),
        open_because: here.as_ref().err().cloned(),
        here: here.ok(),
    }
}

/// Bytes of the base weights: all in 16 bit; the quantized ones then and now.
struct Base {
    whole: u64,
    wide: u64,
    narrow: u64,
}

fn base(with: &Scenario) -> Option<Base> {
    let plan = Plan::new(with).ok()?;
    let (mut wide, mut narrow) = (0u64, 0u64);
    for layer in 0..plan.arch.layers {
        for part in plan.arch.layer(layer) {
            let PartKind::Linear { inputs, outputs, .. } = part.kind else {
                continue;
            };
            let storage = plan.storage_of(layer, &part);
            if storage.is_quantized() {
                wide = wide.saturating_add(part.elements().0.saturating_mul(2));
                narrow = narrow.saturating_add(storage.bytes(inputs, outputs, plan.dtype));
            }
        }
    }
    let elements = plan.arch.parameters().saturating_add(plan.towers);
    Some(Base {
        whole: elements.saturating_mul(2),
        wide,
        narrow,
    })
}

fn notes(with: &Scenario, here: &Comparison) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(Base { whole, wide, narrow }) = base(with) {
        let stored = whole - wide + narrow;
        notes.push(format!(
            "of the quantized matrices it is nearly true: {} become {}, {:.2} times smaller (4 bits and the scales of blocks)",
            Bytes(wide),
            Bytes(narrow),
            wide as f64 / narrow.max(1) as f64
        ));
        notes.push(format!(
            "of the model's weights {:.2} times: embeddings, head and norms keep 16 bit, {} of {}",
            whole as f64 / stored.max(1) as f64,
            Bytes(whole - wide),
            Bytes(whole)
        ));
    }
    notes.push(format!(
        "of the whole run {:.2} times, {} or {}, not {CLAIMED} times: activations, loss and adapters are no smaller",
        here.times(),
        signed(here.saved_bytes),
        percent(here.share)
    ));
    if with.prepare_kbit {
        notes.push("prepare_model_for_kbit_training turns what is not quantized into fp32, which takes back part of it".into());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HfConfig;
    use crate::scenario::ModelRef;

    #[test]
    fn the_matrices_of_llama_3_1_8b_are_3_88_times_smaller() {
        let claim = claim(&Scenario::default());
        assert!(
            claim.notes[0].contains("13.00 GiB become 3.35 GiB, 3.88 times smaller"),
            "{:?}",
            claim.notes
        );
        assert_eq!(claim.judgement, Judgement::FallsShort);
    }

    #[test]
    fn a_model_that_cannot_be_replayed_leaves_the_claim_open() {
        let unknown = HfConfig {
            model_type: "of_another_kind".into(),
            ..HfConfig::default()
        };
        let model = ModelRef::Config(Box::new(unknown));
        let run = Scenario {
            model,
            ..Scenario::default()
        };
        let claim = claim(&run);
        assert_eq!(claim.judgement, Judgement::Open);
        assert!(claim.open_because.is_some());
    }
}
