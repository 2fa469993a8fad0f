//! Rows measured with the real Unsloth stack: `{"id", "case", "result"}` whose case names its model in one word.

use serde_json::{Map, Value};

use super::oracle::measured;
use super::row::id;
use super::{Origin, Refusal, Row};

/// Reads a row whose `case.model` is a name.
pub(super) fn read(fields: &Map<String, Value>) -> Option<Row> {
    let model = fields.get("case")?.get("model")?.as_str()?;
    Some(Row {
        id: id(fields),
        origin: Origin::default(),
        model: Some(model.into()),
        scenario: Err(Refusal("the Unsloth stack is not modelled yet".into())),
        measured: measured(fields),
    })
}
