//! The page in a headless browser. `cargo xtask test` builds and serves it; `cargo xtask browser NAME` runs some.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod address;
mod embed;
mod host;
mod looks;
mod main_job;
mod marionette;
mod opening;
mod own;
mod page;
mod panels;
#[allow(dead_code)]
#[path = "../hub/server.rs"]
mod server;
mod speed;
mod webdriver;
