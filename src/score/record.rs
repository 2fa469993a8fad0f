//! The project's own records of measured runs: rows with a `scenario` and an `outcome`.

use serde_json::{Map, Value};

use super::row::id;
use super::{Measured, MeasuredVerdict, Origin, Refusal, Row};
use crate::scenario::ModelRef;
use crate::validate::{Outcome, ProcessSource, Record};

/// Reads a row that has a `scenario` and an `outcome`.
pub(super) fn read(fields: &Map<String, Value>) -> Option<Row> {
    fields.get("scenario")?;
    fields.get("outcome")?;
    let record: Result<Record, _> = serde_json::from_value(Value::Object(fields.clone()));
    let model = record
        .as_ref()
        .ok()
        .and_then(|record| match &record.scenario.model {
            ModelRef::Catalog(id) => Some(id.clone()),
            ModelRef::Config(_) => None,
        });
    Some(Row {
        id: id(fields),
        origin: Origin::default(),
        model,
        measured: record.as_ref().map(measured).unwrap_or_default(),
        scenario: record
            .map_err(|error| Refusal(format!("not a record: {error}")))
            .and_then(|record| match record.outcome {
                Outcome::Ran | Outcome::OutOfMemory { .. } => Ok(record.scenario),
                _ => Err(Refusal("the run ended without telling of memory".into())),
            }),
    })
}

fn measured(record: &Record) -> Measured {
    let verdict = match record.outcome {
        Outcome::Ran => Some(MeasuredVerdict::Fits),
        Outcome::OutOfMemory { .. } => Some(MeasuredVerdict::Exceeds),
        _ => None,
    };
    let own = &record.measured;
    let alone = record.notes.is_empty();
    let by_process = own.process_source == Some(ProcessSource::NvmlProcess);
    Measured {
        allocated: own.peak_allocated_bytes,
        reserved: own.peak_reserved_bytes,
        least_capacity: None,
        // What a run that ended out of memory reached is no peak; what others held on the card is not the run's.
        process: own
            .process_bytes
            .filter(|_| record.outcome == Outcome::Ran && (alone || by_process)),
        verdict,
    }
}
