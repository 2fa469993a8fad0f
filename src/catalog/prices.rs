//! What an hour of a card costs.

use super::row::Row;
use super::shelf::{Shelf, embedded};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One offer: a card in an instance type of a cloud. Prices are US dollars per card and hour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Price {
    /// Slug of the card.
    pub gpu: String,
    /// The seller, such as `aws`.
    pub cloud: String,
    /// The instance type, as the seller names it.
    pub instance: String,
    /// Cards in the instance.
    pub gpus: u32,
    /// Lowest on-demand price over the regions seen.
    pub on_demand: Option<f64>,
    /// Median on-demand price over the regions seen.
    pub on_demand_median: Option<f64>,
    /// Lowest spot price over the regions seen; often an outlier, prefer the median.
    pub spot: Option<f64>,
    /// Median spot price over the regions seen.
    pub spot_median: Option<f64>,
    /// When the prices were read: `YYYY-MM-DD`, or the year where the day is not known.
    pub date: String,
}

pub(super) static PRICES: Shelf<Price> = Shelf::new(read);

/// Every offer.
pub fn prices() -> &'static [Price] {
    PRICES.rows(embedded!("data/prices.json"))
}

const COLUMNS: [&str; 9] = [
    "gpu",
    "cloud",
    "instance",
    "gpus",
    "on_demand",
    "on_demand_median",
    "spot",
    "spot_median",
    "date",
];

fn read(row: Value) -> Price {
    let mut row = Row::of_columns(row, &COLUMNS);
    Price {
        gpu: row.text("gpu"),
        cloud: row.text("cloud"),
        instance: row.text("instance"),
        gpus: row.whole("gpus") as u32,
        on_demand: row.maybe_number("on_demand"),
        on_demand_median: row.maybe_number("on_demand_median"),
        spot: row.maybe_number("spot"),
        spot_median: row.maybe_number("spot_median"),
        date: row.text("date"),
    }
}

/// The offers of one card, by its slug.
pub fn prices_of(slug: &str) -> impl Iterator<Item = &'static Price> {
    prices().iter().filter(move |price| price.gpu == slug)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_prices_are_read_and_belong_to_a_card() {
        let parsed: Result<Vec<Price>, _> = serde_json::from_str(include_str!("data/prices.json"));
        assert_eq!(parsed.map_err(|e| e.to_string()).as_deref(), Ok(prices()));
        assert_eq!(prices().len(), 204);
        for price in prices() {
            assert_eq!(
                super::super::gpu(&price.gpu).map(|g| g.slug.as_str()),
                Some(price.gpu.as_str())
            );
            assert!(price.gpus > 0, "{price:?}");
            assert!(
                price.on_demand.or(price.spot).is_some_and(|usd| usd > 0.0),
                "{price:?}"
            );
            assert!(price.date.starts_with("2026"), "{price:?}");
        }
        assert!(prices_of("t4").count() > 5);
    }
}
