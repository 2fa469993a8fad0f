//! How we know: predicted against measured, what is assumed, what is not modelled.

mod panel;
mod scores;

pub use panel::evidence_panel;
