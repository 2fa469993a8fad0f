//! The scenario with each format of the base weights: what the chart "memory by quantization" shows.

use crate::estimate::{Estimate, EstimateError, Verdict, estimate};
use crate::scenario::{Scenario, WeightFormat};
use crate::web::part::{Part, needed, needed_range, parts};
use crate::web::state::with_weights;

/// The formats that are compared, widest first.
pub const FORMATS: [WeightFormat; 7] = [
    WeightFormat::Fp32,
    WeightFormat::Bf16,
    WeightFormat::Int8,
    WeightFormat::Fp8,
    WeightFormat::Nf4,
    WeightFormat::Nf4Dq,
    WeightFormat::Fp4Dq,
];

/// The formats that are compared for a scenario: the usual ones, and its own.
pub fn formats(scenario: &Scenario) -> Vec<WeightFormat> {
    let own = Some(scenario.weights).filter(|own| !FORMATS.contains(own));
    FORMATS.into_iter().chain(own).collect()
}

/// What a bar stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// The stacked parts, in bytes.
    pub parts: Vec<(Part, u64)>,
    /// What is needed of the card: low, expected, high; and beyond it the cache up to the process figure.
    pub needed: [u64; 3],
    /// Does it fit? Nothing without a card.
    pub verdict: Option<Verdict>,
}

impl Load {
    fn of(estimate: &Estimate) -> Self {
        let [low, high] = needed_range(estimate);
        Load {
            parts: parts(estimate),
            needed: [low, needed(estimate), high],
            verdict: estimate.verdict,
        }
    }

    /// The bytes of a part.
    pub fn bytes(&self, part: Part) -> u64 {
        self.parts
            .iter()
            .find(|(p, _)| *p == part)
            .map_or(0, |(_, bytes)| *bytes)
    }

    /// The whole bar: the process figure.
    pub fn total(&self) -> u64 {
        self.parts.iter().map(|(_, bytes)| bytes).sum()
    }
}

/// A format and its bar, or why it has none.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The weight format.
    pub format: WeightFormat,
    /// The bar, or why there is none.
    pub load: Result<Load, String>,
}

/// Rows that were computed lately, so that going to and fro costs nothing. An estimate takes milliseconds: the rows are
/// asked for one by one, and whoever waits for them can stop in between.
#[derive(Default)]
pub struct Rows(Vec<(Scenario, Row)>);

/// As many rows as a few scenarios have.
const KEPT: usize = 64;

impl Rows {
    /// Takes over an estimate that is at hand.
    pub fn learn(&mut self, scenario: &Scenario, estimate: &Estimate) {
        self.keep(scenario.clone(), Ok(Load::of(estimate)));
    }

    /// Computes one missing row of a scenario; false when there was none.
    pub fn compute_one(&mut self, scenario: &Scenario) -> bool {
        let variants = formats(scenario)
            .into_iter()
            .map(|format| with_weights(scenario, format));
        let missing = variants.into_iter().find(|variant| self.find(variant).is_none());
        if let Some(variant) = missing {
            let load = estimate(&variant)
                .map(|estimate| Load::of(&estimate))
                .map_err(|error| reason(&error));
            self.keep(variant, load);
            return true;
        }
        false
    }

    /// The rows of a scenario; nothing while some are missing.
    pub fn all(&self, scenario: &Scenario) -> Option<Vec<Row>> {
        let row = |format| self.find(&with_weights(scenario, format)).cloned();
        formats(scenario).into_iter().map(row).collect()
    }

    fn find(&self, variant: &Scenario) -> Option<&Row> {
        self.0.iter().rfind(|(of, _)| of == variant).map(|(_, row)| row)
    }

    fn keep(&mut self, variant: Scenario, load: Result<Load, String>) {
        if self.find(&variant).is_none() {
            if self.0.len() >= KEPT {
                self.0.remove(0);
            }
            let format = variant.weights;
            self.0.push((variant, Row { format, load }));
        }
    }
}

fn reason(error: &EstimateError) -> String {
    match error {
        EstimateError::Invalid(problems) => problems
            .first()
            .map_or_else(|| error.to_string(), |first| first.problem.clone()),
        EstimateError::NotModelled(reason) => reason.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn computed(scenario: &Scenario) -> (Rows, Vec<Row>) {
        let mut rows = Rows::default();
        while rows.compute_one(scenario) {
            assert!(rows.0.len() <= KEPT);
        }
        let all = rows.all(scenario).unwrap();
        (rows, all)
    }

    #[test]
    fn every_format_has_a_row() {
        let scenario = Scenario::default();
        let shown: Vec<_> = computed(&scenario).1.into_iter().map(|row| row.format).collect();
        assert_eq!(shown, FORMATS);
    }

    #[test]
    fn an_uncommon_format_is_shown_too() {
        let scenario = with_weights(&Scenario::default(), WeightFormat::Fp4);
        assert_eq!(
            computed(&scenario).1.last().map(|row| row.format),
            Some(WeightFormat::Fp4)
        );
    }

    #[test]
    fn choosing_another_quantized_format_asks_for_nothing_new() {
        let (mut rows, _) = computed(&Scenario::default());
        for format in FORMATS.into_iter().filter(|format| format.is_quantized()) {
            let chosen = with_weights(&Scenario::default(), format);
            assert!(!rows.compute_one(&chosen), "{format}");
        }
    }

    #[test]
    fn rows_are_not_shown_before_all_are_there() {
        let mut rows = Rows::default();
        let scenario = Scenario::default();
        assert!(rows.compute_one(&scenario));
        assert_eq!(rows.all(&scenario), None);
    }

    #[test]
    fn an_answer_at_hand_is_not_computed_again() {
        let scenario = Scenario::default();
        let mut rows = Rows::default();
        rows.learn(&scenario, &estimate(&scenario).unwrap());
        let mut asked = 0;
        while rows.compute_one(&scenario) {
            asked += 1;
        }
        assert_eq!(asked, FORMATS.len() - 1);
    }

    #[test]
    fn full_fine_tuning_has_no_bars_for_weights_that_cannot_be_trained() {
        let mut full = Scenario::default();
        full.set_method(crate::scenario::Method::Full);
        let rows = computed(&full).1;
        let nf4 = rows.iter().find(|row| row.format == WeightFormat::Nf4).unwrap();
        assert!(
            nf4.load
                .as_ref()
                .is_err_and(|reason| reason.contains("cannot be trained"))
        );
    }
}
