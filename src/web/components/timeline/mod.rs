//! One step over time: the chart, what it can be asked, and where to look closer.

mod panel;
mod pointer;
mod readout;
mod view;
mod zoom;

pub use panel::timeline_panel;
