//! One row's estimate held against its measurement.

use serde::Serialize;
use serde_json::Value;

use super::{Measured, MeasuredVerdict, Refusal, Row};
use crate::estimate::{Estimate, EstimateError, Interval, Verdict, estimate};

/// Was the row scored?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Estimated and compared.
    Scored,
    /// Not expressible; the reason stands beside it.
    Refused,
}

/// One quantity, estimated and measured, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// The estimate.
    pub estimated: u64,
    /// The measurement.
    pub measured: u64,
    /// Half of the step in which the measurement is rounded.
    #[serde(skip_serializing_if = "is_zero")]
    pub rounding: u64,
}

fn is_zero(bytes: &u64) -> bool {
    *bytes == 0
}

impl Pair {
    /// Are both the same, as far as the measurement's rounding tells?
    pub fn is_equal(self) -> bool {
        self.estimated.abs_diff(self.measured) <= self.rounding
    }

    /// How far the estimate is off, in percent of the measurement; positive when it is too high, zero within rounding.
    pub fn error_percent(self) -> f64 {
        if self.is_equal() {
            return 0.0;
        }
        (self.estimated as f64 - self.measured as f64) / self.measured as f64 * 100.0
    }
}

/// The process figure with its interval, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct IntervalScore {
    /// The estimated interval.
    #[serde(flatten)]
    pub interval: Interval,
    /// The measurement.
    pub measured: u64,
    /// Half of the step in which the measurement is rounded.
    #[serde(skip_serializing_if = "is_zero")]
    pub rounding: u64,
}

impl IntervalScore {
    /// The expected value beside the measurement.
    pub fn pair(self) -> Pair {
        Pair {
            estimated: self.interval.expected,
            measured: self.measured,
            rounding: self.rounding,
        }
    }

    /// Is the measurement above the interval?
    pub fn is_above(self) -> bool {
        self.measured > self.interval.high.saturating_add(self.rounding)
    }

    /// Is the measurement within the interval?
    pub fn covered(self) -> bool {
        !self.is_above() && self.measured.saturating_add(self.rounding) >= self.interval.low
    }
}

/// The quantities that the row carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Quantities {
    /// `torch.cuda.max_memory_allocated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocated: Option<Pair>,
    /// `torch.cuda.max_memory_reserved`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserved: Option<Pair>,
    /// The smallest device memory for the allocator with which the run gets through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least_capacity: Option<Pair>,
    /// The whole process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<IntervalScore>,
}

/// Fits or not, estimated and measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct VerdictScore {
    /// The estimate.
    pub estimated: Verdict,
    /// The measurement.
    pub measured: MeasuredVerdict,
}

impl VerdictScore {
    /// The run was said to fit and ended out of memory.
    pub fn is_unsafe(self) -> bool {
        self.estimated == Verdict::Fits && self.measured == MeasuredVerdict::Exceeds
    }

    /// The run was said not to fit and got through.
    pub fn is_overcautious(self) -> bool {
        self.estimated == Verdict::Exceeds && self.measured == MeasuredVerdict::Fits
    }
}

/// One row, scored or refused; serialises as the line that `score --rows` prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowScore {
    /// The row's name.
    pub id: String,
    /// Who measured it, or the file it came from.
    pub source: String,
    /// A field that its source does not state, and what was assumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assumed: Option<String>,
    /// Scored or refused.
    pub status: Status,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Refusal>,
    /// What was compared.
    pub quantities: Quantities,
    /// Fits or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<VerdictScore>,
    /// The scenario as JSON, `model` being the model's name: what rows are grouped by.
    #[serde(skip)]
    pub scenario: Value,
}

impl RowScore {
    /// Estimates a row and compares.
    pub fn of(row: &Row, source: &str) -> Self {
        let scored = row.scenario.clone().and_then(|scenario| {
            if row.measured.is_empty() {
                return Err(Refusal("nothing was measured".into()));
            }
            estimate(&scenario).map_err(|error| match error {
                EstimateError::NotModelled(reason) => Refusal(reason),
                EstimateError::Invalid(_) => Refusal(error.to_string()),
            })
        });
        let mut score = RowScore {
            id: row.id.clone(),
            source: row.origin.source.clone().unwrap_or_else(|| source.into()),
            assumed: row.origin.assumed.clone(),
            status: Status::Scored,
            reason: None,
            quantities: Quantities::default(),
            verdict: None,
            scenario: scenario_json(row),
        };
        match scored {
            Ok(estimate) => {
                score.quantities = quantities(&estimate, row);
                score.verdict = verdict(&estimate, &row.measured);
            }
            Err(reason) => {
                score.status = Status::Refused;
                score.reason = Some(reason);
            }
        }
        score
    }

