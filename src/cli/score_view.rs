//! The summary of `plimsoll score`, for a person.

use std::fmt::Write;

use super::style::HEAD;
use super::table::{Align, table};
use crate::score::{ErrorStatistics, Report, Summary};

/// Sources, then all together where there are several, then the groups.
pub(super) fn view(report: &Report, by: Option<&str>) -> String {
    let mut text = String::new();
    for summary in &report.sources {
        text += &section(&summary.source, summary, true);
    }
    if report.sources.len() != 1 {
        text += &section("overall", &report.overall, true);
    }
    for part in [&report.nothing_assumed, &report.one_field_assumed]
        .into_iter()
        .flatten()
    {
        text += &section(&part.source, part, false);
    }
    text += &across(report);
    for summary in &report.groups {
        let title = format!("{} {}", by.unwrap_or_default(), summary.source);
        text += &section(&title, summary, false);
    }
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "mean and median are of the absolute error; bias is positive when estimates are too high; cost model {}",
        report.cost_model
    );
    text
}

/// Errors over sources, each counting once.
fn across(report: &Report) -> String {
    let rows: Vec<[String; 4]> = ORDER
        .iter()
        .filter_map(|name| {
            let mean = report.across_sources.get(name)?;
            Some([
                name.replace('_', " "),
                mean.sources.to_string(),
                format!("{:.2} %", mean.mean_absolute_percent),
                format!("{:+.2} %", mean.bias_percent),
            ])
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let columns = [
        ("quantity", Align::Left),
        ("sources", Align::Right),
        ("mean", Align::Right),
        ("bias", Align::Right),
    ];
    format!(
        "{HEAD}across sources{HEAD:#}, each counting once\n{}\n",
        table(columns, &rows)
    )
}

fn section(title: &str, summary: &Summary, refusals: bool) -> String {
    let Summary {
        n, scored, refused, ..
    } = summary;
    let mut text = format!("{HEAD}{title}{HEAD:#}: {scored} of {n} rows scored, {refused} refused\n");
    if !summary.quantities.is_empty() {
        text += &quantities(summary);
    }
    if let Some(intervals) = &summary.intervals {
        let (coverage, above) = (share(intervals.coverage), share(intervals.above));
        let _ = writeln!(
            text,
            "  process interval: {coverage} of {} within, {above} above",
            intervals.n
        );
    }
    if let Some(verdicts) = &summary.verdicts {
        let _ = writeln!(
            text,
            "  verdicts: {} of {} right, {} unsafe, {} overcautious",
            verdicts.right, verdicts.n, verdicts.unsafe_, verdicts.overcautious
        );
    }
    if refusals && !summary.refusals.is_empty() {
        let rows: Vec<[String; 2]> = summary
            .refusals
            .iter()
            .map(|refused| [refused.n.to_string(), refused.reason.to_string()])
            .collect();
        text += &table([("refused", Align::Right), ("because", Align::Left)], &rows);
    }
    text.push('\n');
    text
}

/// From the exact to the one that varies.
const ORDER: [&str; 4] = ["allocated", "reserved", "least_capacity", "process"];

fn quantities(summary: &Summary) -> String {
    let columns = [
        ("quantity", Align::Left),
        ("rows", Align::Right),
        ("mean", Align::Right),
        ("median", Align::Right),
        ("bias", Align::Right),
        ("worst", Align::Right),
        ("worst row", Align::Left),
        ("equal", Align::Right),
        ("≤ 0.5 %", Align::Right),
        ("≤ 1 %", Align::Right),
        ("≤ 5 %", Align::Right),
        ("≤ 10 %", Align::Right),
    ];
    let rows: Vec<[String; 12]> = ORDER
        .iter()
        .filter_map(|name| Some(row(name, summary.quantities.get(name)?)))
        .collect();
    table(columns, &rows)
}

fn row(name: &str, errors: &ErrorStatistics) -> [String; 12] {
    [
        name.replace('_', " "),
        errors.n.to_string(),
        format!("{:.2} %", errors.mean_absolute_percent),
        format!("{:.2} %", errors.median_absolute_percent),
        format!("{:+.2} %", errors.bias_percent),
        format!("{:+.2} %", errors.worst.error_percent),
        errors.worst.id.clone(),
        share(errors.share_equal),
        share(errors.share_within_half_percent),
        share(errors.share_within_1_percent),
        share(errors.share_within_5_percent),
        share(errors.share_within_10_percent),
    ]
}

/// A share of 0 to 1 in percent; rounded down, so that 100 % means all.
fn share(share: f64) -> String {
    format!("{:.1} %", (share * 1000.0).floor() / 10.0)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::score::{Pair, Quantities, Refusal, RowScore, Status};

    fn row(id: &str, source: &str, estimated: Option<u64>) -> RowScore {
        RowScore {
            id: id.into(),
            source: source.into(),
            assumed: None,
            status: if estimated.is_some() {
                Status::Scored
            } else {
                Status::Refused
            },
            reason: estimated
                .is_none()
                .then(|| Refusal("it has no forward pass".into())),
            quantities: Quantities {
                allocated: estimated.map(|estimated| Pair {
                    estimated,
                    measured: 1000,
                    rounding: 0,
                }),
                ..Quantities::default()
            },
            verdict: None,
            scenario: serde_json::json!({"optimizer": "sgd"}),
        }
    }

    #[test]
    fn sources_come_first_then_all_together_then_groups() {
        let rows = [
            row("one", "a.jsonl", Some(1000)),
            row("two", "a.jsonl", Some(970)),
            row("three", "b.jsonl", None),
        ];
        let report = Report::of(&rows, Some("optimizer"), vec![]);
        let plain = anstream::adapter::strip_str(&view(&report, Some("optimizer"))).to_string();
        assert_snapshot!("score", plain);
    }

    #[test]
    fn all_but_one_is_not_a_hundred_percent() {
        assert_eq!(share(9999.0 / 10000.0), "99.9 %");
        assert_eq!(share(1.0), "100.0 %");
    }
}
