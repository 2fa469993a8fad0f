//! Absurd numbers in any field: a peak, or a complaint that names what is wrong; never a panic, never an overflow.

#![allow(clippy::unwrap_used)]

use plimsoll::catalog;
use plimsoll::estimate::{EstimateError, grid, peak_allocated};
use plimsoll::plan::config;
use plimsoll::scenario::{Method, ModelRef, Scenario, Stack};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

const NUMBERS: [u64; 16] = [
    0,
    1,
    2,
    3,
    7,
    255,
    4097,
    65_537,
    (1 << 31) - 1,
    1 << 32,
    (1 << 40) + 1,
    1 << 53,
    1 << 60,
    (1 << 63) - 1,
    1 << 63,
    u64::MAX,
];

/// Where numbers stand in a scenario.
fn number_paths(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Number(_) => found.push(path.into()),
        Value::Object(fields) => {
            for (name, field) in fields {
                number_paths(field, &format!("{path}/{name}"), found);
            }
        }
        _ => {}
    }
}

/// A model's configuration with numbers in some fields replaced.
fn changed(model: &str, stack: Stack, method: Method, changes: &[(Index, u64)]) -> Value {
    let mut scenario = Scenario {
        model: ModelRef::Catalog(model.into()),
        ..Scenario::for_stack(stack, method)
    };
    if let Ok(config) = config(&scenario) {
        scenario.model = ModelRef::Config(Box::new(config.clone()));
    }
    let mut value = serde_json::to_value(&scenario).unwrap();
    let mut paths = Vec::new();
    number_paths(&value, "", &mut paths);
    for (place, number) in changes {
        let path: &String = place.get(&paths);
        if let Some(field) = value.pointer_mut(path) {
            *field = json!(number);
        }
    }
    value
}

fn is_said_clearly(error: &EstimateError) -> bool {
    match error {
        EstimateError::Invalid(problems) => {
            !problems.is_empty()
                && problems
                    .iter()
                    .all(|p| !p.field.is_empty() && !p.problem.is_empty())
        }
        EstimateError::NotModelled(reason) => !reason.is_empty(),
    }
}

/// `PROPTEST_CASES` or a number that takes a few seconds.
fn cases() -> u32 {
    let given = std::env::var("PROPTEST_CASES").ok();
    given.and_then(|cases| cases.parse().ok()).unwrap_or(600)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_number_in_any_field_is_taken_or_refused_in_words(
        model in any::<Index>(),
        stack in select(Stack::ALL.to_vec()),
        method in select(Method::ALL.to_vec()),
        changes in prop::collection::vec((any::<Index>(), select(NUMBERS.to_vec())), 1..4),
    ) {
        let model = &model.get(catalog::models()).id;
        let value = changed(model, stack, method, &changes);
        match serde_json::from_value::<Scenario>(value.clone()) {
            Err(error) => prop_assert!(!error.to_string().is_empty()),
            Ok(scenario) => {
                if let Err(error) = peak_allocated(&scenario) {
                    prop_assert!(is_said_clearly(&error), "{error:?} {value}");
                }
                if let Err(error) = grid(&scenario, &[scenario.seq, 1 << 60], &[scenario.batch, u64::MAX]) {
                    prop_assert!(is_said_clearly(&error), "{error:?} {value}");
                }
            }
        }
    }
}
