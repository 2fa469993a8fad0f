//! A record held against the estimate of its scenario, part by part.

use serde::Serialize;

use super::mechanism::{self, Part};
use super::{Outcome, Record};
use crate::bytes::{Bytes, MIB};
use crate::estimate::{Estimate, EstimateError, Interval, Verdict, estimate};
use crate::scenario::Stack;

/// Something measured beside its estimate, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What it is.
    pub name: String,
    /// The estimate.
    pub estimated: u64,
    /// The measurement.
    pub measured: u64,
    /// The estimate's interval, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
}

impl Line {
    fn new(name: impl Into<String>, estimated: u64, measured: u64) -> Self {
        Line {
            name: name.into(),
            estimated,
            measured,
            interval: None,
        }
    }

    /// How far the estimate is off in percent of the measurement; positive when it is too high.
    pub fn error_percent(&self) -> f64 {
        if self.measured == 0 {
            return 0.0;
        }
        (self.estimated as f64 - self.measured as f64) / self.measured as f64 * 100.0
    }

    /// Is the measurement within the interval? True where there is none.
    pub fn is_covered(&self) -> bool {
        self.interval
            .is_none_or(|i| (i.low..=i.high).contains(&self.measured))
    }

    fn difference(&self) -> i128 {
        i128::from(self.estimated) - i128::from(self.measured)
    }
}

/// A record beside its estimate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The run's name.
    pub id: String,
    /// Allocated, reserved, process, context.
    pub quantities: Vec<Line>,
    /// Parts of what is alive at the peak.
    pub parts: Vec<Line>,
    /// Peaks of the phases.
    pub phases: Vec<Line>,
    /// What the estimate said of the card.
    pub verdict: Option<Verdict>,
    /// What the differences point to, one sentence each.
    pub findings: Vec<String>,
    /// Is it within the tolerance, and was no run that ended out of memory said to fit?
    pub within: bool,
}

/// The tolerance on `allocated` in percent when none is given.
pub fn usual_tolerance(stack: Stack) -> f64 {
    match stack {
        Stack::Hf => 1.0,
        Stack::Unsloth => 3.0,
    }
}

impl Comparison {
    /// Holds a record against its estimate. `tolerance` is in percent of `allocated`; without one it is the stack's.
    ///
    /// # Errors
    /// The run did not end in a way that says something of memory, or its scenario is not modelled.
    pub fn of(record: &Record, tolerance: Option<f64>) -> Result<Self, String> {
        if !matches!(record.outcome, Outcome::Ran | Outcome::OutOfMemory { .. }) {
            return Err("there is nothing to compare".into());
        }
        let estimate = estimate(&record.scenario).map_err(|error| match error {
            EstimateError::NotModelled(reason) => reason,
            EstimateError::Invalid(_) => error.to_string(),
        })?;
        let tolerance = tolerance.unwrap_or_else(|| usual_tolerance(record.scenario.stack));
        let mut comparison = Comparison {
            id: record.id.clone(),
            quantities: quantities(record, &estimate),
            parts: parts(record, &estimate),
            phases: phases(record, &estimate),
            // Of the memory that the card really has, where the run told it.
            verdict: match record.machine.total_bytes {
                0 => estimate.verdict,
                total => Some(estimate.on(total).verdict),
            },
            findings: Vec::new(),
            within: true,
        };
        comparison.judge(record, tolerance);
        Ok(comparison)
    }

    /// One of the quantities.
    pub fn quantity(&self, name: &str) -> Option<&Line> {
        self.quantities.iter().find(|line| line.name == name)
    }

    fn judge(&mut self, record: &Record, tolerance: f64) {
        if let Outcome::OutOfMemory { phase, step, .. } = &record.outcome {
            let at = match step {
                0 => "while loading".to_owned(),
                step => format!("in {phase} of step {step}"),
            };
            self.findings.push(match self.verdict {
                Some(Verdict::Fits) => {
                    self.within = false;
                    format!("it was said to fit, and ended out of memory {at}")
                }
                Some(Verdict::Tight) => format!("it was said to be tight, and ended out of memory {at}"),
                Some(Verdict::Exceeds) => format!("out of memory {at}, as was said"),
                None => format!("out of memory {at}"),
            });
            return;
        }
        if self.verdict == Some(Verdict::Exceeds) {
            self.within = false;
            self.findings
                .push("it was said not to fit, and got through".into());
        }
        let Some(allocated) = self.quantity("allocated").cloned() else {
            return;
        };
        if allocated.error_percent().abs() > tolerance {
            self.within = false;
            self.findings.extend(self.where_allocated_differs(&allocated));
        }
        let reserved = self.quantity("reserved");
        if let Some(reserved) = reserved.filter(|line| line.error_percent().abs() > 5.0) {
            let beside = reserved.difference() - allocated.difference();
            if beside.unsigned_abs() * 2 > reserved.difference().unsigned_abs() {
                self.findings.push(format!(
                    "reserved is {} while allocated agrees better: the order in which loading filled the allocator \
                     left other gaps",
                    off(reserved)
                ));
            }
        }
        if let Some(process) = self.quantity("process").filter(|line| !line.is_covered()) {
            self.findings.push(format!(
                "process is {} and outside its interval: context and kernels of this card and these libraries are \
                 not those of the table, or another process shares the card",
                off(process)
            ));
        }
    }

