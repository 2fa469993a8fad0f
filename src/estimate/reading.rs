//! Reads a served recording: the moment of the peak, what is alive then, the highest point of each phase.

use super::{Category, Peak, PhasePeak};
use crate::replay::allocator::serve::{Highest, Served};
use crate::replay::{Alloc, Phase, Turns};
use std::collections::BTreeMap;

/// What a recording tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The moment of the peak.
    pub peak: Peak,
    /// Bytes by category at that moment.
    pub breakdown: BTreeMap<Category, u64>,
    /// The highest point of each phase.
    pub phases: Vec<PhasePeak>,
}

/// Reads what serving a list came to.
pub fn read(turns: &Turns, served: &Served) -> Reading {
    let phases = served.phases.iter().map(|bytes| {
        let (phase, step, micro) = bytes.phase;
        PhasePeak {
            phase: phase.name().into(),
            step: step.into(),
            micro: micro.into(),
            peak_bytes: bytes.peak,
            end_bytes: bytes.end,
        }
    });
    let loading = Peak {
        phase: "load".into(),
        place: "load".into(),
        description: "loading".into(),
        step: 0,
    };
    let mut breakdown = BTreeMap::new();
    if let Some(highest) = &served.highest {
        let live = Category::ALL.iter().copied().zip(highest.live);
        breakdown.extend(live.filter(|&(_, bytes)| bytes > 0));
    }
    Reading {
        peak: served
            .highest
            .as_ref()
            .and_then(|highest| peak(turns, served, highest))
            .unwrap_or(loading),
        breakdown,
        phases: phases.collect(),
    }
}

/// The moment of the peak.
fn peak(turns: &Turns, served: &Served, highest: &Highest) -> Option<Peak> {
    let recording = turns.recording();
    let mut alloc = *recording.allocs.get(highest.alloc as usize)?;
    if let (Some(named), Some(layer)) = (&mut alloc.place.layer, highest.layer) {
        *named = layer;
    }
    let (phase, step, _) = served.phases.get(highest.phase)?.phase;
    Some(describe(&alloc, highest.category, phase, step.into()))
}

/// Where the run is when this is allocated or freed.
pub(super) fn describe(alloc: &Alloc, category: Category, phase: Phase, step: u32) -> Peak {
    let direction = if phase == Phase::Backward {
        "backward"
    } else {
        "forward"
    };
    let module = alloc.place.module;
    let (place, description) = match (phase, alloc.place.layer) {
        (Phase::Forward | Phase::Backward, _) if category == Category::LogitsLoss => (
            format!("loss_{direction}"),
            match phase {
                Phase::Forward => "forward through the loss: logits and their copies are alive".to_owned(),
                _ => "backward through the loss: gradients of the logits are alive".to_owned(),
            },
        ),
        (Phase::Backward, Some(layer)) if alloc.recompute => (
            format!("recompute:{layer}"),
            format!(
                "layer {layer} runs again for its backward pass, at {}",
                named(module)
            ),
        ),
        (Phase::Forward | Phase::Backward, Some(layer)) => (
            format!("layer_{direction}:{layer}"),
            format!("{direction} through layer {layer}, at {}", named(module)),
        ),
        (Phase::Forward | Phase::Backward, None) if module == "loss" => (
            format!("loss_{direction}"),
            format!("{direction} through the loss"),
        ),
        (Phase::Forward | Phase::Backward, None) if !module.is_empty() => (
            format!("{module}_{direction}"),
            format!("{direction} through {}", named(module)),
        ),
        (Phase::Optimizer, _) => (
            "optimizer".into(),
            "the optimizer's update, at its temporaries".into(),
        ),
        (Phase::Clip, _) => ("clip".into(), "clipping the gradients".into()),
        _ => (phase.name().into(), phase.name().replace('_', " ")),
    };
    Peak {
        phase: phase.name().into(),
        place,
        description,
        step,
    }
}

fn named(module: &str) -> &str {
    match module {
        "" => "its residual sum",
        "norm" => "the final norm",
        "lm_head" => "the head",
        "embed_tokens" => "the embedding",
        other => other,
    }
}
