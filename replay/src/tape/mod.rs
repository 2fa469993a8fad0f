//! The tape: tensors that share storages, counted references, and the list of allocations and frees they cause.

mod arena;
mod inner;
mod mark;
mod memory;
mod tensor;

use super::dtype::Dtype;
use super::layout::Layout;
use super::recording::{Event, Phase, Place, Recording};
use super::segment::{Fold, Order};
use crate::allocator::expand::{Entered, expanded};
use crate::allocator::turns::Turns;
use crate::category::Category;
use crate::ops::attention::Device;
use arena::Arena;
use std::cell::RefCell;

pub(super) use inner::{Inner, NONE, Sink};
pub use mark::Mark;
pub use tensor::Tensor;

/// Layers that are recorded once and happen several times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Number of the group; 0: no layer.
    pub id: u32,
    /// How many layers it stands for.
    pub times: u32,
}

/// Records what a program of tensor operations allocates and frees.
#[derive(Debug)]
pub struct Tape {
    pub(super) inner: RefCell<Inner>,
}

impl Tape {
    /// An empty tape that lists every event. `workspace_bytes` is what the matrix library takes per thread of this card.
    pub fn new(device: Device, workspace_bytes: u64) -> Self {
        Tape::with_sink(
            device,
            workspace_bytes,
            Sink::List {
                events: Vec::new(),
                allocs: Vec::new(),
                entered: Vec::new(),
                order: Order::new(),
            },
        )
    }

    /// An empty tape that keeps the peak alone.
    pub fn folding(device: Device, workspace_bytes: u64) -> Self {
        Tape::with_sink(device, workspace_bytes, Sink::Fold(Fold::default()))
    }

    fn with_sink(device: Device, workspace_bytes: u64, sink: Sink) -> Self {
        let arena = Arena::take();
        let inner = Inner {
            sink,
            storages: arena.storages,
            records: arena.records,
            nodes: arena.nodes,
            frames: Vec::new(),
            repeats: Vec::new(),
            place: Place::default(),
            grad_enabled: true,
            packing: NONE,
            recomputing: NONE,
            dropping: None,
            stopped: false,
            autocast: None,
            casts: Vec::new(),
            logits: (u64::MAX, u64::MAX),
            group: Group::default(),
            running: None,
            workspaces: [false; 2],
            workspace_bytes,
            lt_workspaces: [false; 2],
            device,
            in_recompute: false,
            kept: Vec::new(),
            held: Vec::new(),
            dictionaries: Vec::new(),
            dictionary: NONE,
            kept_dictionaries: Vec::new(),
            entry: NONE,
            differ: false,
            margin: 0,
            outlive: Vec::new(),
            fused: Vec::new(),
            compiled: Vec::new(),
            tuner: 0,
            copies: None,
            closed: false,
            script: None,
        };
        Tape {
            inner: RefCell::new(inner),
        }
    }

    /// Names the order in which groups of layers happen, which are recorded once each. The backward passes of the first
    /// `bounded` layers may take less than what is recorded for them.
    pub fn layers_are(&self, order: Order, bounded: u32) {
        match &mut self.inner.borrow_mut().sink {
            Sink::Fold(fold) => (fold.order, fold.bounded) = (order, bounded),
            Sink::List { order: known, .. } => *known = order,
        }
    }

    /// Is every event listed?
    pub fn lists_events(&self) -> bool {
        matches!(self.inner.borrow().sink, Sink::List { .. })
    }

    /// Names the size of the logits, so that tensors of that size are known as such: tokens and vocabulary.
    pub fn logits_are(&self, tokens: u64, vocabulary: u64) {
        self.inner.borrow_mut().logits = (tokens.saturating_mul(vocabulary), vocabulary);
    }

    /// A phase begins.
    pub fn phase(&self, phase: Phase, step: u8, micro: u8) {
        self.inner.borrow_mut().mark(Event::Phase(phase, step, micro));
    }

    /// `torch.cuda.empty_cache()`.
    pub fn empty_cache(&self) {
        self.inner.borrow_mut().mark(Event::EmptyCache);
    }

