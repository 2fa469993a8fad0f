//! The cards that fit a run, the smallest and the cheapest of them.

use crate::catalog::{self, Gpu, Price};
use crate::estimate::{EstimateError, Estimates, Room, Verdict, room_on};
use crate::plan::Plan;
use crate::replay::Recording;
use crate::scenario::{Scenario, Stack};
use crate::stack::{Detail, record};
use serde::Serialize;
use std::rc::Rc;

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
/// As [`estimate`](crate::estimate::estimate()) of the scenario without a card.
pub fn cards(scenario: &Scenario) -> Result<Vec<CardFit>, EstimateError> {
    Cards::of(scenario)?.collect()
}

/// As [`cards`], by estimates of which some are known.
pub(in crate::advise) fn cards_by(
    estimates: &Rc<Estimates>,
    scenario: &Scenario,
) -> Result<Vec<CardFit>, EstimateError> {
    Cards::by(estimates.clone(), scenario)?.collect()
}

/// The cards of [`cards`] one by one, for those who have other things to do in between: each takes one estimate at most.
pub struct Cards {
    estimates: Rc<Estimates>,
    open: Scenario,
    rest: std::slice::Iter<'static, Gpu>,
    /// Most cards resolve to one of a few plans, each with the least capacity for the allocator.
    plans: Vec<(Plan, u64)>,
    /// Most plans ask for the same memory: what is recorded of one layer of each kind tells.
    sketches: Vec<(Recording, u64)>,
}

impl Cards {
    /// Before the first card.
    ///
    /// # Errors
    /// As [`estimate`](crate::estimate::estimate()) of the scenario without a card.
    pub fn of(scenario: &Scenario) -> Result<Self, EstimateError> {
        Cards::by(Rc::default(), scenario)
    }

    fn by(estimates: Rc<Estimates>, scenario: &Scenario) -> Result<Self, EstimateError> {
        let open = Scenario {
            gpu: None,
            compute_capability: None,
            ..scenario.clone()
        };
        crate::estimate::peak_allocated(&open)?;
        Ok(Cards {
            estimates,
            open,
            rest: catalog::gpus().iter(),
            plans: Vec::new(),
            sketches: Vec::new(),
        })
    }

    fn fit(&mut self, card: &'static Gpu, run: &Scenario, plan: Plan) -> Result<CardFit, EstimateError> {
        // How much memory the card has matters to Unsloth's loss alone.
        let plan = Plan {
            memory: plan.memory.filter(|_| run.stack == Stack::Unsloth),
            ..plan
        };
        let capability = plan.device.capability;
        let known = self.plans.iter().find(|(other, _)| *other == plan);
        let least = match known {
            Some(&(_, least)) => least,
            None => self.learn(plan, run)?,
        };
        let room = room_on(card.usable_bytes(), capability, run.stack, least);
        Ok(CardFit::of(card, room))
    }

    /// The least capacity for a new plan.
    fn learn(&mut self, plan: Plan, run: &Scenario) -> Result<u64, EstimateError> {
        let sketch = record(&plan, Detail::Segments);
        let alike = |(other, _): &&(Recording, u64)| other.asks_for_the_same_as(&sketch);
        let least = match self.sketches.iter().find(alike) {
            Some(&(_, least)) => least,
            None => {
                let least = self.estimates.estimate(run)?.least_capacity_bytes;
                self.sketches.push((sketch, least));
                least
            }
        };
        self.plans.push((plan, least));
        Ok(least)
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
