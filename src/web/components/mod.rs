//! The parts of the screen, one a file.

mod answer;
mod cards;
mod combobox;
mod desk;
mod form;
mod header;
mod later;
mod legend;
mod mark;
mod notices;
mod quant_panel;
mod rows;
mod share;
mod shelf;
mod theme_button;
mod timeline;

pub use answer::{Breakdown, answer, evidence, phases};
pub use cards::CardsPanel;
pub use desk::Desk;
pub use form::scenario_form;
pub use header::header;
pub use notices::notices;
pub use quant_panel::QuantPanel;
pub use timeline::TimelinePanel;
