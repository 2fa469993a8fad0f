//! "adamw_8bit saves up to 2 GB for a 7B model."

use super::{Claim, Comparison, Judgement, percent, signed, with_optimizer};
use crate::plan::Plan;
use crate::scenario::{Method, Optimizer, Scenario};

/// 2 GB.
const CLAIMED: f64 = 2e9;
/// How far from the claimed figure a saving may be and still be called it.
const NEAR: f64 = 0.25;

pub(super) fn claim(scenario: &Scenario) -> Claim {
    let [without, with] = [Optimizer::AdamwTorchFused, Optimizer::Adamw8bit]
        .map(|optimizer| with_optimizer(scenario, optimizer));
    let named = |run: &Scenario| run.optimizer.slug().to_owned();
    let here = Comparison::of((named(&without), &without), (named(&with), &with));
    Claim {
        id: "adamw-8bit",
        title: "adamw_8bit instead of 32-bit AdamW",
        published: "saves up to 2 GB for a 7B model",
        source: "a third-party skill page on Unsloth and quantization; not in Unsloth's own documentation",
        judgement: here
            .as_ref()
            .map_or(Judgement::Open, |c| judge(c.saved_bytes as f64)),
        notes: here.as_ref().map_or_else(|_| Vec::new(), |c| notes(scenario, c)),
        open_because: here.as_ref().err().cloned(),
        here: here.ok(),
    }
}

fn judge(saved: f64) -> Judgement {
    if saved < CLAIMED * (1.0 - NEAR) {
        Judgement::FallsShort
    } else if saved > CLAIMED * (1.0 + NEAR) {
        Judgement::Exceeds
    } else {
        Judgement::Holds
    }
}

fn notes(scenario: &Scenario, here: &Comparison) -> Vec<String> {
    let mut notes = Vec::new();
    let Ok(plan) = Plan::new(scenario) else {
        return notes;
    };
    let trained = plan.trained_parameters();
    let saved = here.saved_bytes;
    notes.push(format!(
        "{} weights are trained, {} bytes saved for each at the peak: {} of the run",
        trained,
        (saved as f64 / trained.max(1) as f64 * 100.0).round() / 100.0,
        percent(here.share)
    ));
    if scenario.method == Method::Full {
        notes.push("in full fine-tuning every weight has states, so that far more than 2 GB is saved; 16-bit weights have 16-bit states with torch's AdamW, 4 bytes a weight".into());
    } else if saved > 0 {
        // Adapters, and with them their states, grow with the rank.
        let rank = (scenario.lora.rank as f64 * CLAIMED / saved as f64).round();
        notes.push(format!(
            "the saving grows with the rank: {} at rank {}, about 2 GB at rank {rank}",
            signed(saved),
            scenario.lora.rank
        ));
    } else {
        notes.push("the peak is not where states are, so that nothing is saved of it".into());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::peak_allocated;

    #[test]
    fn at_the_rank_that_is_named_the_claim_holds() {
        let mut run = Scenario::default();
        let first = claim(&run);
        assert_eq!(first.judgement, Judgement::FallsShort);
        let note = first.notes.last().unwrap();
        run.lora.rank = note.rsplit(' ').next().unwrap().parse().unwrap();
        assert_eq!(claim(&run).judgement, Judgement::Holds, "{note}");
    }

    #[test]
    fn the_saving_is_the_difference_of_two_estimates() {
        let run = Scenario::default();
        let peaks = [Optimizer::AdamwTorchFused, Optimizer::Adamw8bit]
            .map(|optimizer| peak_allocated(&with_optimizer(&run, optimizer)).unwrap());
        let here = claim(&run).here.unwrap();
        assert_eq!(here.saved_bytes, peaks[0] as i64 - peaks[1] as i64);
    }
}
