//! Any link: what can be read of it is a scenario that a link can be made of again.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../tests/fuzz/targets.rs"]
mod targets;

fuzz_target!(|text: &str| targets::fragment(text));
