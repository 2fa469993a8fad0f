//! The project's own records of measured runs: rows with a `scenario`.

use serde_json::{Map, Value};

use super::row::id;
use super::{Measured, Origin, Refusal, Row};

/// Reads a row that has a `scenario`.
pub(super) fn read(fields: &Map<String, Value>) -> Option<Row> {
    fields.get("scenario")?;
    Some(Row {
        id: id(fields),
        origin: Origin::default(),
        model: None,
        scenario: Err(Refusal("records are not read yet".into())),
        measured: Measured::default(),
    })
}
