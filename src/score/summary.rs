//! Scores of many rows, per source and overall.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use super::{ErrorStatistics, LineError, Pair, Quantities, Refusal, RowScore, Status};
use crate::estimate::COST_MODEL;

/// Rows refused for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The reason.
    pub reason: Refusal,
    /// How many rows.
    pub n: usize,
}

/// How often the process figure was within its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct IntervalSummary {
    /// Rows with a measured process figure.
    pub n: usize,
    /// Share within the interval, 0 to 1.
    pub coverage: f64,
    /// Share above the upper end, 0 to 1.
    pub above: f64,
}

/// How often the verdict was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct VerdictSummary {
    /// Rows with a measured verdict.
    pub n: usize,
    /// Neither unsafe nor overcautious.
    pub right: usize,
    /// Said to fit, and ended out of memory.
    #[serde(rename = "unsafe")]
    pub unsafe_: usize,
    /// Said not to fit, and got through.
    pub overcautious: usize,
}

/// The scores of some rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The file, the value they are grouped by, or `overall`.
    pub source: String,
    /// Rows.
    pub n: usize,
    /// Rows scored.
    pub scored: usize,
    /// Rows refused.
    pub refused: usize,
    /// Errors by quantity (`allocated`, `reserved`, `least_capacity`, `process`), for those that the rows carry.
    pub quantities: BTreeMap<&'static str, ErrorStatistics>,
    /// Coverage of the process interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intervals: Option<IntervalSummary>,
    /// Verdicts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdicts: Option<VerdictSummary>,
    /// Rows refused, by reason, the most frequent first.
    pub refusals: Vec<Refused>,
}

impl Summary {
    /// Counts some rows under a name.
    pub fn of(source: &str, rows: &[&RowScore]) -> Self {
        let scored = rows.iter().filter(|row| row.status == Status::Scored).count();
        Summary {
            source: source.into(),
            n: rows.len(),
            scored,
            refused: rows.len() - scored,
            quantities: quantities(rows),
            intervals: intervals(rows),
            verdicts: verdicts(rows),
            refusals: refusals(rows),
        }
    }
}

fn quantities(rows: &[&RowScore]) -> BTreeMap<&'static str, ErrorStatistics> {
    type Read = fn(&Quantities) -> Option<Pair>;
    let all: [(&'static str, Read); 4] = [
        ("allocated", |q| q.allocated),
        ("reserved", |q| q.reserved),
        ("least_capacity", |q| q.least_capacity),
        ("process", |q| {
            q.process.map(|process| Pair {
                estimated: process.interval.expected,
                measured: process.measured,
            })
        }),
    ];
    let of = |read: Read| {
        ErrorStatistics::of(
            rows.iter()
                .filter_map(|row| Some((row.id.as_str(), read(&row.quantities)?))),
        )
    };
    all.into_iter()
        .filter_map(|(name, read)| Some((name, of(read)?)))
        .collect()
}

fn intervals(rows: &[&RowScore]) -> Option<IntervalSummary> {
    let figures: Vec<_> = rows.iter().filter_map(|row| row.quantities.process).collect();
    let share = |n: usize| n as f64 / figures.len() as f64;
    (!figures.is_empty()).then(|| IntervalSummary {
        n: figures.len(),
        coverage: share(figures.iter().filter(|figure| figure.covered()).count()),
        above: share(
            figures
                .iter()
                .filter(|figure| figure.measured > figure.interval.high)
                .count(),
        ),
    })
}

fn verdicts(rows: &[&RowScore]) -> Option<VerdictSummary> {
    let verdicts: Vec<_> = rows.iter().filter_map(|row| row.verdict).collect();
    let unsafe_ = verdicts.iter().filter(|verdict| verdict.is_unsafe()).count();
    let overcautious = verdicts
        .iter()
        .filter(|verdict| verdict.is_overcautious())
        .count();
    (!verdicts.is_empty()).then(|| VerdictSummary {
        n: verdicts.len(),
        right: verdicts.len() - unsafe_ - overcautious,
        unsafe_,
        overcautious,
    })
}

fn refusals(rows: &[&RowScore]) -> Vec<Refused> {
    let mut counts: BTreeMap<&Refusal, usize> = BTreeMap::new();
    for reason in rows.iter().filter_map(|row| row.reason.as_ref()) {
        *counts.entry(reason).or_default() += 1;
    }
    let mut refusals: Vec<_> = counts
        .into_iter()
        .map(|(reason, n)| Refused {
            reason: reason.clone(),
            n,
        })
        .collect();
    refusals.sort_by_key(|refused| Reverse(refused.n));
    refusals
}

