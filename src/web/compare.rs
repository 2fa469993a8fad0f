//! The scenario with each format of the base weights: what the chart "memory by quantization" shows.

use crate::estimate::part::{Part, needed, needed_range, parts};
use crate::estimate::{Estimate, Verdict};
use crate::scenario::{Scenario, WeightFormat};
use crate::web::jobs::Loaded;
use serde::{Deserialize, Serialize};

/// What a bar stands for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// The stacked parts, in bytes.
    pub parts: Vec<(Part, u64)>,
    /// What is needed of the card: low, expected, high; and beyond it the cache up to the process figure.
    pub needed: [u64; 3],
    /// Does it fit? Nothing without a card.
    pub verdict: Option<Verdict>,
}

impl Load {
    /// The bar of an estimate.
    pub fn of(estimate: &Estimate) -> Self {
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

    /// The variant of a scenario whose row is not known yet; nothing when all are.
    pub fn missing(&self, scenario: &Scenario) -> Option<Scenario> {
        let mut variants = variants(scenario);
        variants.find(|variant| self.find(variant).is_none())
    }

    /// Takes a variant's bar as the worker answered. An answer that cannot be read is a row without a bar.
    pub fn take(&mut self, variant: Scenario, answer: &[u8]) {
        let loaded: Loaded = postcard::from_bytes(answer).unwrap_or_else(|_| Err(String::new()));
        self.keep(variant, loaded);
    }

    /// The rows of a scenario that are known.
    pub fn all(&self, scenario: &Scenario) -> Vec<Row> {
        let known = variants(scenario).filter_map(|variant| self.find(&variant).cloned());
        known.collect()
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

/// The scenario with each format.
fn variants(scenario: &Scenario) -> impl Iterator<Item = Scenario> {
    let formats = scenario.compared_formats().into_iter();
    formats.map(|format| scenario.with_weights(format))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::estimate;
    use crate::web::jobs::{Job, answer};

    /// Asks for one missing row; false when there was none.
    fn ask_for_one(rows: &mut Rows, scenario: &Scenario) -> bool {
        let Some(variant) = rows.missing(scenario) else {
            return false;
        };
        let job = Job::Load(Box::new(variant.clone()));
        rows.take(variant, &answer(&job.message()));
        true
    }

    fn computed(scenario: &Scenario) -> (Rows, Vec<Row>) {
        let mut rows = Rows::default();
        while ask_for_one(&mut rows, scenario) {
            assert!(rows.0.len() <= KEPT);
        }
        let all = rows.all(scenario);
        (rows, all)
    }

    #[test]
    fn every_format_has_a_row() {
        let scenario = Scenario::default();
        let shown: Vec<_> = computed(&scenario).1.into_iter().map(|row| row.format).collect();
        assert_eq!(shown, WeightFormat::COMPARED);
    }

    #[test]
    fn an_uncommon_format_is_shown_too() {
        let scenario = Scenario::default().with_weights(WeightFormat::Fp4);
        assert_eq!(
            computed(&scenario).1.last().map(|row| row.format),
            Some(WeightFormat::Fp4)
        );
    }

    #[test]
    fn choosing_another_quantized_format_asks_for_nothing_new() {
        let (mut rows, _) = computed(&Scenario::default());
        for format in WeightFormat::COMPARED
            .into_iter()
            .filter(|format| format.is_quantized())
        {
            let chosen = Scenario::default().with_weights(format);
            assert!(!ask_for_one(&mut rows, &chosen), "{format}");
        }
    }

    #[test]
    fn an_answer_at_hand_is_not_computed_again() {
        let scenario = Scenario::default();
        let mut rows = Rows::default();
        rows.learn(&scenario, &estimate(&scenario).unwrap());
        let mut asked = 0;
        while ask_for_one(&mut rows, &scenario) {
            asked += 1;
        }
        assert_eq!(asked, WeightFormat::COMPARED.len() - 1);
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
