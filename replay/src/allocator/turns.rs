//! A list of events as turns: what happens once, and what each layer does when its turn comes. Layers that do alike share
//! one stretch of steps, so the list of a model is hardly longer than that of a few layers.

use crate::category::Category;
use crate::recording::{Alloc, Event, Recording};
use crate::segment::rounded;

/// No allocation.
const NONE: u32 = u32::MAX;

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Memory is taken.
    Take,
    /// Memory is given back.
    Drop,
    /// Any other event.
    Mark,
}

/// Whose allocation a step is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// One that is made once.
    Once,
    /// The layer's own.
    Own,
    /// That of the layer before.
    Before,
    /// That of the layer behind.
    Behind,
}

/// A step of a turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub what: What,
    pub of: Of,
    /// What its allocation is.
    pub category: Category,
    /// Its allocation among those that are recorded; the number of any other event among all.
    pub alloc: u32,
    /// The slot of the first layer's allocation; those of its group follow.
    pub slot: u32,
    /// Its bytes, rounded up to 512.
    pub bytes: u64,
}

impl Step {
    /// An event of this number that is neither.
    pub fn mark(event: usize) -> Self {
        Step {
            what: What::Mark,
            of: Of::Once,
            category: Category::Other,
            alloc: event as u32,
            slot: 0,
            bytes: 0,
        }
    }
}

/// Steps that are done one after another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub first: u32,
    pub end: u32,
    /// The layer whose turn it is.
    pub layer: Option<u32>,
    /// The number of the layer in its group, by whose allocation a step is about.
    pub number: [u32; 4],
}

impl Turn {
    /// A turn outside the layers.
    pub fn once(first: usize, end: usize) -> Self {
        Turn {
            first: first as u32,
            end: end as u32,
            layer: None,
            number: [0; 4],
        }
    }

    /// The slot of a step's allocation.
    pub fn slot(&self, step: &Step) -> usize {
        (step.slot + self.number[step.of as usize]) as usize
    }
}

/// A place in a list of turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    pub(crate) turn: u32,
    pub(crate) step: u32,
}

/// A list of events as turns.
#[derive(Clone, Debug)]
pub struct Turns {
    /// What is recorded: of some layers, or of all.
    recording: Recording,
    pub(crate) steps: Vec<Step>,
    pub(crate) turns: Vec<Turn>,
    /// Allocations of all layers.
    pub(crate) slots: usize,
}

impl Turns {
    /// A recording of which nothing happens more than once.
    pub fn once(recording: Recording) -> Self {
        let mut turns = Turns::begin(recording);
        let (sizes, categories) = (turns.sizes(), turns.recording.categories());
        let about = |what, i: u32| Step {
            what,
            of: Of::Once,
            category: categories[i as usize],
            alloc: i,
            slot: i,
            bytes: sizes[i as usize],
        };
        let step = |(at, event): (usize, &Event)| match *event {
            Event::Alloc(i) => about(What::Take, i),
            Event::Free(i) => about(What::Drop, i),
            _ => Step::mark(at),
        };
        turns.steps = turns.recording.events.iter().enumerate().map(step).collect();
        turns.turns.push(Turn::once(0, turns.steps.len()));
        turns.slots = turns.recording.allocs.len();
        turns
    }

    /// A recording without steps yet.
    pub(crate) fn begin(recording: Recording) -> Self {
        Turns {
            recording,
            steps: Vec::new(),
            turns: Vec::new(),
            slots: 0,
        }
    }

    /// The bytes of each recorded allocation, as the allocator counts them.
    pub(crate) fn sizes(&self) -> Vec<u64> {
        let size = |alloc: &Alloc| rounded(alloc.bytes.max(1));
        self.recording.allocs.iter().map(size).collect()
    }

    /// What is recorded.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Behind the last step.
    pub(crate) fn end(&self) -> At {
        At {
            turn: self.turns.len() as u32,
            step: 0,
        }
    }

    /// The list of every event.
    pub fn list(&self) -> Recording {
        let mut ids = vec![NONE; self.slots];
        let (mut events, mut allocs) = (Vec::new(), Vec::new());
        for turn in &self.turns {
            for step in &self.steps[turn.first as usize..turn.end as usize] {
                match step.what {
                    What::Take => {
                        let id = allocs.len() as u32;
                        let mut alloc = self.recording.allocs[step.alloc as usize];
                        if let (Some(named), Some(layer)) = (&mut alloc.place.layer, turn.layer) {
                            *named = layer;
                        }
                        ids[turn.slot(step)] = id;
                        allocs.push(alloc);
                        events.push(Event::Alloc(id));
                    }
                    What::Drop => events.push(Event::Free(ids[turn.slot(step)])),
                    What::Mark => events.push(self.recording.events[step.alloc as usize]),
                }
            }
        }
        Recording {
            events,
            allocs,
            expandable_segments: self.recording.expandable_segments,
        }
    }
}
