//! The report as Markdown.

use std::fmt::Write;

use super::Accuracy;
use crate::score::Summary;

/// The quantities, from the exact to the one that varies.
const ORDER: [&str; 4] = ["allocated", "reserved", "least_capacity", "process"];

/// The whole report.
pub(super) fn text(accuracy: &Accuracy) -> String {
    let mut text = String::from("# How accurate the estimates are\n\n");
    let overall = &accuracy.score.overall;
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{} measured runs, {} estimated, {} refused with the reason. Errors are of the estimate in percent of the \
         measurement; bias is positive when estimates are too high. Cost model {}.\n",
        overall.n, overall.scored, overall.refused, accuracy.score.cost_model
    );
    text += &section("All runs", std::slice::from_ref(overall));
    if accuracy.score.sources.len() > 1 {
        text += &section("By source", &accuracy.score.sources);
    }
    for (title, summaries) in accuracy
        .groups
        .iter()
        .filter(|(_, summaries)| !summaries.is_empty())
    {
        text += &section(&format!("By {title}"), summaries);
    }
    text + &refusals(overall)
}

fn section(title: &str, summaries: &[Summary]) -> String {
    let mut text = format!("## {title}\n\n");
    text += "| runs | quantity | n | mean | median | bias | worst | equal | within 1 % | interval holds |\n";
    text += "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
    for summary in summaries {
        for (name, errors) in ORDER
            .iter()
            .filter_map(|name| Some((name, summary.quantities.get(name)?)))
        {
            let holds = match (*name, &summary.intervals) {
                ("process", Some(intervals)) => format!("{:.1} %", intervals.coverage * 100.0),
                _ => String::new(),
            };
            let _ = writeln!(
                text,
                "| {} | {} | {} | {:.2} % | {:.2} % | {:+.2} % | {:+.2} % | {:.1} % | {:.1} % | {holds} |",
                cell(&summary.source),
                name.replace('_', " "),
                errors.n,
                errors.mean_absolute_percent,
                errors.median_absolute_percent,
                errors.bias_percent,
                errors.worst.error_percent,
                errors.share_equal * 100.0,
                errors.share_within_1_percent * 100.0,
            );
        }
    }
    text.push('\n');
    text
}

fn refusals(overall: &Summary) -> String {
    if overall.refusals.is_empty() {
        return String::new();
    }
    let mut text = String::from("## Refused\n\n| runs | because |\n| ---: | --- |\n");
    for refused in &overall.refusals {
        let _ = writeln!(text, "| {} | {} |", refused.n, cell(&refused.reason.0));
    }
    text
}

/// Text that breaks no table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}
