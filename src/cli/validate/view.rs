//! What a validation shows: estimated against measured, and what a difference points to.

use std::fmt::Write;

use serde::Serialize;

use super::repeats;
use crate::bytes::Bytes;
use crate::cli::style::{BAD, GOOD, HEAD, WARN};
use crate::cli::table::{Align, table};
use crate::validate::{Comparison, Line, Outcome, Record};

/// A record with its comparison, or why there is none.
#[derive(Debug, Serialize)]
pub(super) struct Shown<'a> {
    id: &'a str,
    outcome: &'a Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_per_step: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<Comparison>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_compared: Option<String>,
    #[serde(skip)]
    record: &'a Record,
}

impl<'a> Shown<'a> {
    /// Compares a record.
    pub fn of(record: &'a Record, tolerance: Option<f64>) -> Self {
        let (comparison, not_compared) = match Comparison::of(record, tolerance) {
            Ok(comparison) => (Some(comparison), None),
            Err(reason) => (None, Some(reason)),
        };
        Shown {
            id: &record.id,
            outcome: &record.outcome,
            seconds_per_step: record.measured.seconds_per_step(),
            comparison,
            not_compared,
            record,
        }
    }

    /// Is there nothing to complain of? A run that failed for another reason than memory is complained of; one that
    /// cannot be estimated is not.
    pub fn is_good(&self) -> bool {
        match self.outcome {
            Outcome::Ran | Outcome::OutOfMemory { .. } => self.comparison.as_ref().is_none_or(|c| c.within),
            Outcome::Refused { .. } => true,
            _ => false,
        }
    }
}

/// How a run ended, in one line.
pub(super) fn line(record: &Record) -> String {
    let seconds = record.measured.seconds.unwrap_or(0.0);
    let how = match &record.outcome {
        Outcome::Ran => match record.measured.peak_allocated_bytes {
            Some(peak) => format!("ran in {seconds:.0} s, {} allocated", Bytes(peak)),
            None => format!("ran in {seconds:.0} s"),
        },
        Outcome::OutOfMemory { phase, step: 0, .. } => format!("out of memory while in {phase}"),
        Outcome::OutOfMemory { phase, step, .. } => format!("out of memory in {phase} of step {step}"),
        Outcome::Crashed {
            error,
            message,
            phase,
        } => format!("crashed in {phase}: {error}: {message}"),
        Outcome::TimedOut { seconds, phase } => format!("ended after its {seconds} s, {phase}"),
        Outcome::DeviceLost { message } => format!("the card stopped answering: {message}"),
        Outcome::Unusable { message, .. } => format!("cannot run: {message}"),
        Outcome::Refused { message } => format!("not measured: {message}"),
        Outcome::Garbled { message } if message.is_empty() => "ended without a result".into(),
        Outcome::Garbled { message } => format!("ended without a result; the last it printed: {message}"),
        Outcome::Interrupted => "stopped".into(),
    };
    format!("{}  {how}", record.id)
}

/// One run in full, or a table of several with what is to be said of each.
pub(super) fn view(shown: &[Shown]) -> String {
    match shown {
        [] => String::new(),
        [one] => in_full(one),
        several => {
            let mut text = summary(several);
            for one in several {
                text += &remarks(one);
            }
            let records: Vec<_> = several.iter().map(|one| one.record).collect();
            text + &repeats::text(&records)
        }
    }
}

fn in_full(shown: &Shown) -> String {
    let mut text = format!("{HEAD}{}{HEAD:#}\n", line(shown.record));
    let machine = &shown.record.machine;
    if !machine.card.is_empty() {
        let package = |name: &str| machine.versions.get(name).map(|v| format!(", {name} {v}"));
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}{}{}{}{}",
            machine.card,
            machine
                .driver
                .as_ref()
                .map(|v| format!(", driver {v}"))
                .unwrap_or_default(),
            package("torch").unwrap_or_default(),
            package("transformers").unwrap_or_default(),
            package("unsloth").unwrap_or_default(),
        );
    }
    if let Some(comparison) = &shown.comparison {
        for (head, lines) in [
            ("quantity", &comparison.quantities),
            ("part at the peak", &comparison.parts),
            ("peak of the phase", &comparison.phases),
        ] {
            if !lines.is_empty() {
                text.push('\n');
                text += &lines_table(head, lines);
            }
        }
    }
    if let Some(seconds) = shown.seconds_per_step {
        let _ = writeln!(text, "\n{seconds:.2} s a step");
    }
    text + &remarks(shown)
}

