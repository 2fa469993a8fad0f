//! What a layer does several times alike, such as one chunk after another: folded once, there and back.

use crate::script::Step;
use crate::tape::{Inner, Sink, Tape};

/// Nodes that are recorded once and run several times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repeat {
    /// The first of them.
    first: u32,
    /// The one after the last.
    end: u32,
    times: u32,
}

impl Tape {
    /// Runs `f` this many times. A folding tape runs it once, in the place of all: each run must take and give back what the
    /// others do, in its backward pass as well, though it may drop what the run before has left.
    pub fn repeat(&self, times: u32, mut f: impl FnMut()) {
        if times < 2 || self.lists_events() {
            for _ in 0..times {
                f();
            }
            return;
        }
        let first = {
            let mut inner = self.inner.borrow_mut();
            inner.begin_repeat();
            inner.nodes.len() as u32
        };
        f();
        let mut inner = self.inner.borrow_mut();
        inner.end_repeat(times);
        let end = inner.nodes.len() as u32;
        if end > first {
            inner.repeats.push(Repeat { first, end, times });
        }
    }
}

impl Inner {
    /// Before a node runs backward: leaves what repeats when it is done, enters what comes next. Returns where it is.
    pub(crate) fn follow_repeats(&mut self, mut at: Option<Repeat>, node: u32) -> Option<Repeat> {
        if let Some(repeat) = at
            && node < repeat.first
        {
            self.end_repeat(repeat.times);
            at = None;
        }
        while at.is_none()
            && let Some(&repeat) = self.repeats.last()
            && node < repeat.end
        {
            self.repeats.pop();
            // None of its nodes ran where the node lies before it.
            if node >= repeat.first {
                let group = self.nodes[node as usize].group;
                self.enter_group(group);
                self.begin_repeat();
                at = Some(repeat);
            }
        }
        at
    }

    /// After the last node.
    pub(crate) fn leave_repeat(&mut self, at: Option<Repeat>) {
        if let Some(repeat) = at {
            self.end_repeat(repeat.times);
        }
    }

    fn begin_repeat(&mut self) {
        if let Sink::Fold(fold) = &mut self.sink {
            fold.begin_repeat();
            self.write(Step::BeginRepeat);
        }
    }

    fn end_repeat(&mut self, times: u32) {
        if let Sink::Fold(fold) = &mut self.sink {
            fold.end_repeat(times);
            self.write(Step::EndRepeat(times));
        }
    }
}