    fn where_allocated_differs(&self, allocated: &Line) -> Vec<String> {
        let mut found = Vec::new();
        let worst = self
            .parts
            .iter()
            .max_by_key(|line| line.difference().unsigned_abs());
        match worst.filter(|line| line.difference() != 0) {
            Some(worst) => {
                let part = Part::ALL.iter().find(|part| part.label() == worst.name);
                found.push(format!(
                    "allocated is {}; most of it in {} ({}): {}",
                    off(allocated),
                    worst.name,
                    off(worst),
                    part.map_or("", |part| part.mechanism())
                ));
            }
            None => found.push(format!("allocated is {}", off(allocated))),
        }
        // Differences of less than a block's remainder are none.
        let first = self.phases.iter().find(|line| {
            line.difference().unsigned_abs() > u128::from(MIB) && line.error_percent().abs() > 0.5
        });
        if let Some(first) = first {
            found.push(format!(
                "the first phase that differs is {} ({})",
                first.name,
                off(first)
            ));
        }
        found
    }
}

/// `1.20 GiB (3.1 %) too high`.
fn off(line: &Line) -> String {
    let size = Bytes(line.difference().unsigned_abs().min(u128::from(u64::MAX)) as u64);
    let side = if line.difference() > 0 { "high" } else { "low" };
    format!("{size} ({:.1} %) too {side}", line.error_percent().abs())
}

fn quantities(record: &Record, estimate: &Estimate) -> Vec<Line> {
    let measured = &record.measured;
    let plain = |name, estimated, measured: Option<u64>| Some(Line::new(name, estimated, measured?));
    let ranging = |name, interval: Interval, measured: Option<u64>| {
        let mut line = Line::new(name, interval.expected, measured?);
        line.interval = Some(interval);
        Some(line)
    };
    // What a run that ended early reached is no peak.
    let ended = (record.outcome == Outcome::Ran).then_some(());
    [
        plain(
            "allocated",
            estimate.allocated_bytes,
            measured.peak_allocated_bytes,
        ),
        plain("reserved", estimate.reserved_bytes, measured.peak_reserved_bytes),
        ranging(
            "process",
            estimate.process_bytes,
            ended.and(measured.process_bytes),
        ),
        ranging(
            "context",
            estimate.context_bytes,
            ended.and(measured.context_bytes),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn parts(record: &Record, estimate: &Estimate) -> Vec<Line> {
    let Some(breakdown) = &record.measured.breakdown else {
        return Vec::new();
    };
    let (estimated, measured) = (
        mechanism::estimated(estimate),
        mechanism::measured(&breakdown.bytes),
    );
    let of = |part| {
        let [estimated, measured] =
            [&estimated, &measured].map(|parts| parts.get(&part).copied().unwrap_or(0));
        (estimated + measured > 0).then(|| Line::new(part.label(), estimated, measured))
    };
    Part::ALL.into_iter().filter_map(of).collect()
}

/// The phases that both have. What loading reaches depends on how the weights are read, and counts for neither.
fn phases(record: &Record, estimate: &Estimate) -> Vec<Line> {
    let line = |measured: &super::PhaseReading| {
        let estimated = estimate
            .phases
            .iter()
            .find(|e| (&e.phase, e.step, e.micro) == (&measured.phase, measured.step, measured.micro))?;
        let (name, measured) = match measured.step {
            0 => ("after loading".into(), measured.end_allocated_bytes),
            step => (
                match measured.micro {
                    0 => format!("{} of step {step}", measured.phase),
                    micro => format!("{} of step {step}, micro-batch {}", measured.phase, micro + 1),
                },
                measured.peak_allocated_bytes,
            ),
        };
        let estimated = match estimated.step {
            0 => estimated.end_bytes,
            _ => estimated.peak_bytes,
        };
        Some(Line::new(name, estimated, measured))
    };
    let phases = &record.measured.phases;
    let whole = match record.outcome {
        // The last is cut short.
        Outcome::OutOfMemory { .. } => phases.len().saturating_sub(1),
        _ => phases.len(),
    };
    phases.iter().take(whole).filter_map(line).collect()
}
