//! The cards that fit a run, the smallest and the cheapest of them.

use crate::catalog::{self, Gpu, Price};
use crate::estimate::{Estimate, EstimateError, Room, Verdict, estimate};
use crate::plan::Plan;
use crate::scenario::{Scenario, Stack};
use serde::Serialize;

/// What renting one card costs: the cheapest instance that holds it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct Offer {
    /// The seller.
    pub cloud: &'static str,
    /// The instance type.
    pub instance: &'static str,
    /// Cards in the instance, all of which are paid for.
    pub gpus: u32,
    /// US dollars an hour for the whole instance, on demand.
    pub usd_per_hour: f64,
    /// When the price was read.
    pub date: &'static str,
}

/// One card, and whether the run fits it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct CardFit {
    /// Slug of the card.
    pub gpu: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Memory that a process can use.
    pub usable_bytes: u64,
    /// Does the run fit?
    pub verdict: Verdict,
    /// Bytes to spare; negative when it does not fit.
    pub headroom_bytes: i64,
    /// The cheapest way to rent it; nothing when no price is known.
    pub offer: Option<Offer>,
}

impl CardFit {
    /// A card and the room that a run leaves on it.
    pub fn of(card: &'static Gpu, room: Room) -> Self {
        CardFit {
            gpu: &card.slug,
            name: &card.name,
            usable_bytes: card.usable_bytes(),
            verdict: room.verdict,
            headroom_bytes: room.headroom,
            offer: cheapest_offer(card),
        }
    }

    fn fits(&self) -> bool {
        self.verdict == Verdict::Fits
    }
}

/// Every CUDA card of the catalog with the run's verdict on it, in the catalog's order. Cards on which the run is not
/// modelled are left out.
///
/// # Errors
/// As [`estimate`] of the scenario without a card.
pub fn cards(scenario: &Scenario) -> Result<Vec<CardFit>, EstimateError> {
    Cards::of(scenario)?.collect()
}

/// The cards of [`cards`] one by one, for those who have other things to do in between: each takes one estimate at most.
pub struct Cards {
    open: Scenario,
    rest: std::slice::Iter<'static, Gpu>,
    /// Most cards resolve to one of a few plans: what runs, and so what it takes, is the same.
    plans: Vec<(Plan, Estimate)>,
}

impl Cards {
    /// Before the first card.
    ///
    /// # Errors
    /// As [`estimate`] of the scenario without a card.
    pub fn of(scenario: &Scenario) -> Result<Self, EstimateError> {
        let open = Scenario {
            gpu: None,
            compute_capability: None,
            ..scenario.clone()
        };
        crate::estimate::peak_allocated(&open)?;
        Ok(Cards {
            open,
            rest: catalog::gpus().iter(),
            plans: Vec::new(),
        })
    }

    fn fit(&mut self, card: &'static Gpu, run: &Scenario, plan: Plan) -> Result<CardFit, EstimateError> {
        // How much memory the card has matters to Unsloth's loss alone.
        let plan = Plan {
            memory: plan.memory.filter(|_| run.stack == Stack::Unsloth),
            ..plan
        };
        let known = self.plans.iter().position(|(other, _)| *other == plan);
        let index = known.unwrap_or(self.plans.len());
        if known.is_none() {
            self.plans.push((plan, estimate(run)?));
        }
        let room = self.plans[index].1.on(card.usable_bytes());
        Ok(CardFit::of(card, room))
    }
}

impl Iterator for Cards {
    type Item = Result<CardFit, EstimateError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let card = self.rest.find(|card| card.compute_capability.is_some())?;
            let run = Scenario {
                gpu: Some(card.slug.clone()),
                ..self.open.clone()
            };
            if let Ok(plan) = Plan::new(&run) {
                return Some(self.fit(card, &run, plan));
            }
        }
    }
}

/// The card with the least memory that the run fits; of equally large ones the cheaper.
///
/// ```
/// use plimsoll::advise::solve::{cards, cheapest_card, smallest_card};
/// use plimsoll::scenario::Scenario;
/// let cards = cards(&Scenario::default()).expect("a sound scenario");
/// let smallest = smallest_card(&cards).expect("some card fits");
/// let cheapest = cheapest_card(&cards).expect("some card that is rented out fits");
/// assert!(smallest.usable_bytes <= cheapest.usable_bytes);
/// ```
pub fn smallest_card(cards: &[CardFit]) -> Option<&CardFit> {
    let fitting = cards.iter().filter(|card| card.fits());
    fitting.min_by(|a, b| (a.usable_bytes.cmp(&b.usable_bytes)).then(hourly(a).total_cmp(&hourly(b))))
}

/// The card that costs least by the hour, as an instance that can be rented, among those that the run fits.
pub fn cheapest_card(cards: &[CardFit]) -> Option<&CardFit> {
    let fitting = cards.iter().filter(|card| card.fits() && card.offer.is_some());
    fitting.min_by(|a, b| hourly(a).total_cmp(&hourly(b)))
}

fn hourly(card: &CardFit) -> f64 {
    card.offer
        .as_ref()
        .map_or(f64::INFINITY, |offer| offer.usd_per_hour)
}

fn cheapest_offer(card: &Gpu) -> Option<Offer> {
    let hour = |price: &'static Price| {
        Some(Offer {
            cloud: &price.cloud,
            instance: &price.instance,
            gpus: price.gpus,
            usd_per_hour: price.on_demand? * f64::from(price.gpus),
            date: &price.date,
        })
    };
    let offers = catalog::prices_of(&card.slug).filter_map(hour);
    offers.min_by(|a, b| a.usd_per_hour.total_cmp(&b.usd_per_hour))
}