fn lines_table(head: &str, lines: &[Line]) -> String {
    let columns = [
        (head, Align::Left),
        ("estimated", Align::Right),
        ("measured", Align::Right),
        ("error", Align::Right),
        ("", Align::Left),
    ];
    let rows: Vec<_> = lines
        .iter()
        .map(|line| {
            [
                line.name.clone(),
                Bytes(line.estimated).to_string(),
                Bytes(line.measured).to_string(),
                percent(line),
                match line.interval {
                    None => String::new(),
                    Some(i) => format!(
                        "{} {} to {}",
                        if line.is_covered() { "within" } else { "outside" },
                        Bytes(i.low),
                        Bytes(i.high)
                    ),
                },
            ]
        })
        .collect();
    table(columns, &rows)
}

fn summary(shown: &[Shown]) -> String {
    let columns = [
        ("run", Align::Left),
        ("outcome", Align::Left),
        ("allocated", Align::Right),
        ("error", Align::Right),
        ("reserved", Align::Right),
        ("error", Align::Right),
        ("process", Align::Left),
    ];
    let rows: Vec<_> = shown
        .iter()
        .map(|one| {
            let of = |name: &str| one.comparison.as_ref().and_then(|c| c.quantity(name));
            let measured = |name| {
                of(name)
                    .map(|l| Bytes(l.measured).to_string())
                    .unwrap_or_default()
            };
            let error = |name| of(name).map(percent).unwrap_or_default();
            let process = of("process").map(|l| if l.is_covered() { "within" } else { "outside" });
            [
                one.id.to_owned(),
                word(one.outcome).to_owned(),
                measured("allocated"),
                error("allocated"),
                measured("reserved"),
                error("reserved"),
                process.unwrap_or_default().to_owned(),
            ]
        })
        .collect();
    table(columns, &rows)
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Ran => "ran",
        Outcome::OutOfMemory { .. } => "out of memory",
        Outcome::Crashed { .. } => "crashed",
        Outcome::TimedOut { .. } => "timed out",
        Outcome::DeviceLost { .. } => "card lost",
        Outcome::Unusable { .. } => "cannot run",
        Outcome::Refused { .. } => "not measured",
        Outcome::Garbled { .. } => "no result",
        Outcome::Interrupted => "stopped",
    }
}

/// What the differences point to, and what else is to be known.
fn remarks(shown: &Shown) -> String {
    let mut text = String::new();
    let mut say = |style: &anstyle::Style, what: &str, said: &str| {
        let _ = writeln!(text, "{style}{what}{style:#} {}: {said}", shown.id);
    };
    if let Some(comparison) = &shown.comparison {
        let (style, what) = match comparison.within {
            true => (&GOOD, "within tolerance"),
            false => (&BAD, "beyond tolerance"),
        };
        match comparison.findings.as_slice() {
            [] => {}
            findings => findings.iter().for_each(|finding| say(style, what, finding)),
        }
    }
    if let Some(reason) = shown
        .not_compared
        .as_deref()
        .filter(|_| *shown.outcome == Outcome::Ran)
    {
        say(&WARN, "not estimated", reason);
    }
    for note in &shown.record.notes {
        say(&WARN, "note", note);
    }
    text
}

/// The largest size that runs, beside the solver's answer.
#[derive(Debug, Serialize)]
pub(super) struct Boundary {
    pub unit: &'static str,
    pub measured: Option<u64>,
    pub solved: Option<u64>,
    pub runs: usize,
}

impl Boundary {
    fn error_percent(&self) -> Option<f64> {
        let (measured, solved) = (self.measured? as f64, self.solved? as f64);
        Some((solved - measured) / measured * 100.0)
    }

    /// Does what the solver promises run, and does it not promise much too little? Up to 10 % less when no tolerance is
    /// given: the solver leaves room for the upper end of the interval.
    pub fn is_within(&self, tolerance: Option<f64>) -> bool {
        let tolerance = tolerance.unwrap_or(10.0);
        match (self.measured, self.solved) {
            (None, Some(_)) => false,
            _ => self
                .error_percent()
                .is_none_or(|error| (-tolerance..=0.0).contains(&error)),
        }
    }

    /// In two lines.
    pub fn text(&self) -> String {
        let unit = self.unit;
        let measured = match self.measured {
            Some(size) => format!("{size} {unit} run"),
            None => format!("not even the smallest number of {unit} runs"),
        };
        let solved = match (self.solved, self.error_percent()) {
            (Some(size), Some(error)) => format!("the solver says that {size} fit ({error:+.1} %)"),
            (Some(size), None) => format!("the solver says that {size} fit"),
            (None, _) => "the solver has no answer".into(),
        };
        format!(
            "{HEAD}{measured}{HEAD:#}, found in {} runs\n{solved}\n",
            self.runs
        )
    }
}
/// The error of an estimate; of nothing measured there is none.
fn percent(line: &Line) -> String {
    match line.measured {
        0 => "–".into(),
        _ => format!("{:+.2} %", line.error_percent()),
    }
}