/// Everything that `score` has to say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Version of the cost model.
    pub cost_model: &'static str,
    /// One summary a file.
    pub sources: Vec<Summary>,
    /// All rows together.
    pub overall: Summary,
    /// One summary for each value of the field that rows are grouped by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Summary>,
    /// Lines that are no rows.
    pub errors: Vec<LineError>,
}

impl Report {
    /// Counts rows per source, overall and, on request, by a field of their scenario.
    pub fn of(rows: &[RowScore], by: Option<&str>, errors: Vec<LineError>) -> Self {
        let source = |row: &RowScore| Some(row.source.clone());
        Report {
            cost_model: COST_MODEL,
            sources: grouped(rows, source),
            overall: Summary::of("overall", &rows.iter().collect::<Vec<_>>()),
            groups: by
                .map(|field| grouped(rows, |row| row.field(field)))
                .unwrap_or_default(),
            errors,
        }
    }
}

/// One summary for each key, in the order of their first rows; rows without a key are left out.
fn grouped(rows: &[RowScore], key: impl Fn(&RowScore) -> Option<String>) -> Vec<Summary> {
    let mut groups: Vec<(String, Vec<&RowScore>)> = Vec::new();
    for row in rows {
        let Some(key) = key(row) else { continue };
        match groups.iter_mut().find(|(name, _)| *name == key) {
            Some((_, members)) => members.push(row),
            None => groups.push((key, vec![row])),
        }
    }
    groups
        .iter()
        .map(|(name, members)| Summary::of(name, members))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{IntervalScore, MeasuredVerdict, VerdictScore};
    use super::*;
    use crate::estimate::{Interval, Verdict};

    fn row(id: &str, source: &str) -> RowScore {
        RowScore {
            id: id.into(),
            source: source.into(),
            status: Status::Scored,
            reason: None,
            quantities: Quantities::default(),
            verdict: None,
            scenario: json!({"optimizer": "sgd"}),
        }
    }

    fn refused(id: &str, reason: &str) -> RowScore {
        RowScore {
            status: Status::Refused,
            reason: Some(Refusal(reason.into())),
            scenario: json!(null),
            ..row(id, "b.jsonl")
        }
    }

    #[test]
    fn rows_count_per_source_overall_and_by_a_field() {
        let rows = [
            row("1", "a.jsonl"),
            row("2", "b.jsonl"),
            refused("3", "no"),
            refused("4", "no"),
        ];
        let report = Report::of(&rows, Some("optimizer"), vec![]);
        let counts = |summaries: &[Summary]| -> Vec<(String, usize, usize)> {
            summaries
                .iter()
                .map(|s| (s.source.clone(), s.n, s.refused))
                .collect()
        };
        assert_eq!(
            counts(&report.sources),
            [("a.jsonl".into(), 1, 0), ("b.jsonl".into(), 3, 2)]
        );
        assert_eq!((report.overall.n, report.overall.scored), (4, 2));
        assert_eq!(counts(&report.groups), [("sgd".into(), 2, 0)]);
    }

    #[test]
    fn refused_rows_stand_by_reason_the_most_frequent_first() {
        let rows = [refused("1", "rare"), refused("2", "often"), refused("3", "often")];
        let refusals = Report::of(&rows, None, vec![]).overall.refusals;
        let counts: Vec<_> = refusals.iter().map(|r| (r.reason.0.as_str(), r.n)).collect();
        assert_eq!(counts, [("often", 2), ("rare", 1)]);
    }

    #[test]
    fn coverage_and_verdicts_are_counted_where_rows_have_them() {
        let process = |measured| {
            let interval = Interval {
                low: 90,
                expected: 100,
                high: 110,
            };
            Some(IntervalScore { interval, measured })
        };
        let mut rows = [row("1", "a"), row("2", "a"), row("3", "a"), row("4", "a")];
        rows[0].quantities.process = process(95);
        rows[1].quantities.process = process(120);
        for (row, (estimated, measured)) in rows.iter_mut().zip([
            (Verdict::Fits, MeasuredVerdict::Fits),
            (Verdict::Fits, MeasuredVerdict::Exceeds),
            (Verdict::Exceeds, MeasuredVerdict::Fits),
        ]) {
            row.verdict = Some(VerdictScore { estimated, measured });
        }
        let overall = Report::of(&rows, None, vec![]).overall;
        assert_eq!(
            serde_json::to_value(overall.intervals).unwrap(),
            json!({"n": 2, "coverage": 0.5, "above": 0.5})
        );
        assert_eq!(
            serde_json::to_value(overall.verdicts).unwrap(),
            json!({"n": 3, "right": 1, "unsafe": 1, "overcautious": 1})
        );
        assert_eq!(overall.quantities["process"].n, 2);
        assert!(!overall.quantities.contains_key("allocated"));
    }
}