    /// A tensor that is not the result of an operation: a weight, a state, a batch.
    pub fn tensor(&self, shape: &[u64], dtype: Dtype, category: Category, op: &'static str) -> Tensor<'_> {
        let mut inner = self.inner.borrow_mut();
        let id = inner.alloc(Layout::contiguous(shape), dtype, op);
        inner.set_category(id, category);
        Tensor { tape: self, id }
    }

    /// A tensor of which only the size matters, dropped within its phase.
    pub fn temporary(&self, shape: &[u64], dtype: Dtype, op: &'static str) -> Tensor<'_> {
        let id = self
            .inner
            .borrow_mut()
            .alloc(Layout::contiguous(shape), dtype, op);
        Tensor { tape: self, id }
    }

    /// `torch.zeros_like(of)`.
    pub fn zeros_like<'t>(&'t self, of: &Tensor<'t>) -> Tensor<'t> {
        let (layout, dtype) = (of.layout().like(), of.dtype());
        let id = self.inner.borrow_mut().alloc(layout, dtype, "zeros_like");
        Tensor { tape: self, id }
    }

    /// Scratch of an operation: taken and given back at once.
    pub fn scratch(&self, bytes: u64, op: &'static str) {
        let mut inner = self.inner.borrow_mut();
        let s = inner.scratch(bytes, op);
        inner.free_scratch(s);
    }

    /// A first matrix product takes the workspace.
    pub fn touch_workspace(&self) {
        self.inner.borrow_mut().touch_workspace();
    }

    /// As [`Tape::touch_workspace`], of cuBLASLt.
    pub fn touch_lt_workspace(&self) {
        self.inner.borrow_mut().touch_lt_workspace();
    }

    /// Names the place of what follows; returns the place before, to be restored.
    pub fn enter(&self, place: Place) -> Place {
        std::mem::replace(&mut self.inner.borrow_mut().place, place)
    }

    /// Runs `f` inside a module of the current layer.
    pub fn within<T>(&self, module: &'static str, f: impl FnOnce() -> T) -> T {
        let before = {
            let mut inner = self.inner.borrow_mut();
            let before = inner.place;
            inner.place.module = module;
            before
        };
        let out = f();
        self.inner.borrow_mut().place = before;
        out
    }

    /// How often what is recorded now happens.
    pub fn times(&self) -> u32 {
        self.inner.borrow().group.times.max(1)
    }

    /// The group of layers that what is recorded now belongs to.
    pub fn group(&self) -> Group {
        self.inner.borrow().group
    }

    /// What follows belongs to this group of layers.
    pub fn enter_group(&self, group: Group) {
        self.inner.borrow_mut().enter_group(group);
    }

    /// Runs `f` for what belongs to no layer, though a layer is the first to need it.
    pub fn outside_layers<T>(&self, f: impl FnOnce() -> T) -> T {
        let group = self.group();
        self.enter_group(Group::default());
        let out = f();
        self.enter_group(group);
        out
    }

    /// Computes in `dtype` under autocast, until the next call; leaving autocast drops its cached casts.
    pub fn set_autocast(&self, dtype: Option<Dtype>) {
        let mut inner = self.inner.borrow_mut();
        inner.autocast = dtype;
        if dtype.is_none() {
            let group = inner.group;
            let mut casts = std::mem::take(&mut inner.casts);
            for (leaf, made_in) in casts.drain(..) {
                inner.enter_group(made_in);
                let cast = std::mem::replace(&mut inner.records[leaf as usize].cast, NONE);
                inner.release(cast);
            }
            inner.casts = casts;
            inner.enter_group(group);
        }
    }

    /// Do operations build a graph that holds what they save? Not without gradients, nor while a checkpoint packs it.
    pub fn holds_graph(&self) -> bool {
        let inner = self.inner.borrow();
        inner.grad_enabled && inner.packing == NONE
    }

    /// The dtype of autocast, when it is on.
    pub fn autocast(&self) -> Option<Dtype> {
        self.inner.borrow().autocast
    }

    /// Runs `f` below autocast: inside one of PyTorch's operations.
    pub fn without_autocast<T>(&self, f: impl FnOnce() -> T) -> T {
        let before = self.inner.borrow_mut().autocast.take();
        let out = f();
        self.inner.borrow_mut().autocast = before;
        out
    }

    /// Runs `f` without recording gradients.
    pub fn no_grad<T>(&self, f: impl FnOnce() -> T) -> T {
        let before = std::mem::replace(&mut self.inner.borrow_mut().grad_enabled, false);
        let out = f();
        self.inner.borrow_mut().grad_enabled = before;
        out
    }

    /// Runs `f` for a result that is dropped, and its graph with it, before it is used: beside the result, what that graph
    /// holds. Checkpoints have packed, and will make again, what it saves.
    pub fn unused_graph<'t, T>(&'t self, f: impl FnOnce() -> T) -> (T, Vec<Tensor<'t>>) {
        self.inner.borrow_mut().dropping = Some(Vec::new());
        let out = f();
        let saved = self.inner.borrow_mut().dropping.take().unwrap_or_default();
        let held = saved.into_iter().map(|id| Tensor { tape: self, id });
        (out, held.collect())
    }

    /// From here on nothing is recorded: handles may be dropped in any order.
    pub fn stop(&self) {
        self.inner.borrow_mut().closed = true;
    }

    /// Ends the recording. A folding tape has no events to give.
    pub fn finish(self) -> Recording {
        self.parts().0
    }

    /// Ends the recording of one layer of each kind: the turns of every layer, where they follow from what is recorded.
    pub fn finish_expanded(self, expandable_segments: bool) -> Option<Turns> {
        let (recording, entered, order) = self.parts();
        let recording = Recording {
            expandable_segments,
            ..recording
        };
        expanded(recording, &entered, &order)
    }

    fn parts(self) -> (Recording, Vec<Entered>, Order) {
        let sink = std::mem::replace(&mut self.inner.borrow_mut().sink, Sink::Fold(Fold::default()));
        match sink {
            Sink::List {
                events,
                allocs,
                entered,
                order,
            } => {
                let recording = Recording {
                    events,
                    allocs,
                    expandable_segments: false,
                };
                (recording, entered, order)
            }
            Sink::Fold(_) => Default::default(),
        }
    }

    /// The highest live bytes of the training steps so far, on a folding tape.
    pub fn peak(&self) -> u64 {
        match &self.inner.borrow().sink {
            Sink::Fold(fold) => fold.peak(),
            Sink::List { .. } => 0,
        }
    }
}
