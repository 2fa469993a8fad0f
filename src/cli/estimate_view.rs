//! An estimate for a person: the verdict first, the quantities kept apart, then where the bytes are and when.

use std::fmt::Write;

use anstyle::Style;

use super::models::count;
use super::style::{BAD, DIM, GOOD, HEAD, WARN};
use super::table::{Align, table};
use crate::bytes::Bytes;
use crate::catalog;
use crate::estimate::{Category, Estimate, PhasePeak, Verdict};
use crate::scenario::{Method, ModelRef, Scenario};

/// Lays out an estimate of a scenario.
pub(super) fn view(scenario: &Scenario, estimate: &Estimate) -> String {
    let sections = [
        verdict(scenario, estimate) + &run(scenario),
        quantities(estimate),
        breakdown(estimate),
        phases(estimate),
        list("Taken for granted", &estimate.assumptions),
        list("Mind", &estimate.warnings),
        foot(scenario, estimate),
    ];
    let sections: Vec<_> = sections
        .into_iter()
        .filter(|section| !section.is_empty())
        .collect();
    sections.join("\n")
}

/// `Fits on RTX 4090: 15.62 GiB of 23.52 GiB to spare`.
fn verdict(scenario: &Scenario, estimate: &Estimate) -> String {
    let slug = scenario.gpu.as_deref().unwrap_or_default();
    let card = catalog::gpu(slug).map_or(slug, |gpu| gpu.name.as_str());
    let (style, words) = match (estimate.verdict, estimate.headroom_bytes, estimate.capacity_bytes) {
        (Some(verdict), Some(headroom), Some(capacity)) => {
            let (style, words) = match verdict {
                Verdict::Fits => (GOOD, "Fits on"),
                Verdict::Tight => (WARN, "Tight on"),
                Verdict::Exceeds => (BAD, "Does not fit on"),
            };
            (
                style,
                format!("{words} {card}: {}", room(headroom, Bytes(capacity))),
            )
        }
        _ => {
            let process = Bytes(estimate.process_bytes.expected);
            (
                HEAD,
                format!("Takes {process} as a process; no card is named, so there is no verdict"),
            )
        }
    };
    line(style, &words)
}

fn room(headroom: i64, capacity: Bytes) -> String {
    let room = Bytes(headroom.unsigned_abs());
    match headroom {
        0.. => format!("{room} of {capacity} to spare"),
        _ => format!("needs {room} more than the {capacity} it has"),
    }
}

/// What was asked, in the field's words.
fn run(scenario: &Scenario) -> String {
    let Scenario {
        batch,
        seq,
        grad_accum,
        ..
    } = scenario;
    let mut words = vec![
        model(&scenario.model),
        scenario.stack.label().into(),
        format!("{} on {}", scenario.method.label(), scenario.weights.label()),
    ];
    if scenario.method != Method::Full {
        words.push(format!("rank {}", scenario.lora.rank));
    }
    words.push(format!("batch {batch} × {seq} tokens"));
    if *grad_accum > 1 {
        words.push(format!("{grad_accum} micro-batches a step"));
    }
    words.push(scenario.optimizer.label().into());
    words.push(format!("checkpointing {}", scenario.checkpointing.label()));
    line(DIM, &words.join(", "))
}

fn model(model: &ModelRef) -> String {
    match model {
        ModelRef::Catalog(id) => id.clone(),
        ModelRef::Config(config) => config.label(),
    }
}

fn quantities(estimate: &Estimate) -> String {
    let process = &estimate.process_bytes;
    let interval = format!(
        "{} to {}: reserved, CUDA context and libraries; what nvidia-smi shows",
        Bytes(process.low),
        Bytes(process.high)
    );
    let row = |name: &str, bytes: u64, note: &str| [name.to_string(), Bytes(bytes).to_string(), note.into()];
    let rows = [
        row(
            "allocated",
            estimate.allocated_bytes,
            "live tensors at the peak (max_memory_allocated)",
        ),
        row(
            "reserved",
            estimate.reserved_bytes,
            "held by the caching allocator (max_memory_reserved)",
        ),
        row(
            "least capacity",
            estimate.least_capacity_bytes,
            "the least that the allocator gets through with",
        ),
        row("process", process.expected, &interval),
        row(
            "host",
            estimate.host_bytes,
            "pinned and managed memory of the host",
        ),
    ];
    table([("", Align::Left), ("", Align::Right), ("", Align::Left)], &rows)
}

fn breakdown(estimate: &Estimate) -> String {
    let peak = &estimate.peak;
    let mut parts: Vec<(Category, u64)> = estimate
        .breakdown
        .iter()
        .map(|(category, bytes)| (*category, *bytes))
        .filter(|part| part.1 > 0)
        .collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.1));
    let row = |(category, bytes): (Category, u64)| {
        let share = bytes as f64 / estimate.allocated_bytes as f64 * 100.0;
        [
            category.label().into(),
            Bytes(bytes).to_string(),
            format!("{share:.1} %"),
            category.note().into(),
        ]
    };
    let rows: Vec<_> = parts.into_iter().map(row).collect();
    let columns = [
        ("", Align::Left),
        ("", Align::Right),
        ("", Align::Right),
        ("", Align::Left),
    ];
    let place = format!("{} (step {})", peak.description, peak.step);
    format!("{HEAD}Peak of allocated:{HEAD:#} {place}\n") + &table(columns, &rows)
}

/// Loading, and the phases of the step that has the peak; micro-batches of a phase are taken together.
fn phases(estimate: &Estimate) -> String {
    let mut together: Vec<PhasePeak> = Vec::new();
    for phase in estimate
        .phases
        .iter()
        .filter(|phase| phase.step == 0 || phase.step == estimate.peak.step)
    {
        match together
            .iter_mut()
            .find(|other| other.phase == phase.phase && other.step == phase.step)
        {
            Some(other) => {
                other.peak_bytes = other.peak_bytes.max(phase.peak_bytes);
                other.end_bytes = phase.end_bytes;
            }
            None => together.push(phase.clone()),
        }
    }
    let rows: Vec<[String; 3]> = together
        .iter()
        .map(|phase| {
            [
                phase.phase.replace('_', " "),
                Bytes(phase.peak_bytes).to_string(),
                Bytes(phase.end_bytes).to_string(),
            ]
        })
        .collect();
    let columns = [
        ("phase", Align::Left),
        ("allocated at most", Align::Right),
        ("at its end", Align::Right),
    ];
    match rows.is_empty() {
        true => String::new(),
        false => table(columns, &rows),
    }
}

fn list(title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let lines: String = lines.iter().map(|line| format!("  - {line}\n")).collect();
    line(HEAD, title) + &lines
}

fn foot(scenario: &Scenario, estimate: &Estimate) -> String {
    let evidence = &estimate.evidence;
    let trained = estimate.trainable_params as f64 / estimate.total_params as f64 * 100.0;
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "weights   {}, of which {} ({trained:.2} %) are trained",
        count(estimate.total_params),
        count(estimate.trainable_params)
    );
    let _ = writeln!(
        text,
        "interval  {} ({} runs), cost model {}",
        evidence.source, evidence.runs, estimate.cost_model
    );
    let _ = writeln!(text, "link      #{}", scenario.to_fragment());
    text
}

fn line(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}\n")
}

#[cfg(test)]
mod tests;
