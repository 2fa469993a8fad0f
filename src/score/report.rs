//! Everything that `score` has to say.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{LineError, RowScore, Summary};
use crate::estimate::COST_MODEL;

/// A quantity's error averaged over sources, each source counting once.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceMean {
    /// Sources that carry the quantity.
    pub sources: usize,
    /// Mean over sources of the mean absolute error, in percent.
    pub mean_absolute_percent: f64,
    /// Mean over sources of the mean signed error, in percent.
    pub bias_percent: f64,
}

/// Everything that `score` has to say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Version of the cost model.
    pub cost_model: &'static str,
    /// One summary a source; rows of which a field was assumed stand apart.
    pub sources: Vec<Summary>,
    /// All rows together.
    pub overall: Summary,
    /// The rows of which nothing was assumed, where there are others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nothing_assumed: Option<Summary>,
    /// The rows of which a field was assumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_field_assumed: Option<Summary>,
    /// Errors by quantity over sources, of rows of which nothing was assumed, where there are several sources.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub across_sources: BTreeMap<&'static str, SourceMean>,
    /// One summary for each value of the field that rows are grouped by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Summary>,
    /// Lines that are no rows.
    pub errors: Vec<LineError>,
}

impl Report {
    /// Counts rows per source, overall and, on request, by a field of their scenario.
    pub fn of(rows: &[RowScore], by: Option<&str>, errors: Vec<LineError>) -> Self {
        let (assumed, stated): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.assumed.is_some());
        let source = |row: &RowScore| Some(row.source.clone());
        let sources = grouped(&stated, source);
        let apart = grouped(&assumed, |row| Some(format!("{}, one field assumed", row.source)));
        let part = |name, rows: &[&RowScore]| {
            (!assumed.is_empty() && !rows.is_empty()).then(|| Summary::of(name, rows))
        };
        let all: Vec<_> = rows.iter().collect();
        Report {
            cost_model: COST_MODEL,
            across_sources: across(&sources),
            sources: sources.into_iter().chain(apart).collect(),
            overall: Summary::of("overall", &all),
            nothing_assumed: part("nothing assumed", &stated),
            one_field_assumed: part("one field assumed", &assumed),
            groups: by
                .map(|field| grouped(&all, |row| row.field(field)))
                .unwrap_or_default(),
            errors,
        }
    }
}

/// One summary for each key, in the order of their first rows; rows without a key are left out.
fn grouped(rows: &[&RowScore], key: impl Fn(&RowScore) -> Option<String>) -> Vec<Summary> {
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

fn across(sources: &[Summary]) -> BTreeMap<&'static str, SourceMean> {
    let mut means: BTreeMap<&'static str, SourceMean> = BTreeMap::new();
    for (name, errors) in sources.iter().flat_map(|source| &source.quantities) {
        let mean = means.entry(name).or_insert(SourceMean {
            sources: 0,
            mean_absolute_percent: 0.0,
            bias_percent: 0.0,
        });
        mean.sources += 1;
        mean.mean_absolute_percent += errors.mean_absolute_percent;
        mean.bias_percent += errors.bias_percent;
    }
    means.retain(|_, mean| mean.sources > 1);
    for mean in means.values_mut() {
        mean.mean_absolute_percent /= mean.sources as f64;
        mean.bias_percent /= mean.sources as f64;
    }
    means
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{IntervalScore, MeasuredVerdict, Quantities, Refusal, Status, VerdictScore};
    use super::*;
    use crate::estimate::{Interval, Verdict};

    fn row(id: &str, source: &str) -> RowScore {
        RowScore {
            id: id.into(),
            source: source.into(),
            assumed: None,
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
            Some(IntervalScore {
                interval,
                measured,
                rounding: 0,
            })
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
