//! The cards of this machine for a person.

use std::fmt::Write;

use super::{Checkup, Machine};
use crate::bytes::Bytes;
use crate::catalog;
use crate::cli::style::{BAD, GOOD, HEAD, WARN};
use crate::estimate::Verdict;

/// The driver.
pub(super) fn machine(machine: &Machine) -> String {
    let driver = machine.driver.as_deref().unwrap_or("unknown");
    let cuda = machine.cuda.map_or_else(String::new, |(major, minor)| {
        format!(", CUDA up to {major}.{minor}")
    });
    let cards = match machine.cards.len() {
        0 => "no card answers".to_owned(),
        1 => "1 card".into(),
        n => format!("{n} cards"),
    };
    format!("{HEAD}NVIDIA driver {driver}{cuda}: {cards}{HEAD:#}\n")
}

/// One card, and the run on it.
pub(super) fn checkup(checkup: &Checkup) -> String {
    let card = &checkup.card;
    let mut text = String::new();
    let known = checkup.gpu.map_or("not in the catalog", |slug| slug);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\n{HEAD}{}{HEAD:#} ({known})", card.name);
    let _ = writeln!(
        text,
        "  compute capability {}.{}: {}",
        card.capability.0,
        card.capability.1,
        formats(card.capability, checkup.gpu)
    );
    let _ = writeln!(
        text,
        "  {} free of {}",
        Bytes(card.free_bytes),
        Bytes(card.total_bytes)
    );
    for process in &card.processes {
        let name = process.name.as_deref().unwrap_or("a process");
        let used = process
            .used_bytes
            .map_or_else(|| "unknown".into(), |bytes| Bytes(bytes).to_string());
        let _ = writeln!(text, "    {name} (pid {}): {used}", process.pid);
    }
    let (style, words) = match (checkup.verdict_now, &checkup.refused) {
        (Some(Verdict::Fits), _) => (GOOD, "fits what is free now".to_owned()),
        (Some(Verdict::Tight), _) => (WARN, "is tight in what is free now".into()),
        (Some(Verdict::Exceeds), _) => (BAD, "does not fit what is free now".into()),
        (None, reason) => (
            WARN,
            format!("is not judged: {}", reason.as_deref().unwrap_or("no verdict")),
        ),
    };
    let room = match checkup.headroom_now_bytes {
        Some(room @ 0..) => format!(", {} to spare", Bytes(room.unsigned_abs())),
        Some(room) => format!(", {} short", Bytes(room.unsigned_abs())),
        None => String::new(),
    };
    let _ = writeln!(text, "  the run {style}{words}{style:#}{room}");
    text
}

/// What a card computes in: its own row in the catalog, else what its capability says.
fn formats(capability: (u32, u32), slug: Option<&str>) -> String {
    let gates = [
        ("bf16", (8, 0), "bf16 from 8.0"),
        ("FP8", (8, 9), "FP8 from 8.9"),
        ("FP4", (10, 0), "FP4 from 10.0"),
    ];
    let card = slug.and_then(catalog::gpu);
    let word = |(name, least, gate): (&str, (u32, u32), &str)| {
        let has = match (card, name) {
            (Some(card), "bf16") => card.bf16,
            (Some(card), "FP8") => card.fp8,
            (Some(card), _) => card.fp4,
            (None, _) => capability >= least,
        };
        if has {
            name.to_owned()
        } else {
            format!("no {name} ({gate})")
        }
    };
    gates.map(word).join(", ")
}
