//! Trying whether a list gets through with less memory.

use super::caching::Allocator;
use super::expandable::Expandable;
use super::limit::Limit;
use super::serve::Served;
use super::serving::{Memory, Nobody, Serving};
use super::turns::Turns;

/// Trials of a list with less and less device memory. Down to the event whose request does not fit any more, a run
/// is the same as without limit, so a trial begins there, not at the first event.
#[derive(Debug)]
pub struct Trials<'r> {
    turns: &'r Turns,
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

#[derive(Debug)]
enum Base {
    Plain(Runs<Allocator>),
    Expandable(Runs<Expandable>),
}

/// Runs that trials go on from, in memory that they use again.
#[derive(Debug)]
struct Runs<M> {
    /// Without limit, up to the last event before which no trial to come meets its limit.
    base: Serving<M>,
    /// Without limit, up to where the latest trial meets its limit.
    unpressed: Serving<M>,
    /// The latest trial.
    trial: Serving<M>,
}

impl<M: Memory> Runs<M> {
    fn new(memory: M, turns: &Turns) -> Self {
        let base = Serving::new(memory, turns);
        Runs {
            unpressed: base.clone(),
            trial: base.clone(),
            base,
        }
    }
}

impl<'r> Trials<'r> {
    /// Trials of this list, which was served without limit.
    pub fn new(turns: &'r Turns, served: &'r Served) -> Self {
        let base = if turns.recording().expandable_segments {
            Base::Expandable(Runs::new(Expandable::new(None), turns))
        } else {
            Base::Plain(Runs::new(Allocator::new(None), turns))
        };
        Trials {
            turns,
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
            Base::Plain(base) => tried(base, self.turns, self.served, capacity),
            Base::Expandable(base) => tried(base, self.turns, self.served, capacity),
        };
        self.outcomes.push(outcome);
        outcome.works
    }
}

fn tried<M: Memory>(runs: &mut Runs<M>, turns: &Turns, served: &Served, capacity: u64) -> Outcome {
    let Runs {
        base,
        unpressed,
        trial,
    } = runs;
    let first_above = |bytes: u64| {
        let at = served.growth.partition_point(|&(_, reserved)| reserved <= bytes);
        served.growth.get(at).map_or(turns.end(), |&(at, _)| at)
    };
    // No trial is run below what is allocated.
    let lowest = base.serve_until(turns, first_above(served.highest_allocated), &mut Nobody);
    unpressed.clone_from(base);
    let pressed = unpressed.serve_until(turns, first_above(capacity), &mut Nobody);
    trial.clone_from(unpressed);
    trial.memory.limit().set(capacity);
    let works =
        lowest.is_ok() && pressed.is_ok() && trial.serve_until(turns, turns.end(), &mut Nobody).is_ok();
    if !works {
        // Whatever is tried next has more memory.
        std::mem::swap(base, unpressed);
    }
    let &mut Limit { held, refused, .. } = trial.memory.limit();
    Outcome { held, refused, works }
}
