//! PyTorch's caching allocator in its two kinds, and serving a run's events by it.

pub(crate) mod blocks;
pub(crate) mod caching;
pub(crate) mod expand;
pub(crate) mod expandable;
pub(crate) mod limit;
pub mod serve;
pub(crate) mod serving;
pub mod trials;
pub(crate) mod turns;

pub use caching::{Allocator, OutOfMemory};
