//! "Dynamic 4-bit uses less than 10 % more memory than plain 4-bit."

use super::{Claim, Comparison, Judgement, adapters_on, percent, signed};
use crate::bytes::Bytes;
use crate::model::PartKind;
use crate::plan::Plan;
use crate::quant::SkipList;
use crate::replay::Dtype;
use crate::scenario::{Scenario, WeightFormat};

const CLAIMED: f64 = 0.10;

pub(super) fn claim(scenario: &Scenario) -> Claim {
    let without = adapters_on(scenario, WeightFormat::Nf4Dq);
    let with = adapters_on(scenario, WeightFormat::Dynamic4bit);
    let known = Plan::new(&with).is_ok_and(|plan| plan.kept.source != SkipList::Documented);
    let here = Comparison::of(
        ("plain 4-bit (nf4 double quant)".into(), &without),
        ("dynamic 4-bit".into(), &with),
    );
    let (here, judgement, notes) = match here {
        Ok(c) if known => {
            let judgement = if -c.share < CLAIMED {
                Judgement::Holds
            } else {
                Judgement::FallsShort
            };
            let notes = vec![format!(
                "the layers left in 16 bit cost {}, {} of the run",
                signed(-c.saved_bytes),
                percent(-c.share)
            )];
            (Ok(c), judgement, notes)
        }
        Ok(c) => {
            let notes = allowance(&with, c.without.allocated_bytes).into_iter().collect();
            let unknown =
                "which layers the dynamic variant of this model leaves in 16 bit is not known here".into();
            (Err(unknown), Judgement::Open, notes)
        }
        Err(error) => (Err(error), Judgement::Open, Vec::new()),
    };
    let mut notes: Vec<String> = notes;
    notes.push("their own example of Qwen2-VL-2B goes from 1.36 to 1.81 GB, 33 % more: small models and long skip lists cost a larger share".into());
    Claim {
        id: "dynamic-4bit",
        title: "dynamic 4-bit instead of plain 4-bit",
        published: "less than 10 % more VRAM",
        source: "unsloth.ai/blog/dynamic-4bit",
        judgement,
        open_because: here.as_ref().err().cloned(),
        here: here.ok(),
        notes,
    }
}

/// How much could be left in 16 bit before the claim fails.
fn allowance(with: &Scenario, plain: u64) -> Option<String> {
    let plan = Plan::new(with).ok()?;
    let (mut elements, mut more) = (0u64, 0u64);
    for (layer, count) in plan.arch.kinds() {
        for part in plan.arch.layer(layer) {
            let PartKind::Linear { inputs, outputs, .. } = part.kind else {
                continue;
            };
            let n = part.elements().0;
            let narrow = plan.storage.bytes(inputs, outputs, Dtype::Bf16);
            elements = elements.saturating_add(n.saturating_mul(count));
            more = more.saturating_add(n.saturating_mul(2).saturating_sub(narrow).saturating_mul(count));
        }
    }
    let room = plain as f64 * CLAIMED;
    let each = more as f64 / elements.max(1) as f64;
    Some(format!(
        "10 % of this run is {}; a weight left in 16 bit costs {each:.2} bytes more, so that the claim holds while at most {} of the linear layers are skipped",
        Bytes(room as u64),
        percent((room / more.max(1) as f64).min(1.0))
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::ModelRef;

    #[test]
    fn a_known_skip_list_is_compared() {
        let model = ModelRef::Catalog("deepseek-ai/DeepSeek-R1-Distill-Llama-8B".into());
        let run = Scenario {
            model,
            ..Scenario::default()
        };
        let claim = claim(&run);
        // One MLP of 32: 3 x 4096 x 14336 weights at 1.484 bytes.
        let cost = -claim.here.unwrap().saved_bytes;
        assert!((cost - 261_500_000).abs() < 1_000_000, "{cost}");
        assert_eq!(claim.judgement, Judgement::Holds);
    }

    #[test]
    fn an_unknown_one_says_what_the_claim_allows() {
        let claim = claim(&Scenario::default());
        assert_eq!(claim.judgement, Judgement::Open);
        assert!(
            claim.notes[0].contains("costs 1.48 bytes more"),
            "{:?}",
            claim.notes
        );
    }

    #[test]
    fn a_given_list_is_compared_too() {
        let mut run = Scenario::default();
        run.set_weights(WeightFormat::Dynamic4bit);
        run.skip_modules = vec!["mlp".into()];
        let claim = claim(&run);
        assert_eq!(claim.judgement, Judgement::FallsShort);
    }
}
