//! The parts of the screen, one a file.

mod advice;
mod answer;
mod cards;
mod columns;
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
mod piece;
mod pinned;
mod quant_panel;
mod rows;
mod run_it;
mod second;
mod share;
mod shelf;
mod theme_button;
mod timeline;

pub use answer::answer;
pub use columns::columns;
pub use desk::Desk;
pub use form::scenario_form;
pub use header::header;
pub use notices::notices;
pub use second::pinned;
