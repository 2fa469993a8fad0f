//! The table of cards: which are shown, and in what order. No browser in here.

use crate::advise::solve::CardFit;
use crate::catalog;
use crate::estimate::Verdict;
use crate::sort::sort_by;
use std::cmp::Ordering;

/// What the table is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// What fits first, the cheapest of it first; then what is tight; then the rest by how near it is.
    #[default]
    Best,
    /// The name.
    Name,
    /// Memory that a process can use.
    Memory,
    /// Bytes to spare.
    Headroom,
    /// Dollars an hour; cards without a price last.
    Price,
}

/// How the table is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    /// The order.
    pub by: SortBy,
    /// The other way round.
    pub reversed: bool,
    /// Words that must occur in name, generation or form.
    pub words: String,
    /// Only cards that the run fits, at the expected value at least.
    pub fitting: bool,
    /// Only cards with a price.
    pub priced: bool,
}

impl Look {
    /// Sorted by this; the other way round when it is already.
    pub fn sorted(&self, by: SortBy) -> Look {
        Look {
            reversed: self.by == by && !self.reversed,
            by,
            ..self.clone()
        }
    }

    /// The cards that are shown, in order.
    pub fn of<'a>(&self, cards: &'a [CardFit]) -> Vec<&'a CardFit> {
        let words = self.words.to_ascii_lowercase();
        let shown = |card: &&CardFit| {
            (!self.fitting || card.verdict != Verdict::Exceeds)
                && (!self.priced || card.offer.is_some())
                && has_words(card, &words)
        };
        let mut out: Vec<&CardFit> = cards.iter().filter(shown).collect();
        sort_by(&mut out, |a, b| self.order(a, b));
        out
    }

    fn order(&self, a: &CardFit, b: &CardFit) -> Ordering {
        let order = match self.by {
            SortBy::Best => rank(a).cmp(&rank(b)).then_with(|| best(a, b)),
            SortBy::Name => a.name.cmp(b.name),
            SortBy::Memory => a.usable_bytes.cmp(&b.usable_bytes),
            SortBy::Headroom => b.headroom_bytes.cmp(&a.headroom_bytes),
            // Cards without a price stay last either way.
            SortBy::Price => match (price(a), price(b)) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                (a, b) => return b.is_some().cmp(&a.is_some()),
            },
        };
        if self.reversed { order.reverse() } else { order }
    }
}

fn best(a: &CardFit, b: &CardFit) -> Ordering {
    let by_price = price(a)
        .unwrap_or(f64::INFINITY)
        .total_cmp(&price(b).unwrap_or(f64::INFINITY));
    match a.verdict {
        Verdict::Exceeds => b.headroom_bytes.cmp(&a.headroom_bytes),
        _ => by_price.then(a.usable_bytes.cmp(&b.usable_bytes)),
    }
}

fn rank(card: &CardFit) -> u8 {
    match card.verdict {
        Verdict::Fits => 0,
        Verdict::Tight => 1,
        Verdict::Exceeds => 2,
    }
}

fn price(card: &CardFit) -> Option<f64> {
    card.offer.as_ref().map(|offer| offer.usd_per_hour)
}

fn has_words(card: &CardFit, words: &str) -> bool {
    let about = catalog::gpu(card.gpu).map(|gpu| format!("{} {} {}", gpu.architecture, gpu.form, gpu.slug));
    let text = format!("{} {}", card.name, about.unwrap_or_default()).to_ascii_lowercase();
    words.split_whitespace().all(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::solve::{cards, cheapest_card};
    use crate::scenario::Scenario;

    fn all() -> Vec<CardFit> {
        cards(&Scenario::default()).unwrap()
    }

    #[test]
    fn the_best_card_is_the_cheapest_that_fits() {
        let cards = all();
        let shown = Look::default().of(&cards);
        assert_eq!(shown.len(), cards.len());
        assert_eq!(shown.first().map(|c| c.gpu), cheapest_card(&cards).map(|c| c.gpu));
        let ranks: Vec<_> = shown.iter().map(|card| rank(card)).collect();
        assert!(ranks.is_sorted());
    }

    #[test]
    fn cards_without_a_price_stay_last_either_way() {
        let cards = all();
        let look = Look::default().sorted(SortBy::Price);
        for look in [look.clone(), look.sorted(SortBy::Price)] {
            let shown = look.of(&cards);
            let priced = shown.iter().take_while(|card| card.offer.is_some()).count();
            assert!(shown[priced..].iter().all(|card| card.offer.is_none()));
        }
    }

    #[test]
    fn words_and_boxes_narrow_the_table() {
        let cards = all();
        let look = Look {
            words: "ADA server".into(),
            ..Look::default()
        };
        let shown: Vec<_> = look.of(&cards).into_iter().map(|card| card.gpu).collect();
        assert!(shown.contains(&"l4") && !shown.contains(&"rtx-4090"), "{shown:?}");
        let look = Look {
            fitting: true,
            priced: true,
            ..Look::default()
        };
        let shown = look.of(&cards);
        assert!(
            shown
                .iter()
                .all(|card| card.verdict != Verdict::Exceeds && card.offer.is_some())
        );
        assert!(!shown.is_empty() && shown.len() < cards.len());
    }
}
