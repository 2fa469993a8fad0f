//! What to change: the smallest set of changes that fits, every lever with what it saves, and the field's decision tree.

mod change;
mod panel;
mod tree;

pub use panel::advice_panel;
