//! Any `config.json`: a model and its runs, or an error that names the field; never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../tests/fuzz/targets.rs"]
mod targets;

fuzz_target!(|bytes: &[u8]| targets::config_json(bytes));
