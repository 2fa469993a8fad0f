//! When allocations live, in phases, and what that says about them.

use super::recording::{Alloc, Event, Phase, Recording};
use crate::category::Category;

/// When an allocation lives, in phases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    /// The phase in which it is made.
    pub born: u32,
    /// The phase in which it is dropped.
    pub died: u32,
}

impl Life {
    /// From the first phase on, for good.
    pub const FOREVER: Life = Life {
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
