//! The run on every card: a table to sort and narrow, and some cards side by side.

mod compared;
mod panel;
mod row;
mod tools;

pub use panel::cards_panel;
pub use row::{spare, verdict};
