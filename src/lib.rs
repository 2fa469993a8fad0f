//! Will this fine-tuning run fit on that card? Plimsoll replays one training step the way PyTorch executes it, as a
//! sequence of allocations and frees, and reads the answer off the replay.
//!
//! The flow, one room each:
//!
//! 1. [`scenario`]: what the user asks (a model of the [`catalog`] or its own, a stack, a method, a card);
//! 2. [`model`]: the architecture behind the model's name;
//!    [`checkpoint`] reads it, and the exact stored weights, from the files of a model outside the catalog;
//! 3. [`plan`]: the scenario resolved: dtypes, the storage of base weights ([`quant`]), the card's kernels, and refusals
//!    with their reason;
//! 4. [`stack`]: lowers the plan to a step program, the forward pass and optimizer written as tensor operations;
//! 5. [`replay`]: runs the program, backward pass included, and the caching allocator below it;
//! 6. [`estimate`]: the quantities, the breakdown at the peak, the verdict.

pub mod advise;
pub mod bytes;
pub mod catalog;
pub mod checkpoint;
pub mod claims;
#[cfg(feature = "cli")]
pub mod cli;
pub mod estimate;
pub mod export;
mod json;
pub mod model;
#[cfg(feature = "module")]
pub mod module;
#[cfg(feature = "app")]
mod parts;
pub mod plan;
pub mod quant;
pub mod scenario;
pub mod score;
mod sort;
pub mod stack;
pub mod validate;
#[cfg(feature = "app")]
pub mod web;
pub mod words;

pub use plimsoll_replay as replay;
