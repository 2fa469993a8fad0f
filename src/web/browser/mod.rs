//! What only a browser can do. Each answers "not available" rather than failing.

pub mod adapter;
pub mod address;
pub mod clipboard;
pub mod download;
pub mod pace;
mod paint;
pub mod picture;
pub mod theme;
mod width;
pub mod worker;

pub use paint::after_paint;
pub use width::use_width;
