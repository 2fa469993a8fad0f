//! Charts: laid out by plotters, recorded as shapes, shown as DOM nodes in the page or written as SVG text.

mod ink;
mod map;
mod paper;
mod picture;
mod quant;
mod recorder;
mod scatter;
mod sheet;
mod svg;
mod text_width;
mod ticks;
mod timeline;
mod view;

pub use ink::Ink;
pub use map::MapChart;
pub use picture::{Anchor, Drawn, Picture, Shape};
pub use quant::QuantChart;
pub use scatter::ScatterChart;
pub use svg::svg;
pub use ticks::{gib_ticks, tick_label};
pub use timeline::{TimelineChart, moment_at};
pub use view::shapes;
