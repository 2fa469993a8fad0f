//! Serving a list of events step by step.

use super::caching::OutOfMemory;
use super::limit::Limit;
use super::turns::{At, Step, Turns, What};
use crate::recording::{Event, Phase};

const NONE: u32 = u32::MAX;

/// A caching allocator.
pub(crate) trait Memory: Clone {
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
    /// Bytes in used blocks.
    fn allocated(&self) -> u64;
    /// Bytes held from the device.
    fn reserved(&self) -> u64;
    /// Highest allocated and reserved bytes since they were last reset.
    fn peaks(&self) -> (u64, u64);
    /// `torch.cuda.reset_peak_memory_stats()`.
    fn reset_peaks(&mut self);
}

/// Whoever looks on while a list is served.
pub(crate) trait Watch {
    /// A step was served by this block.
    fn taken(&mut self, step: &Step, layer: Option<u32>, block: u32, memory: &impl Memory, at: At);
    /// This block is about to be given back.
    fn dropped(&mut self, step: &Step, block: u32, memory: &impl Memory);
    /// Any other event.
    fn marked(&mut self, event: Event, memory: &impl Memory);
}

/// Nobody looks on.
pub(crate) struct Nobody;

impl Watch for Nobody {
    fn taken(&mut self, _: &Step, _: Option<u32>, _: u32, _: &impl Memory, _: At) {}
    fn dropped(&mut self, _: &Step, _: u32, _: &impl Memory) {}
    fn marked(&mut self, _: Event, _: &impl Memory) {}
}

/// A list that has been served up to some step. A copy goes on from there.
#[derive(Debug)]
pub(crate) struct Serving<M> {
    pub memory: M,
    /// The block of each allocation.
    owners: Vec<u32>,
    /// The next step.
    at: At,
    /// Peaks of loading, once it is over.
    pub loaded: Option<(u64, u64)>,
}

impl<M: Memory> Clone for Serving<M> {
    fn clone(&self) -> Self {
        Serving {
            memory: self.memory.clone(),
            owners: self.owners.clone(),
            ..*self
        }
    }

    /// As `clone`, into the memory that is there.
    fn clone_from(&mut self, other: &Self) {
        self.memory.clone_from(&other.memory);
        self.owners.clone_from(&other.owners);
        (self.at, self.loaded) = (other.at, other.loaded);
    }
}

impl<M: Memory> Serving<M> {
    pub fn new(memory: M, turns: &Turns) -> Self {
        Serving {
            memory,
            owners: vec![NONE; turns.slots],
            at: At::default(),
            loaded: None,
        }
    }

    /// Serves the steps before `end`.
    pub fn serve_until(&mut self, turns: &Turns, end: At, watch: &mut impl Watch) -> Result<(), OutOfMemory> {
        while self.at < end
            && let Some(turn) = turns.turns.get(self.at.turn as usize)
        {
            let whole = turn.end - turn.first;
            let until = if self.at.turn < end.turn {
                whole
            } else {
                end.step.min(whole)
            };
            let steps = turns
                .steps
                .get((turn.first + self.at.step) as usize..(turn.first + until) as usize);
            for step in steps.unwrap_or_default() {
                match step.what {
                    What::Take => {
                        let block = self.memory.malloc(step.bytes)?;
                        self.owners[turn.slot(step)] = block;
                        watch.taken(step, turn.layer, block, &self.memory, self.at);
                    }
                    What::Drop => {
                        let block = self.owners[turn.slot(step)];
                        watch.dropped(step, block, &self.memory);
                        self.memory.dealloc(block);
                    }
                    What::Mark => {
                        let event = turns.recording().events[step.alloc as usize];
                        self.mark(event);
                        watch.marked(event, &self.memory);
                    }
                }
                self.at.step += 1;
            }
            if until < whole {
                break;
            }
            self.at = At {
                turn: self.at.turn + 1,
                step: 0,
            };
        }
        Ok(())
    }

    fn mark(&mut self, event: Event) {
        match event {
            Event::EmptyCache => self.memory.empty_cache(),
            Event::Phase(phase, ..) if self.loaded.is_none() && phase != Phase::Load => {
                self.loaded = Some(self.memory.peaks());
                self.memory.reset_peaks();
            }
            _ => {}
        }
    }
}
