//! The JavaScript module in Node: the same bytes as the command line, errors that name their field, types that compile,
//! examples that run. `cargo xtask test` builds it and runs these.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod agrees;
mod examples;
mod node;
mod rest;
mod types;
