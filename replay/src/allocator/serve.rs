//! What serving a list of events by the caching allocator comes to.

use super::caching::{Allocator, OutOfMemory};
use super::expandable::Expandable;
use super::serving::{Memory, Serving, Watch};
use super::turns::{At, Step, Turns};
use crate::category::Category;
use crate::recording::{Event, Phase};

/// How many categories there are.
const CATEGORIES: usize = Category::ALL.len();

/// The highest and the last live bytes of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseBytes {
    /// The phase, the training step (0 while loading), the micro-batch.
    pub phase: (Phase, u8, u8),
    /// Highest live bytes within the phase.
    pub peak: u64,
    /// Live bytes when it ends.
    pub end: u64,
}

/// The allocation that made the highest live bytes of the training steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Highest {
    /// Its number among what is recorded.
    pub alloc: u32,
    /// What it is.
    pub category: Category,
    /// The number of the phase.
    pub phase: usize,
    /// The layer whose turn it was.
    pub layer: Option<u32>,
    /// Live bytes by category, in the order of [`Category::ALL`].
    pub live: [u64; CATEGORIES],
}

/// What serving a whole list came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// `max_memory_allocated` over the training steps.
    pub peak_allocated: u64,
    /// `max_memory_reserved` over the training steps.
    pub peak_reserved: u64,
    /// Highest allocated bytes of all, loading included.
    pub highest_allocated: u64,
    /// Highest reserved bytes of all, loading included.
    pub highest_reserved: u64,
    /// The moment of the peak, and what was alive.
    pub highest: Option<Highest>,
    /// Every phase.
    pub phases: Vec<PhaseBytes>,
    /// When the reserved bytes grew beyond all before: the step, and what they grew to.
    pub(crate) growth: Vec<(At, u64)>,
}

/// Takes down what a whole list comes to.
struct Account {
    live: [u64; CATEGORIES],
    /// Highest live bytes of the training steps.
    highest: u64,
    /// The recorded allocation that made them, what it is, and the layer whose turn it was.
    peak: (u32, Category, Option<u32>),
    /// The phase, counted from 1.
    peak_phase: usize,
    live_at_peak: [u64; CATEGORIES],
    /// Has nothing been dropped since the peak?
    at_peak: bool,
    training: bool,
    phases: Vec<PhaseBytes>,
    /// Highest live bytes of the phase.
    phase_peak: u64,
    reserved: u64,
    growth: Vec<(At, u64)>,
}

impl Account {
    /// What is alive at the peak, before anything of it goes.
    #[inline(always)]
    fn settle(&mut self) {
        if self.at_peak {
            self.at_peak = false;
            self.live_at_peak = self.live;
        }
    }

    fn end_phase(&mut self, allocated: u64) {
        if let Some(phase) = self.phases.last_mut() {
            (phase.peak, phase.end) = (self.phase_peak, allocated);
        }
    }
}

impl Watch for Account {
    #[inline(always)]
    fn taken(&mut self, step: &Step, layer: Option<u32>, block: u32, memory: &impl Memory, at: At) {
        self.live[step.category as usize] += memory.size_of(block);
        let allocated = memory.allocated();
        self.phase_peak = self.phase_peak.max(allocated);
        if self.training && allocated > self.highest {
            self.highest = allocated;
            self.at_peak = true;
            self.peak = (step.alloc, step.category, layer);
            self.peak_phase = self.phases.len();
        }
        if memory.reserved() > self.reserved {
            self.reserved = memory.reserved();
            self.growth.push((at, self.reserved));
        }
    }

    #[inline(always)]
    fn dropped(&mut self, step: &Step, block: u32, memory: &impl Memory) {
        self.settle();
        self.live[step.category as usize] -= memory.size_of(block);
    }

    fn marked(&mut self, event: Event, memory: &impl Memory) {
        if let Event::Phase(phase, step, micro) = event {
            let allocated = memory.allocated();
            self.end_phase(allocated);
            self.training = phase != Phase::Load;
            self.phase_peak = allocated;
            self.phases.push(PhaseBytes {
                phase: (phase, step, micro),
                peak: allocated,
                end: allocated,
            });
        }
    }
}

/// Serves every event of a list.
///
/// # Errors
/// When `capacity` is too small for the run.
pub fn serve(turns: &Turns, capacity: Option<u64>) -> Result<Served, OutOfMemory> {
    if turns.recording().expandable_segments {
        serve_all(Expandable::new(capacity), turns)
    } else {
        serve_all(Allocator::new(capacity), turns)
    }
}

fn serve_all<M: Memory>(memory: M, turns: &Turns) -> Result<Served, OutOfMemory> {
    let mut serving = Serving::new(memory, turns);
    let mut account = Account {
        live: [0; CATEGORIES],
        highest: 0,
        peak: (0, Category::Other, None),
        peak_phase: 0,
        live_at_peak: [0; CATEGORIES],
        at_peak: false,
        training: false,
        phases: Vec::new(),
        phase_peak: 0,
        reserved: 0,
        growth: Vec::new(),
    };
    serving.serve_until(turns, turns.end(), &mut account)?;
    account.settle();
    account.end_phase(serving.memory.allocated());
    let (peak_allocated, peak_reserved) = serving.memory.peaks();
    let loaded = serving.loaded.unwrap_or_default();
    Ok(Served {
        peak_allocated,
        peak_reserved,
        highest_allocated: peak_allocated.max(loaded.0),
        highest_reserved: peak_reserved.max(loaded.1),
        highest: (account.highest > 0).then_some(Highest {
            alloc: account.peak.0,
            category: account.peak.1,
            layer: account.peak.2,
            phase: account.peak_phase.saturating_sub(1),
            live: account.live_at_peak,
        }),
        phases: account.phases,
        growth: account.growth,
    })
}

/// Bytes of the block that serves each allocation of a list: its request rounded up, and a remainder too small to split
/// off.
///
/// # Errors
/// When more is asked for than any device has addresses.
pub fn blocks(turns: &Turns) -> Result<Vec<u64>, OutOfMemory> {
    let mut watch = Blocks(vec![0; turns.recording().allocs.len()]);
    if turns.recording().expandable_segments {
        Serving::new(Expandable::new(None), turns).serve_until(turns, turns.end(), &mut watch)?;
    } else {
        Serving::new(Allocator::new(None), turns).serve_until(turns, turns.end(), &mut watch)?;
    }
    Ok(watch.0)
}

/// The blocks of recorded allocations.
struct Blocks(Vec<u64>);

impl Watch for Blocks {
    fn taken(&mut self, step: &Step, _: Option<u32>, block: u32, memory: &impl Memory, _: At) {
        self.0[step.alloc as usize] = memory.size_of(block);
    }
    fn dropped(&mut self, _: &Step, _: u32, _: &impl Memory) {}
    fn marked(&mut self, _: Event, _: &impl Memory) {}
}
