//! Serving a recording by the caching allocator, and trying whether it gets through with less memory.

use super::allocator::{Allocator, OutOfMemory};
use super::expandable::Expandable;
use super::limit::Limit;
use super::recording::{Event, Phase, Recording};

const NONE: u32 = u32::MAX;

/// A caching allocator.
pub(super) trait Memory: Clone {
    /// Serves a request; returns the block.
    ///
    /// # Errors
    /// When the device has no room, even after what is cached is given back.
    fn malloc(&mut self, bytes: u64) -> Result<u32, OutOfMemory>;
    /// Gives a block back to the cache.
    fn dealloc(&mut self, block: u32);
    /// `torch.cuda.empty_cache()`.
    fn empty_cache(&mut self);
    /// Bytes of a block.
    fn size_of(&self, block: u32) -> u64;
    /// The device memory.
    fn limit(&mut self) -> &mut Limit;
    /// Bytes held from the device.
    fn reserved(&self) -> u64;
    /// Highest allocated and reserved bytes since they were last reset.
    fn peaks(&self) -> (u64, u64);
    /// `torch.cuda.reset_peak_memory_stats()`.
    fn reset_peaks(&mut self);
}

/// What serving a whole recording came to.
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
    /// Bytes of the block that served each allocation: its request rounded up, and a remainder too small to split off.
    pub blocks: Vec<u64>,
    /// When the reserved bytes grew beyond all before: the event, and what they grew to.
    growth: Vec<(usize, u64)>,
}

/// A recording that has been served up to some event. A copy goes on from there.
#[derive(Clone, Debug)]
struct Serving<M> {
    memory: M,
    /// The block of each allocation.
    owners: Vec<u32>,
    /// The next event.
    next: usize,
    /// Peaks of loading, once it is over.
    loaded: Option<(u64, u64)>,
}

impl<M: Memory> Serving<M> {
    fn new(memory: M, recording: &Recording) -> Self {
        Serving {
            memory,
            owners: vec![NONE; recording.allocs.len()],
            next: 0,
            loaded: None,
        }
    }

    /// Serves the events before `end`, and calls `seen` with every allocation: the event, its number, its block.
    fn serve_until(
        &mut self,
        recording: &Recording,
        end: usize,
        mut seen: impl FnMut(&M, usize, u32, u32),
    ) -> Result<(), OutOfMemory> {
        let events = recording.events.get(self.next..end).unwrap_or_default();
        for (event, index) in events.iter().zip(self.next..) {
            match *event {
                Event::Alloc(i) => {
                    let block = self.memory.malloc(recording.allocs[i as usize].bytes)?;
                    self.owners[i as usize] = block;
                    seen(&self.memory, index, i, block);
                }
                Event::Free(i) => self.memory.dealloc(self.owners[i as usize]),
                Event::EmptyCache => self.memory.empty_cache(),
                Event::Phase(phase, ..) if self.loaded.is_none() && phase != Phase::Load => {
                    self.loaded = Some(self.memory.peaks());
                    self.memory.reset_peaks();
                }
                Event::Phase(..) => {}
            }
        }
        self.next = self.next.max(end);
        Ok(())
    }
}

/// Serves every event of a full recording.
///
/// # Errors
/// When `capacity` is too small for the run.
pub fn serve(recording: &Recording, capacity: Option<u64>) -> Result<Served, OutOfMemory> {
    if recording.expandable_segments {
        serve_all(Expandable::new(capacity), recording)
    } else {
        serve_all(Allocator::new(capacity), recording)
    }
}

fn serve_all<M: Memory>(memory: M, recording: &Recording) -> Result<Served, OutOfMemory> {
    let mut serving = Serving::new(memory, recording);
    let mut blocks = vec![0; recording.allocs.len()];
    let (mut growth, mut highest) = (Vec::new(), 0);
    let all = recording.events.len();
    serving.serve_until(recording, all, |memory, event, i, block| {
        blocks[i as usize] = memory.size_of(block);
        if memory.reserved() > highest {
            highest = memory.reserved();
            growth.push((event, highest));
        }
    })?;
    let (peak_allocated, peak_reserved) = serving.memory.peaks();
    let loaded = serving.loaded.unwrap_or_default();
    Ok(Served {
        peak_allocated,
        peak_reserved,
        highest_allocated: peak_allocated.max(loaded.0),
        highest_reserved: peak_reserved.max(loaded.1),
        blocks,
        growth,
    })
}

/// Trials of a recording with less and less device memory. Down to the event whose request does not fit any more, a run
/// is the same as without limit, so a trial begins there, not at the first event.
#[derive(Debug)]
pub struct Trials<'r> {
    recording: &'r Recording,
    served: &'r Served,
    base: Base,
    outcomes: Vec<Outcome>,
}

/// How a trial went, and with it every trial with at least `held` and less than `refused`.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    held: u64,
    refused: u64,
    works: bool,
}

/// A run without limit, up to the last event before which no trial to come meets its limit.
#[derive(Debug)]
enum Base {
    Plain(Serving<Allocator>),
    Expandable(Serving<Expandable>),
}

impl<'r> Trials<'r> {
    /// Trials of this recording, which was served without limit.
    pub fn new(recording: &'r Recording, served: &'r Served) -> Self {
        let base = if recording.expandable_segments {
            Base::Expandable(Serving::new(Expandable::new(None), recording))
        } else {
            Base::Plain(Serving::new(Allocator::new(None), recording))
        };
        Trials {
            recording,
            served,
            base,
            outcomes: Vec::new(),
        }
    }

    /// Does the run, loading included, get through with this much device memory? Cheaper for a capacity above all that
    /// have failed.
    pub fn gets_through(&mut self, capacity: u64) -> bool {
        // Without pressure nothing changes; below what is allocated nothing helps.
        if capacity >= self.served.highest_reserved || capacity < self.served.highest_allocated {
            return capacity >= self.served.highest_reserved;
        }
        let alike = |outcome: &&Outcome| (outcome.held..outcome.refused).contains(&capacity);
        if let Some(known) = self.outcomes.iter().find(alike) {
            return known.works;
        }
        let outcome = match &mut self.base {
            Base::Plain(base) => tried(base, self.recording, self.served, capacity),
            Base::Expandable(base) => tried(base, self.recording, self.served, capacity),
        };
        self.outcomes.push(outcome);
        outcome.works
    }
}

fn tried<M: Memory>(base: &mut Serving<M>, recording: &Recording, served: &Served, capacity: u64) -> Outcome {
    let all = recording.events.len();
    let first_above = |bytes: u64| {
        let at = served.growth.partition_point(|&(_, reserved)| reserved <= bytes);
        served.growth.get(at).map_or(all, |&(event, _)| event)
    };
    // No trial is run below what is allocated.
    let lowest = base.serve_until(recording, first_above(served.highest_allocated), |_, _, _, _| ());
    let mut trial = base.clone();
    let pressed = trial.serve_until(recording, first_above(capacity), |_, _, _, _| ());
    let unpressed = trial.clone();
    trial.memory.limit().set(capacity);
    let works =
        lowest.is_ok() && pressed.is_ok() && trial.serve_until(recording, all, |_, _, _, _| ()).is_ok();
    if !works {
        // Whatever is tried next has more memory.
        *base = unpressed;
    }
    let &mut Limit { held, refused, .. } = trial.memory.limit();
    Outcome { held, refused, works }
}
