//! The parts of the screen, one a file.

mod answer;
mod combobox;
mod desk;
mod form;
mod header;
mod legend;
mod mark;
mod notices;
mod pickers;
mod quant_panel;
mod share;
mod theme_button;

pub use answer::{Answer, Breakdown, Evidence, Phases};
pub use form::ScenarioForm;
pub use header::Header;
pub use notices::Notices;
pub use quant_panel::QuantPanel;
