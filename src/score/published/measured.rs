//! Which quantity a published figure is.

use super::fields::Published;
use crate::score::{Measured, MeasuredVerdict};

const GIB: f64 = (1u64 << 30) as f64;

/// What was measured. A figure that the run itself printed tells that the run got through on its card.
pub(super) fn of(row: &Published) -> Measured {
    let value = |metric: &str| (row.metric == metric).then_some(row.value_gib).flatten();
    let other = |name: &str| {
        let others = row.other_metrics_gib.as_ref()?;
        // Beside a run that did not get through stand figures of its last moments.
        (row.metric != "oom").then(|| others.get(name).copied().flatten())?
    };
    let verdict = match row.metric.as_str() {
        "oom" => Some(MeasuredVerdict::Exceeds),
        "fits" | "peak_allocated" | "peak_reserved" | "nvidia_smi" => Some(MeasuredVerdict::Fits),
        _ => None,
    };
    let bytes = |gib: Option<f64>| gib.filter(|gib| *gib > 0.0).map(|gib| (gib * GIB).round() as u64);
    Measured {
        allocated: bytes(value("peak_allocated").or_else(|| other("peak_allocated"))),
        reserved: bytes(value("peak_reserved").or_else(|| other("peak_reserved"))),
        least_capacity: None,
        process: bytes(
            value("nvidia_smi")
                .or_else(|| other("process_total"))
                .or_else(|| other("nvidia_smi")),
        ),
        verdict,
    }
}

/// Half of the step in which the source rounds, bytes.
pub(super) fn rounding(row: &Published) -> u64 {
    (row.rounding_gib.unwrap_or_default().max(0.0) * GIB).round() as u64
}
