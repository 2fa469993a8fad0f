//! Inverse answers: the longest sequence, the largest micro-batch, rank and model that fit the card, and the smallest
//! and cheapest card that fits the run.
//!
//! "Fits" means [`Verdict::Fits`](crate::estimate::Verdict): also at the upper end of the interval. An answer is exact:
//! it fits and the next value does not, both by a whole estimate. Fitting is monotone but for a narrow band where live
//! tensors would fit and the caching allocator's leftovers decide; there several values can be answers in this sense,
//! and the one found is the one nearest to where the estimate of the unfitting side points. A value at a limit of the
//! field says so instead.

mod answers;
mod cards;
mod largest;
mod models;
mod quantity;

pub use answers::{Answers, Sought, answers};
pub(super) use cards::cards_by;
pub use cards::{CardFit, Cards, Offer, cards, cheapest_card, smallest_card};
pub(super) use largest::largest_by;
pub use largest::{Bound, Largest, largest};
pub(super) use models::largest_model_by;
pub use models::{ModelFit, largest_model};
pub use quantity::Quantity;
