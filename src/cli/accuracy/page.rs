//! The report as a page that is whole in one file: no script, no font, no request.

use std::error::Error;
use std::fmt::Write;

use super::{Accuracy, charts};
use crate::score::Summary;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
figure{margin:1.5rem 0;background:#fff;border:1px solid #c8cdd4;border-radius:6px;overflow-x:auto}\
figure svg{display:block;max-width:100%;height:auto}\
figcaption{padding:.5rem 1rem;color:#333a44}\
.wide{overflow-x:auto}\
table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
th,td{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #c8cdd488}\
th:first-child,td:first-child,th:nth-child(2),td:nth-child(2){text-align:left}";

/// The page.
///
/// # Errors
/// A chart cannot be drawn.
pub(super) fn html(accuracy: &Accuracy) -> Result<String, Box<dyn Error>> {
    let overall = &accuracy.score.overall;
    let mut body = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        body,
        "<h1>How accurate the estimates are</h1>\n<p>{} measured runs, {} estimated, {} refused with the reason. Errors \
         are of the estimate in percent of the measurement. Cost model {}.</p>\n",
        overall.n,
        overall.scored,
        overall.refused,
        escaped(accuracy.score.cost_model)
    );
    figure(
        &mut body,
        charts::scatter(accuracy)?,
        "Estimated against measured, a dot a run: allocated where it was measured, else reserved, else the process.",
    );
    table(&mut body, "By source", &accuracy.score.sources);
    for (title, summaries) in &accuracy.groups {
        for quantity in ["allocated", "reserved", "process"] {
            if summaries.len() > 1 {
                let caption =
                    format!("Mean absolute error of {quantity} by {title}; in brackets the number of runs.");
                figure(&mut body, charts::bars(summaries, quantity)?, &caption);
            }
        }
        table(&mut body, &format!("By {title}"), summaries);
    }
    if let Some(intervals) = &overall.intervals {
        let caption = format!(
            "The process of each run beside its 90 % interval, which holds {:.0} % of {} runs; those outside are orange.",
            intervals.coverage * 100.0,
            intervals.n
        );
        figure(&mut body, charts::intervals(accuracy)?, &caption);
    }
    refusals(&mut body, overall);
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width\">\n<title>Plimsoll: how accurate the estimates are</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    ))
}

fn figure(body: &mut String, svg: Option<String>, caption: &str) {
    let Some(svg) = svg else { return };
    let caption = escaped(caption);
    let svg = svg.replacen(
        "<svg ",
        &format!("<svg role=\"img\" aria-label=\"{caption}\" "),
        1,
    );
    let _ = writeln!(body, "<figure>{svg}<figcaption>{caption}</figcaption></figure>");
}

fn table(body: &mut String, title: &str, summaries: &[Summary]) {
    if summaries.is_empty() {
        return;
    }
    let _ = write!(
        body,
        "<h2>{}</h2>\n<div class=\"wide\"><table>\n<tr><th>runs<th>quantity<th>n<th>mean<th>median<th>bias<th>worst\
         <th>within 1 %</tr>\n",
        escaped(title)
    );
    for summary in summaries {
        for (name, errors) in &summary.quantities {
            let _ = writeln!(
                body,
                "<tr><td>{}<td>{}<td>{}<td>{:.2} %<td>{:.2} %<td>{:+.2} %<td>{:+.2} %<td>{:.1} %</tr>",
                escaped(&summary.source),
                name.replace('_', " "),
                errors.n,
                errors.mean_absolute_percent,
                errors.median_absolute_percent,
                errors.bias_percent,
                errors.worst.error_percent,
                errors.share_within_1_percent * 100.0
            );
        }
    }
    body.push_str("</table></div>\n");
}

fn refusals(body: &mut String, overall: &Summary) {
    if overall.refusals.is_empty() {
        return;
    }
    body.push_str("<h2>Refused</h2>\n<ul>\n");
    for refused in &overall.refusals {
        let _ = writeln!(body, "<li>{}: {}</li>", refused.n, escaped(&refused.reason.0));
    }
    body.push_str("</ul>\n");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
