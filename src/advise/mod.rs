//! What to do: how far a run can be stretched, which changes help, and which way through the field's decision tree
//! this scenario takes. Every number here is the difference or the verdict of estimates.

pub mod solve;

mod fit;
mod levers;

pub use levers::{Cost, Effect, Figures, Lever, Part, Remedy, Step, levers, remedy};
