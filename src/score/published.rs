//! Published measurements: rows with `metric` and `value_gib`, one figure of one run each.

use serde_json::{Map, Value};

use super::row::id;
use super::{Measured, Refusal, Row};

/// Reads a row that has a `metric` and its value.
pub(super) fn read(fields: &Map<String, Value>) -> Option<Row> {
    fields.get("metric")?;
    fields.get("value_gib")?;
    Some(Row {
        id: id(fields),
        model: fields.get("model").and_then(Value::as_str).map(Into::into),
        scenario: Err(Refusal("published runs are not read yet".into())),
        measured: Measured::default(),
    })
}
