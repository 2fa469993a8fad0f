//! Any index: its files, or an error that names the entry; never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../tests/fuzz/targets.rs"]
mod targets;

fuzz_target!(|bytes: &[u8]| targets::index(bytes));
