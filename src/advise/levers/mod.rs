//! Levers: every single change that makes the run smaller, what it saves and costs, and the smallest set of them with
//! which the run fits.

mod cost;
mod ladder;
mod lever;
mod remedy;
mod rungs;

pub use cost::Cost;
pub(super) use lever::levers_by;
pub use lever::{Effect, Figures, Lever, Part, levers};
pub(super) use remedy::remedy_by;
pub use remedy::{Remedy, Step, remedy};
