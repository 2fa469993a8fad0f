//! Any JSON: an estimate, or an error that says why there is none; never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll::estimate::peak_allocated;
use plimsoll::scenario::Scenario;

fuzz_target!(|text: &str| {
    if let Ok(scenario) = serde_json::from_str::<Scenario>(text) {
        let _ = peak_allocated(&scenario);
    }
});
