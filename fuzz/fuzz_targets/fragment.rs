//! Any link: what can be read of it is a scenario that a link can be made of again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll::estimate::peak_allocated;
use plimsoll::scenario::Scenario;

fuzz_target!(|text: &str| {
    let scenario = Scenario::from_fragment(text).scenario;
    assert_eq!(Scenario::from_fragment(&scenario.to_fragment()).scenario, scenario);
    let _ = peak_allocated(&scenario);
});
