//! Reads a served recording: the moment of the peak, what is alive then, the highest point of each phase.

use super::{Category, Peak, PhasePeak};
use crate::replay::serve::Served;
use crate::replay::{Alloc, Event, Phase, Recording};
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

/// When an allocation lives, in phases.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    born: u32,
    died: u32,
}

impl Life {
    /// From the first phase on, for good.
    pub(super) const FOREVER: Life = Life {
        born: 0,
        died: u32::MAX,
    };
}

/// When each allocation of a recording lives.
pub(super) fn lives(recording: &Recording) -> Vec<Life> {
    let mut lives = vec![Life::FOREVER; recording.allocs.len()];
    let mut phases = 0u32;
    for event in &recording.events {
        match *event {
            Event::Phase(..) => phases += 1,
            Event::Alloc(i) => lives[i as usize].born = phases.saturating_sub(1),
            Event::Free(i) => lives[i as usize].died = phases.saturating_sub(1),
            Event::EmptyCache => {}
        }
    }
    lives
}

/// Reads a full recording.
pub fn read(recording: &Recording, served: &Served) -> Reading {
    let lives = lives(recording);
    let mut phases: Vec<PhasePeak> = Vec::new();
    let mut kinds: Vec<Phase> = Vec::new();
    let (mut live, mut highest, mut at, mut last) = (0u64, 0u64, 0usize, None);
    for (index, event) in recording.events.iter().enumerate() {
        match *event {
            Event::Phase(phase, step, micro) => {
                kinds.push(phase);
                phases.push(PhasePeak {
                    phase: phase.name().into(),
                    step: step.into(),
                    micro: micro.into(),
                    peak_bytes: live,
                    end_bytes: live,
                });
                continue;
            }
            Event::Alloc(i) => {
                live += served.blocks[i as usize];
                if live > highest && kinds.last().is_some_and(|&k| k != Phase::Load) {
                    (highest, at, last) = (live, index, Some(i));
                }
            }
            Event::Free(i) => live -= served.blocks[i as usize],
            Event::EmptyCache => {}
        }
        if let Some(phase) = phases.last_mut() {
            phase.peak_bytes = phase.peak_bytes.max(live);
            phase.end_bytes = live;
        }
    }
    let alive = alive_after(&recording.events, at, recording.allocs.len());
    let mut breakdown = BTreeMap::new();
    for i in alive {
        let category = category(&recording.allocs[i as usize], lives[i as usize], &kinds);
        *breakdown.entry(category).or_insert(0) += served.blocks[i as usize];
    }
    let peak = match last {
        Some(i) => {
            let ordinal = lives[i as usize].born as usize;
            let category = category(&recording.allocs[i as usize], lives[i as usize], &kinds);
            describe(
                &recording.allocs[i as usize],
                category,
                kinds[ordinal],
                phases[ordinal].step,
            )
        }
        None => Peak {
            phase: "load".into(),
            place: "load".into(),
            description: "loading".into(),
            step: 0,
        },
    };
    Reading {
        peak,
        breakdown,
        phases,
    }
}

/// Allocations that are alive after the event of this index.
fn alive_after(events: &[Event], at: usize, allocs: usize) -> Vec<u32> {
    let mut alive = vec![false; allocs];
    for event in events.iter().take(at + 1) {
        match *event {
            Event::Alloc(i) => alive[i as usize] = true,
            Event::Free(i) => alive[i as usize] = false,
            _ => {}
        }
    }
    (0..allocs as u32).filter(|&i| alive[i as usize]).collect()
}

/// What an allocation is: said at its birth, or seen from when it was made and dropped.
pub(super) fn category(alloc: &Alloc, life: Life, phases: &[Phase]) -> Category {
    if let Some(category) = alloc.category {
        return category;
    }
    let survives = life.died > life.born;
    match phases.get(life.born as usize) {
        Some(Phase::Forward) if survives => Category::Activations,
        Some(Phase::Backward) if alloc.recompute => Category::Recomputed,
        _ if survives => Category::Other,
        _ => Category::Temporaries,
    }
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
