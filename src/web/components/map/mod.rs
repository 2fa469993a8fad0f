//! How far the run can be stretched: the map of lengths and batches, and the largest values in numbers.

mod cells;
mod largest;
mod panel;

pub use panel::map_panel;
