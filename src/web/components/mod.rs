//! The parts of the screen, one a file.

mod advice;
mod answer;
mod cards;
mod combobox;
mod desk;
mod evidence;
mod export_menu;
mod form;
mod header;
mod job;
mod keep;
mod later;
mod legend;
mod machine;
mod map;
mod mark;
mod notices;
mod pinned;
mod quant_panel;
mod rows;
mod share;
mod shelf;
mod theme_button;
mod timeline;

pub use advice::AdvicePanel;
pub use answer::{Breakdown, answer, phases};
pub use cards::CardsPanel;
pub use desk::Desk;
pub use evidence::EvidencePanel;
pub use form::scenario_form;
pub use header::header;
pub use map::MapPanel;
pub use notices::notices;
pub use pinned::pinned;
pub use quant_panel::QuantPanel;
pub use timeline::TimelinePanel;
