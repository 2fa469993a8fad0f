//! Published measurements: rows with `metric` and `value_gib`, one figure of one run each, from many sources.
//!
//! A row says in words what was run. What those words leave open follows from the program that ran it
//! ([`program`]); a row whose program, libraries or settings are not modelled is refused.

mod card;
mod fields;
mod measured;
mod program;
mod settings;
mod unsloth;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use super::row::id;
use super::{Origin, Refusal, Row};
use crate::scenario::Scenario;
use fields::Published;

/// Reads a row that has a `metric` and its value.
pub(super) fn read(row: &Map<String, Value>) -> Option<Row> {
    row.get("metric")?;
    row.get("value_gib")?;
    let read: Result<Published, _> = serde_json::from_value(Value::Object(row.clone()));
    let text = |name| row.get(name).and_then(Value::as_str).map(str::to_string);
    Some(Row {
        id: id(row),
        origin: Origin {
            source: text("source"),
            assumed: text("assumed_field"),
            rounding: read.as_ref().map(measured::rounding).unwrap_or_default(),
        },
        model: text("model"),
        measured: read.as_ref().map(measured::of).unwrap_or_default(),
        scenario: read
            .map_err(|error| Refusal(format!("not a published run: {error}")))
            .and_then(|row| scenario(&row)),
    })
}

fn scenario(row: &Published) -> Result<Scenario, Refusal> {
    if row.kind != "measured" {
        return Err(Refusal(format!("{}, not a run", row.kind)));
    }
    if row.metric == "max_seq_len" {
        return Err(Refusal("a longest context, not a run".into()));
    }
    if row.n_gpus != Some(1) || row.sharding.is_some() {
        return Err(Refusal("runs on several GPUs are not modelled".into()));
    }
    if unsloth::is_its(row) {
        return unsloth::scenario(row);
    }
    program::of(row)?.scenario(row)
}
