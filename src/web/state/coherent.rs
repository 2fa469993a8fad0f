//! Choices that only go together: a format and a method that can train on it.

use crate::scenario::{Method, Scenario, WeightFormat};

/// The scenario with another weight format, and with the adapter method that goes with it: nf4 while LoRA is on means
/// QLoRA. Full fine-tuning stays what it is, and has no answer on weights that cannot be trained.
pub fn with_weights(scenario: &Scenario, weights: WeightFormat) -> Scenario {
    let mut changed = scenario.clone();
    match scenario.method {
        Method::Full => changed.weights = weights,
        Method::Lora | Method::Qlora => changed.set_weights(weights),
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_four_bit_base_under_lora_means_qlora_and_a_wide_one_lora() {
        let lora = with_weights(&Scenario::default(), WeightFormat::Bf16);
        assert_eq!((lora.method, lora.weights), (Method::Lora, WeightFormat::Bf16));
        assert_eq!(with_weights(&lora, WeightFormat::Nf4Dq), Scenario::default());
    }

    #[test]
    fn full_fine_tuning_stays_what_it_is() {
        let full = Scenario {
            method: Method::Full,
            ..Scenario::default()
        };
        assert_eq!(with_weights(&full, WeightFormat::Nf4).method, Method::Full);
    }
}
