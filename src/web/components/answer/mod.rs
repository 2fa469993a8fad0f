//! The answer: verdict, load line, quantities, and what they are made of.

mod breakdown;
mod gauge;
mod panel;
mod phases;
mod quantities;
mod question;
mod verdict;

pub use breakdown::breakdown;
pub use panel::answer;
pub use phases::phases;