    /// The value of a scenario field, such as `optimizer` or `lora.rank`; nothing when the row has no scenario.
    pub fn field(&self, name: &str) -> Option<String> {
        let value = name
            .split('.')
            .try_fold(&self.scenario, |value, part| value.get(part))?;
        Some(match value {
            Value::String(word) => word.clone(),
            other => other.to_string(),
        })
    }
}

fn scenario_json(row: &Row) -> Value {
    let scenario = row.scenario.as_ref().ok();
    let mut json = scenario
        .and_then(|s| serde_json::to_value(s).ok())
        .unwrap_or(Value::Null);
    if let (Value::Object(fields), Some(model)) = (&mut json, &row.model) {
        fields.insert("model".into(), model.clone().into());
    }
    json
}

fn quantities(estimate: &Estimate, row: &Row) -> Quantities {
    let (measured, rounding) = (&row.measured, row.origin.rounding);
    let pair = |estimated, measured: Option<u64>| {
        measured.map(|measured| Pair {
            estimated,
            measured,
            rounding,
        })
    };
    Quantities {
        allocated: pair(estimate.allocated_bytes, measured.allocated),
        reserved: pair(estimate.reserved_bytes, measured.reserved),
        least_capacity: pair(estimate.least_capacity_bytes, measured.least_capacity),
        process: measured.process.map(|measured| IntervalScore {
            interval: estimate.process_bytes,
            measured,
            rounding,
        }),
    }
}

fn verdict(estimate: &Estimate, measured: &Measured) -> Option<VerdictScore> {
    Some(VerdictScore {
        estimated: estimate.verdict?,
        measured: measured.verdict?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;
    use crate::score::Origin;

    fn row(measured: Measured) -> Row {
        Row {
            id: "a".into(),
            origin: Origin::default(),
            model: Some("Llama-3.2-1B".into()),
            scenario: Ok(Scenario::default()),
            measured,
        }
    }

    #[test]
    fn a_scored_row_serialises_with_what_it_carries_and_nothing_else() {
        let measured = Measured {
            allocated: Some(7_000_000_000),
            ..Measured::default()
        };
        let score = RowScore::of(&row(measured), "runs.jsonl");
        let estimated = score.quantities.allocated.map(|pair| pair.estimated);
        assert_eq!(
            serde_json::to_value(&score).unwrap(),
            serde_json::json!({"id": "a", "source": "runs.jsonl", "status": "scored",
                "quantities": {"allocated": {"estimated": estimated, "measured": 7_000_000_000_u64}}})
        );
    }

    #[test]
    fn a_process_figure_comes_with_its_interval_and_a_verdict_with_both_sides() {
        let measured = Measured {
            process: Some(1),
            verdict: Some(MeasuredVerdict::Exceeds),
            ..Measured::default()
        };
        let json = serde_json::to_value(RowScore::of(&row(measured), "runs.jsonl")).unwrap();
        let process = json["quantities"]["process"].as_object().unwrap();
        assert_eq!(
            process.keys().collect::<Vec<_>>(),
            ["expected", "high", "low", "measured"]
        );
        assert_eq!(json["verdict"]["measured"], "exceeds");
        assert!(json["verdict"]["estimated"].is_string());
    }

    #[test]
    fn a_row_without_a_measurement_is_refused() {
        let json = serde_json::to_value(RowScore::of(&row(Measured::default()), "runs.jsonl")).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"id": "a", "source": "runs.jsonl", "status": "refused",
                "reason": "nothing was measured", "quantities": {}})
        );
    }

    #[test]
    fn rows_have_the_fields_of_their_scenario() {
        let score = RowScore::of(&row(Measured::default()), "runs.jsonl");
        assert_eq!(score.field("model").as_deref(), Some("Llama-3.2-1B"));
        assert_eq!(score.field("lora.rank").as_deref(), Some("16"));
        assert_eq!(score.field("colour"), None);
    }

    #[test]
    fn said_to_fit_and_out_of_memory_is_unsafe() {
        let score = |estimated, measured| VerdictScore { estimated, measured };
        assert!(score(Verdict::Fits, MeasuredVerdict::Exceeds).is_unsafe());
        assert!(!score(Verdict::Tight, MeasuredVerdict::Exceeds).is_unsafe());
        assert!(!score(Verdict::Fits, MeasuredVerdict::Fits).is_unsafe());
        assert!(score(Verdict::Exceeds, MeasuredVerdict::Fits).is_overcautious());
    }
}
