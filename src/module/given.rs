//! A scenario as JavaScript gives it: a link, or the JSON of an object of which every field may be left out.

use super::Failure;
use crate::json;
use crate::scenario::Scenario;
use serde_json::Value;
use wasm_bindgen::JsValue;

/// Reads it.
///
/// # Errors
/// The fields that cannot be read, as the value that is thrown. What a link says in vain is no error, as on the page.
pub(super) fn scenario(given: &str) -> Result<Scenario, JsValue> {
    if given.starts_with('{') {
        let Some(Value::Object(fields)) = json::read(given) else {
            return Err(Failure::field("scenario", &"expected a JSON object").thrown());
        };
        return Scenario::from_json(fields).map_err(Failure::thrown_by);
    }
    let parsed = Scenario::from_fragment(given);
    match parsed.problems.is_empty() {
        true => Ok(parsed.scenario),
        false => Err(Failure::thrown_by(parsed.problems)),
    }
}
