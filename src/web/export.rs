//! An answer as text for other places: an issue, a chat, a spreadsheet, a program.

use crate::bytes::Bytes;
use crate::estimate::part::{needed, parts};
use crate::estimate::{Estimate, Verdict};
use crate::scenario::Scenario;
use crate::words::{gib1, size};
use std::fmt::Write;

/// As Markdown, with a link to the scenario.
pub fn markdown(scenario: &Scenario, estimate: &Estimate, url: &str) -> String {
    let mut out = format!("**{}**\n\n", head(scenario, estimate));
    let _ = writeln!(out, "| quantity | size |\n| --- | ---: |");
    let process = estimate.process_bytes;
    for (name, bytes) in [
        ("allocated (`max_memory_allocated`)", estimate.allocated_bytes),
        ("reserved (`max_memory_reserved`)", estimate.reserved_bytes),
        ("least capacity", estimate.least_capacity_bytes),
        ("process (`nvidia-smi`)", process.expected),
    ] {
        let _ = writeln!(out, "| {name} | {} |", Bytes(bytes));
    }
    let _ = writeln!(
        out,
        "\nProcess {} to {} GiB from run to run. Peak in step {}: {}.\n",
        gib1(process.low),
        gib1(process.high),
        estimate.peak.step,
        estimate.peak.description
    );
    let _ = writeln!(out, "| at the peak | size |\n| --- | ---: |");
    for (part, bytes) in parts(estimate) {
        let _ = writeln!(out, "| {} | {} |", part.label(), Bytes(bytes));
    }
    let _ = writeln!(
        out,
        "\n[Open in Plimsoll]({url}) (cost model {})",
        estimate.cost_model
    );
    out
}

/// The verdict in a line.
fn head(scenario: &Scenario, estimate: &Estimate) -> String {
    let needs = size(needed(estimate));
    let (Some(card), Some(verdict)) = (scenario.card(), estimate.verdict) else {
        return format!("Needs {needs} of a card");
    };
    let says = match verdict {
        Verdict::Fits => "Fits on",
        Verdict::Tight => "Tight on",
        Verdict::Exceeds => "Does not fit on",
    };
    let usable = size(card.usable_bytes());
    format!("{says} {}: needs {needs} of {usable} usable", card.name)
}

/// As JSON: the object that the command line gives with `--json`.
pub fn json(estimate: &Estimate) -> String {
    // Strings, numbers and maps by name: nothing in it can fail to be written.
    serde_json::to_string_pretty(estimate).unwrap_or_default() + "\n"
}

/// As comma-separated values: quantities and parts in bytes, one a line.
pub fn csv(estimate: &Estimate) -> String {
    let process = estimate.process_bytes;
    let mut out = String::from("kind,name,bytes\n");
    for (name, bytes) in [
        ("allocated", estimate.allocated_bytes),
        ("reserved", estimate.reserved_bytes),
        ("least capacity", estimate.least_capacity_bytes),
        ("process low", process.low),
        ("process expected", process.expected),
        ("process high", process.high),
        ("host", estimate.host_bytes),
    ] {
        let _ = writeln!(out, "quantity,{name},{bytes}");
    }
    for (part, bytes) in parts(estimate) {
        let _ = writeln!(out, "part at the peak,{},{bytes}", part.label());
    }
    for peak in &estimate.phases {
        let _ = writeln!(
            out,
            "phase peak,{} of step {} micro-batch {},{}",
            peak.phase, peak.step, peak.micro, peak.peak_bytes
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::estimate;

    fn answer() -> (Scenario, Estimate) {
        let scenario = Scenario::default();
        let estimate = estimate(&scenario).unwrap();
        (scenario, estimate)
    }

    #[test]
    fn markdown_answers_first_and_links_last() {
        let (scenario, estimate) = answer();
        let text = markdown(&scenario, &estimate, "https://example.org/#seq=2048");
        assert!(text.starts_with("**Fits on GeForce RTX 4090: needs "), "{text}");
        assert!(text.contains("\n| base weights | "), "{text}");
        assert!(
            text.ends_with("[Open in Plimsoll](https://example.org/#seq=2048) (cost model 1)\n"),
            "{text}"
        );
    }

    #[test]
    fn json_is_read_back_as_the_same_estimate() {
        let (_, estimate) = answer();
        assert_eq!(
            serde_json::from_str::<Estimate>(&json(&estimate)).unwrap(),
            estimate
        );
    }

    #[test]
    fn every_line_of_the_csv_has_three_fields() {
        let text = csv(&answer().1);
        assert!(text.lines().count() > 20);
        assert!(text.lines().all(|line| line.split(',').count() == 3), "{text}");
    }
}
