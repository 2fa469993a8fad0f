//! The page: what [`crate::estimate`] answers, shown and asked for in a browser. It computes no memory of its own.
//!
//! - [`state`]: what the page knows and how actions change it; no browser in there;
//! - [`compare`]: the scenario with each weight format;
//! - [`card_table`]: which cards are shown, in what order;
//! - [`chart`]: drawings as shapes, laid out by plotters;
//! - [`export`]: the answer as Markdown, JSON, CSV;
//! - [`grid`]: which lengths and batches fit;
//! - [`later`]: the second part of the program, which is loaded when it is needed;
//! - [`own`]: the panel for a model of one's own, a program beside the page;
//! - `components`: one part of the screen a file;
//! - `browser`: the few things that only a browser can do.

pub mod advice;
mod app;
mod browser;
pub mod card_table;
pub mod chart;
pub mod compare;
mod components;
pub mod evidence;
pub mod export;
pub mod grid;
pub mod hint;
pub mod jobs;
pub mod later;
pub mod link;
#[cfg(all(test, feature = "ssr"))]
mod opening;
pub mod own;
pub mod presets;
pub mod state;

pub use app::run;
