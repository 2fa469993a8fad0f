//! What a small picture of an answer shows: words and bytes, so that whoever draws it computes nothing.

use crate::catalog;
use crate::estimate::part::{Part, needed, needed_range, parts};
use crate::estimate::{Estimate, EstimateError, Interval, Verdict, estimate};
use crate::scenario::Scenario;
use crate::words::{gib1, run, size};
use serde::Serialize;
use tsify::Tsify;

/// One part of the stacked bar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Tsify)]
pub struct ShownPart {
    /// Its class on the page: `part part-weights`.
    pub class: &'static str,
    /// Its name.
    pub label: &'static str,
    /// Its size.
    pub bytes: u64,
}

/// An answer, as a widget shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Tsify)]
pub struct View {
    /// The scenario: the part of a link behind its `#`.
    pub link: String,
    /// The run in a line.
    pub run: String,
    /// Does it fit? In a few words.
    pub head: String,
    /// How much it needs, and of how much.
    pub body: String,
    /// The bar in words.
    pub told: String,
    /// The answer in a handful of words: `fits RTX 4090 · 19.2 GiB`.
    pub badge: String,
    /// Bytes needed of the card: least capacity and CUDA context.
    pub needed: Interval,
    /// The parts of the bar, from the ground up.
    pub parts: Vec<ShownPart>,
    /// Everything else.
    pub estimate: Estimate,
}

/// The view of a scenario.
///
/// # Errors
/// As [`estimate`].
pub fn view(scenario: &Scenario) -> Result<View, EstimateError> {
    let estimate = estimate(scenario)?;
    let [low, high] = needed_range(&estimate);
    let expected = needed(&estimate);
    let card = scenario.card().map(|card| card.name.as_str());
    let words = Words {
        card,
        needed: [low, expected, high],
        estimate: &estimate,
    };
    Ok(View {
        link: scenario.to_fragment(),
        run: run(scenario),
        head: words.head(),
        body: words.body(),
        told: words.told(),
        badge: words.badge(),
        needed: Interval { low, expected, high },
        parts: parts(&estimate).into_iter().map(shown).collect(),
        estimate,
    })
}

fn shown((part, bytes): (Part, u64)) -> ShownPart {
    ShownPart {
        class: part.class(),
        label: part.label(),
        bytes,
    }
}

struct Words<'a> {
    card: Option<&'a str>,
    needed: [u64; 3],
    estimate: &'a Estimate,
}

impl Words<'_> {
    fn expected(&self) -> u64 {
        self.needed[1]
    }

    fn head(&self) -> String {
        match (self.estimate.verdict, self.card) {
            (Some(Verdict::Fits), Some(card)) => format!("Fits on {card}"),
            (Some(Verdict::Tight), Some(card)) => format!("Tight on {card}"),
            (Some(Verdict::Exceeds), Some(card)) => format!("Does not fit on {card}"),
            _ => format!("Needs {}", size(self.expected())),
        }
    }

    fn body(&self) -> String {
        let (Some(capacity), Some(room)) = (self.estimate.capacity_bytes, self.estimate.headroom_bytes)
        else {
            return "of a card: least capacity and CUDA context".into();
        };
        let margin = if room < 0 { "over" } else { "to spare" };
        let mut body = format!(
            "needs {} of {} usable, {} {margin}",
            size(self.expected()),
            size(capacity),
            size(room.unsigned_abs())
        );
        if self.estimate.verdict == Some(Verdict::Tight) {
            body += &format!("; some runs need {}", size(self.needed[2]));
        }
        body
    }

    fn told(&self) -> String {
        let [low, expected, high] = self.needed.map(size);
        let needed = format!("Needs {expected}, from {low} to {high}");
        match (self.card, self.estimate.capacity_bytes) {
            (Some(card), Some(capacity)) => format!("{needed}; {card} has {} usable", size(capacity)),
            _ => needed,
        }
    }

    fn badge(&self) -> String {
        let expected = gib1(self.expected());
        // The maker's name is longer than the card's.
        let card = self.card.map(|card| card.trim_start_matches("GeForce "));
        match (self.estimate.verdict, card) {
            (Some(Verdict::Fits), Some(card)) => format!("fits {card} · {expected} GiB"),
            (Some(Verdict::Tight), Some(card)) => format!("tight on {card} · {expected} GiB"),
            (Some(Verdict::Exceeds), Some(card)) => format!("exceeds {card} · {expected} GiB"),
            _ => format!("needs {expected} GiB"),
        }
    }
}

/// The scenario on weights in another format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Tsify)]
pub struct Variant {
    /// The format.
    pub format: &'static str,
    /// Its name.
    pub label: &'static str,
    /// Is it the scenario's own?
    pub own: bool,
    /// The changed scenario: the part of a link behind its `#`.
    pub link: String,
}

/// The scenario with each weight format that is compared.
pub fn variants(scenario: &Scenario) -> Vec<Variant> {
    let formats = scenario.compared_formats().into_iter();
    let variant = |format: crate::scenario::WeightFormat| Variant {
        format: format.slug(),
        label: format.label(),
        own: format == scenario.weights,
        link: scenario.with_weights(format).to_fragment(),
    };
    formats.map(variant).collect()
}

/// The cards that can be chosen: those that CUDA runs on.
pub(super) fn cards() -> impl Iterator<Item = &'static catalog::Gpu> {
    catalog::gpus()
        .iter()
        .filter(|card| card.compute_capability.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_told_in_words() {
        let view = view(&Scenario::default()).unwrap();
        assert_eq!(view.head, "Fits on GeForce RTX 4090");
        assert_eq!(view.body, "needs 19.2 GiB of 23.5 GiB usable, 4.3 GiB to spare");
        assert_eq!(view.badge, "fits RTX 4090 · 19.2 GiB");
        assert!(view.told.ends_with("; GeForce RTX 4090 has 23.5 GiB usable"));
        let sum: u64 = view.parts.iter().map(|part| part.bytes).sum();
        assert_eq!(sum, view.estimate.process_bytes.expected);
    }

    #[test]
    fn without_a_card_there_is_no_verdict() {
        let open = Scenario {
            gpu: None,
            ..Scenario::default()
        };
        let view = view(&open).unwrap();
        assert_eq!(view.badge, "needs 19.2 GiB");
        assert_eq!(view.head, "Needs 19.2 GiB");
    }

    #[test]
    fn every_variant_is_a_link_of_its_own() {
        let variants = variants(&Scenario::default());
        let own: Vec<_> = variants.iter().filter(|variant| variant.own).collect();
        assert_eq!(own.len(), 1);
        assert_eq!(own[0].link, Scenario::default().to_fragment());
    }
}
