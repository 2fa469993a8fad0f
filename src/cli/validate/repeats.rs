//! How far the same run differs from time to time.

use std::fmt::Write;

use crate::validate::{Measured, Outcome, Record};

/// One line for each scenario that was run more than once: by how much its figures differ.
pub(super) fn text(records: &[&Record]) -> String {
    let mut text = String::new();
    let ran = || records.iter().filter(|record| record.outcome == Outcome::Ran);
    for (index, first) in ran().enumerate() {
        let alike =
            |other: &&&Record| other.scenario == first.scenario && other.weights_from == first.weights_from;
        if ran().take(index).any(|earlier| alike(&earlier)) {
            continue;
        }
        let runs: Vec<_> = ran().filter(alike).collect();
        if runs.len() < 2 {
            continue;
        }
        let spread =
            |of: fn(&Measured) -> Option<u64>| spread(runs.iter().filter_map(|run| of(&run.measured)));
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}, {} times: allocated within {}, reserved within {}, process within {}",
            first.id,
            runs.len(),
            spread(|m| m.peak_allocated_bytes),
            spread(|m| m.peak_reserved_bytes),
            spread(|m| m.process_bytes),
        );
    }
    text
}

/// The largest less the smallest, in percent of the smallest.
fn spread(figures: impl Iterator<Item = u64> + Clone) -> String {
    match (figures.clone().min(), figures.max()) {
        (Some(low @ 1..), Some(high)) => format!("{:.2} %", (high - low) as f64 / low as f64 * 100.0),
        _ => "an unknown share".into(),
    }
}
