//! A recording: what happened to memory, in order, and what each allocation is.

use super::life::{category, lives};
use crate::category::Category;

/// The phases of a run, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Weights reach the GPU.
    Load,
    /// The batch reaches the GPU.
    Data,
    /// Forward and loss.
    Forward,
    /// Backward.
    Backward,
    /// Gradient clipping.
    Clip,
    /// The optimizer's update.
    Optimizer,
    /// Gradients are dropped.
    ZeroGrad,
}

impl Phase {
    /// The name in results.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Load => "load",
            Phase::Data => "data",
            Phase::Forward => "forward",
            Phase::Backward => "backward",
            Phase::Clip => "clip",
            Phase::Optimizer => "optimizer",
            Phase::ZeroGrad => "zero_grad",
        }
    }
}

/// One thing that happens to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The allocation of this index begins to live.
    Alloc(u32),
    /// The allocation of this index is dropped.
    Free(u32),
    /// A phase begins: the phase, the training step (0 while loading), the micro-batch.
    Phase(Phase, u8, u8),
    /// `torch.cuda.empty_cache()`.
    EmptyCache,
}

/// Where in the model something is allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Place {
    /// Decoder layer, counted from 0; `None` outside the layers.
    pub layer: Option<u32>,
    /// The module within the layer or the model, such as `self_attn.q_proj`.
    pub module: &'static str,
}

/// One allocation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alloc {
    /// Bytes asked for.
    pub bytes: u64,
    /// What it is, where that is known at birth; the rest follows from its lifetime.
    pub category: Option<Category>,
    /// The operation that asked for it.
    pub op: &'static str,
    /// Where.
    pub place: Place,
    /// Made while a checkpointed layer is run again?
    pub recompute: bool,
}

/// A finished recording.
#[derive(Debug, Default, Clone)]
pub struct Recording {
    /// What happened, in order.
    pub events: Vec<Event>,
    /// The allocations that events name by index.
    pub allocs: Vec<Alloc>,
    /// `PYTORCH_ALLOC_CONF=expandable_segments:True`.
    pub expandable_segments: bool,
}

impl Recording {
    /// What each allocation is.
    pub fn categories(&self) -> Vec<Category> {
        let phase = |event: &Event| match *event {
            Event::Phase(phase, ..) => Some(phase),
            _ => None,
        };
        let phases: Vec<Phase> = self.events.iter().filter_map(phase).collect();
        let of = |(alloc, life)| category(alloc, life, &phases);
        self.allocs.iter().zip(lives(self)).map(of).collect()
    }

    /// Do both ask for the same memory at the same time, whatever for?
    pub fn asks_for_the_same_as(&self, other: &Recording) -> bool {
        let alike = |(one, other): (&Alloc, &Alloc)| one.bytes == other.bytes;
        self.expandable_segments == other.expandable_segments
            && self.events == other.events
            && self.allocs.len() == other.allocs.len()
            && self.allocs.iter().zip(&other.allocs).all(alike)
    }
}
