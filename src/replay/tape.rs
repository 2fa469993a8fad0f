//! The tape: tensors that share storages, counted references, and the list of allocations and frees they cause.

use super::attention::Device;
use super::autograd::{Frame, Node};
use super::dtype::Dtype;
use super::expand::{Entered, expanded};
use super::fast_layer::CompiledLayer;
use super::fast_lora::FastLora;
use super::layout::Layout;
use super::recording::{Alloc, Event, Phase, Place, Recording};
use super::segment::{Fold, Order, rounded};
use crate::estimate::Category;
use std::cell::RefCell;

/// No index.
pub(super) const NONE: u32 = u32::MAX;

/// cuBLASLt's default workspace (`aten/src/ATen/cuda/CUDABlas.cpp: _getWorkspaceSize`).
const LT_WORKSPACE_BYTES: u64 = 1 << 20;

#[derive(Clone, Debug)]
pub(super) struct Record {
    pub refs: u32,
    /// Index of the allocation behind it; `NONE` for a ghost (see [`Inner::stopped`]) or a tensor off the GPU.
    pub storage: u32,
    /// The node that made it; `NONE` for leaves and constants.
    pub node: u32,
    /// Leaf that collects a gradient: the gradient's tensor.
    pub grad: u32,
    /// Leaf: a gradient not yet complete (its other uses have not run backward).
    pub partial: u32,
    /// Leaf: uses whose backward has not run.
    pub uses: u32,
    /// Autocast's cached cast of this leaf.
    pub cast: u32,
    pub layout: Layout,
    pub dtype: Dtype,
    pub requires_grad: bool,
    /// Made by a view operation: it holds its base, so gradients are never summed into it in place.
    pub view: bool,
}

/// Where events go.
#[derive(Debug)]
pub(super) enum Sink {
    /// Into a list.
    List {
        events: Vec<Event>,
        allocs: Vec<Alloc>,
        /// Where groups of layers are entered.
        entered: Vec<Entered>,
        /// The order of the groups.
        order: Order,
    },
    /// Into a peak.
    Fold(Fold),
}

/// Memory behind tensors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Storage {
    /// Tensors that share it.
    pub sharers: u32,
    /// Its size, rounded up to 512 bytes.
    pub bytes: u64,
}

/// All state of a recording.
#[derive(Debug)]
pub(super) struct Inner {
    pub sink: Sink,
    pub storages: Vec<Storage>,
    pub records: Vec<Record>,
    pub nodes: Vec<Node>,
    pub frames: Vec<Frame>,
    pub place: Place,
    /// Gradients are recorded (`torch.is_grad_enabled()`).
    pub grad_enabled: bool,
    /// The frame that packs what nodes save (non-reentrant checkpointing, first forward).
    pub packing: u32,
    /// The frame whose layer is run again.
    pub recomputing: u32,
    /// Recomputation has all it needs: what follows until the layer returns is not executed.
    pub stopped: bool,
    /// The dtype that autocast computes in.
    pub autocast: Option<Dtype>,
    /// Leaves whose cast autocast has cached, and the group they were cast in.
    pub casts: Vec<(u32, Group)>,
    /// Tensors of this many elements whose last dimension is the vocabulary are logits.
    pub logits: (u64, u64),
    /// Group of layers that what is recorded belongs to, and how often it repeats.
    pub group: Group,
    /// Name of the autograd node that is running.
    pub running: Option<&'static str>,
    /// Workspaces of the matrix library: forward thread, autograd thread.
    pub workspaces: [bool; 2],
    /// Bytes of one workspace.
    pub workspace_bytes: u64,
    /// Workspaces of cuBLASLt, which computes products with a bias.
    pub lt_workspaces: [bool; 2],
    /// The card.
    pub device: Device,
    /// A checkpointed layer is being run again (either kind of checkpointing).
    pub in_recompute: bool,
    /// Tensors that reentrant checkpoints hold until the graph is dropped, by layer.
    pub kept: Vec<(u32, Vec<u32>)>,
    /// Tensors that custom functions hold on their context, until the graph is dropped, and the group they are of.
    pub held: Vec<(u32, Group)>,
    /// What the layers begin with, where one of each kind stands for all.
    pub entry: u32,
    /// Have layers turned out to differ that were taken for alike?
    pub differ: bool,
    /// By how much the peak must be higher than what is only bounded.
    pub margin: u64,
    /// What all layers use, held until the backward pass is over where one layer stands for the last user as well.
    pub outlive: Vec<u32>,
    /// Calls of Unsloth's fused adapters in the graph.
    pub fused: Vec<FastLora>,
    /// Compiled layers of Unsloth in the graph.
    pub compiled: Vec<CompiledLayer>,
    /// The recording has ended.
    pub closed: bool,
}

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

/// A state of a folding tape, to go back to.
#[derive(Debug)]
pub struct Mark {
    fold: Fold,
    storages: Vec<Storage>,
    records: Vec<Record>,
    workspaces: [[bool; 2]; 2],
}

/// A tensor on the tape. Its memory is freed when the last handle, saved reference and view of it is gone.
#[derive(Debug)]
pub struct Tensor<'t> {
    pub(super) tape: &'t Tape,
    pub(super) id: u32,
}

impl Clone for Tensor<'_> {
    fn clone(&self) -> Self {
        self.tape.inner.borrow_mut().records[self.id as usize].refs += 1;
        Tensor {
            tape: self.tape,
            id: self.id,
        }
    }
}

impl Drop for Tensor<'_> {
    fn drop(&mut self) {
        self.tape.inner.borrow_mut().release(self.id);
    }
}

impl Inner {
    fn push_alloc(&mut self, bytes: u64, category: Option<Category>, op: &'static str) -> u32 {
        let index = self.storages.len() as u32;
        let block = rounded(bytes);
        self.storages.push(Storage {
            sharers: 1,
            bytes: block,
        });
        match &mut self.sink {
            Sink::Fold(fold) => fold.alloc(block),
            Sink::List { events, allocs, .. } => {
                let recompute = self.in_recompute && self.running.is_none();
                let op = self.running.unwrap_or(op);
                allocs.push(Alloc {
                    bytes,
                    category,
                    op,
                    place: self.place,
                    recompute,
                });
                events.push(Event::Alloc(index));
            }
        }
        index
    }

    fn push_free(&mut self, index: u32) {
        if self.closed {
            return;
        }
        match &mut self.sink {
            Sink::Fold(fold) => fold.free(self.storages[index as usize].bytes),
            Sink::List { events, .. } => events.push(Event::Free(index)),
        }
    }

    fn mark(&mut self, event: Event) {
        match &mut self.sink {
            Sink::Fold(fold) => fold.mark(event),
            Sink::List { events, .. } => events.push(event),
        }
    }

    /// A new tensor with memory of its own.
    pub fn alloc(&mut self, layout: Layout, dtype: Dtype, op: &'static str) -> u32 {
        let storage = if self.stopped || layout.numel() == 0 {
            NONE
        } else {
            let logits = layout.numel() == self.logits.0 && layout.last() == self.logits.1;
            self.push_alloc(
                layout.numel().saturating_mul(dtype.size()),
                logits.then_some(Category::LogitsLoss),
                op,
            )
        };
        self.record(storage, layout, dtype, false)
    }

    /// A new tensor over an existing allocation (or none).
    pub fn record(&mut self, storage: u32, layout: Layout, dtype: Dtype, view: bool) -> u32 {
        let id = self.records.len() as u32;
        self.records.push(Record {
            refs: 1,
            storage,
            node: NONE,
            grad: NONE,
            partial: NONE,
            uses: 0,
            cast: NONE,
            layout,
            dtype,
            requires_grad: false,
            view,
        });
        id
    }

    /// Another tensor over the same memory; `view` marks what autograd tracks as a view.
    pub fn alias(&mut self, of: u32, layout: Layout, view: bool) -> u32 {
        let (storage, dtype) = (self.records[of as usize].storage, self.records[of as usize].dtype);
        if storage != NONE {
            self.storages[storage as usize].sharers += 1;
        }
        self.record(storage, layout, dtype, view)
    }

    pub fn retain(&mut self, id: u32) -> u32 {
        self.records[id as usize].refs += 1;
        id
    }

    pub fn release(&mut self, id: u32) {
        let record = &mut self.records[id as usize];
        record.refs -= 1;
        if record.refs > 0 {
            return;
        }
        let (storage, grad) = (record.storage, std::mem::replace(&mut record.grad, NONE));
        if storage != NONE {
            let memory = &mut self.storages[storage as usize];
            memory.sharers -= 1;
            if memory.sharers == 0 {
                self.push_free(storage);
            }
        }
        if grad != NONE {
            self.release(grad);
        }
    }

    /// Does this tensor hold its memory alone?
    pub fn is_sole_owner(&self, id: u32) -> bool {
        let r = &self.records[id as usize];
        !r.view && r.refs == 1 && (r.storage == NONE || self.storages[r.storage as usize].sharers == 1)
    }

    pub fn set_category(&mut self, id: u32, category: Category) {
        let storage = self.records[id as usize].storage;
        if let (true, Sink::List { allocs, .. }) = (storage != NONE, &mut self.sink) {
            allocs[storage as usize].category = Some(category);
        }
    }

    /// Scratch that an operation takes and gives back before it returns.
    pub fn scratch(&mut self, bytes: u64, op: &'static str) -> u32 {
        if self.stopped || bytes == 0 {
            NONE
        } else {
            self.push_alloc(bytes, None, op)
        }
    }

    pub fn free_scratch(&mut self, index: u32) {
        if index != NONE {
            self.push_free(index);
        }
    }

    /// A workspace stays for good: a step that is folded finds it there.
    fn push_workspace(&mut self, bytes: u64, op: &'static str) {
        match &mut self.sink {
            Sink::Fold(fold) => fold.stand(bytes),
            Sink::List { .. } => {
                self.push_alloc(bytes, Some(Category::CublasWorkspace), op);
            }
        }
    }

    /// The matrix library's workspace is born at the first product of its thread and stays.
    pub fn touch_workspace(&mut self) {
        let thread = usize::from(self.running.is_some() || self.in_recompute);
        if !self.workspaces[thread] && !self.stopped && self.workspace_bytes > 0 {
            self.workspaces[thread] = true;
            self.push_workspace(self.workspace_bytes, "cublas_workspace");
        }
    }

    /// As `touch_workspace`, of cuBLASLt.
    pub fn touch_lt_workspace(&mut self) {
        let thread = usize::from(self.running.is_some() || self.in_recompute);
        if !self.lt_workspaces[thread] && !self.stopped {
            self.lt_workspaces[thread] = true;
            self.push_workspace(LT_WORKSPACE_BYTES, "cublaslt_workspace");
        }
    }

    /// Holds a tensor until the graph that is being built is dropped.
    pub fn keep_with_graph(&mut self, id: u32) {
        if !self.stopped {
            self.retain(id);
            self.held.push((id, self.group));
        }
    }

    /// Drops what the graph built since `first` held.
    pub fn drop_held_from(&mut self, first: usize) {
        let group = self.group;
        // What layers share goes with the first layer, which stands for itself.
        for (id, held_in) in self.held.split_off(first.min(self.held.len())).into_iter().rev() {
            self.enter_group(held_in);
            self.release(id);
        }
        self.enter_group(group);
    }

    /// Moves to another group of layers.
    pub fn enter_group(&mut self, group: Group) {
        if group.id != self.group.id {
            match &mut self.sink {
                Sink::Fold(fold) => fold.enter(group.id),
                Sink::List { events, entered, .. } => entered.push((events.len(), group.id)),
            }
            self.group = group;
        }
    }
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
        let arena = ARENA.with(|arena| arena.take());
        let inner = Inner {
            sink,
            storages: arena.storages,
            records: arena.records,
            nodes: arena.nodes,
            frames: Vec::new(),
            place: Place::default(),
            grad_enabled: true,
            packing: NONE,
            recomputing: NONE,
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
            entry: NONE,
            differ: false,
            margin: 0,
            outlive: Vec::new(),
            fused: Vec::new(),
            compiled: Vec::new(),
            closed: false,
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

    /// From here on nothing is recorded: handles may be dropped in any order.
    pub fn stop(&self) {
        self.inner.borrow_mut().closed = true;
    }

    /// Ends the recording. A folding tape has no events to give.
    pub fn finish(self) -> Recording {
        self.parts().0
    }

    /// Ends the recording of one layer of each kind: the events of every layer, where they follow from what is recorded.
    pub fn finish_expanded(self) -> Option<Recording> {
        let (recording, entered, order) = self.parts();
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

    /// Remembers where a folding tape stands, between two steps.
    pub fn mark(&self) -> Mark {
        let inner = self.inner.borrow();
        Mark {
            fold: match &inner.sink {
                Sink::Fold(fold) => fold.clone(),
                Sink::List { .. } => Fold::default(),
            },
            storages: inner.storages.clone(),
            records: inner.records.clone(),
            workspaces: [inner.workspaces, inner.lt_workspaces],
        }
    }

    /// Goes back to where it stood. Handles made since must be gone.
    pub fn rewind(&self, mark: &Mark) {
        let inner = &mut *self.inner.borrow_mut();
        if let Sink::Fold(fold) = &mut inner.sink {
            fold.clone_from(&mark.fold);
        }
        inner.storages.clone_from(&mark.storages);
        inner.records.clone_from(&mark.records);
        [inner.workspaces, inner.lt_workspaces] = mark.workspaces;
        (inner.entry, inner.differ, inner.margin) = (NONE, false, 0);
    }

    /// The highest live bytes of the training steps so far, on a folding tape.
    pub fn peak(&self) -> u64 {
        match &self.inner.borrow().sink {
            Sink::Fold(fold) => fold.peak(),
            Sink::List { .. } => 0,
        }
    }
}

/// Memory of a tape that the next one uses again.
#[derive(Default)]
struct Arena {
    storages: Vec<Storage>,
    records: Vec<Record>,
    nodes: Vec<Node>,
}

thread_local! {
    static ARENA: std::cell::Cell<Arena> = std::cell::Cell::default();
}

/// Storages that an arena keeps room for; more is given back.
const ARENA_ROOM: usize = 1 << 16;

impl Drop for Tape {
    fn drop(&mut self) {
        let inner = self.inner.get_mut();
        let mut arena = Arena {
            storages: std::mem::take(&mut inner.storages),
            records: std::mem::take(&mut inner.records),
            nodes: std::mem::take(&mut inner.nodes),
        };
        if arena.storages.capacity() <= ARENA_ROOM {
            arena.storages.clear();
            arena.records.clear();
            arena.nodes.clear();
            ARENA.with(|kept| kept.set(arena));
        }
    }
}

impl<'t> Tensor<'t> {
    /// The tape it lives on.
    pub fn tape(&self) -> &'t Tape {
        self.tape
    }

    /// Its sizes and strides.
    pub fn layout(&self) -> Layout {
        self.tape.inner.borrow().records[self.id as usize].layout
    }

    /// Its element type.
    pub fn dtype(&self) -> Dtype {
        self.tape.inner.borrow().records[self.id as usize].dtype
    }

    /// Does it need a gradient?
    pub fn requires_grad(&self) -> bool {
        self.tape.inner.borrow().records[self.id as usize].requires_grad
    }

    /// Makes a leaf collect a gradient.
    pub fn set_requires_grad(&self, on: bool) {
        self.tape.inner.borrow_mut().records[self.id as usize].requires_grad = on;
    }

    /// Has it a gradient?
    pub fn has_grad(&self) -> bool {
        self.tape.inner.borrow().records[self.id as usize].grad != NONE
    }

    /// Drops its gradient (`zero_grad(set_to_none=True)`).
    pub fn drop_grad(&self) {
        let mut inner = self.tape.inner.borrow_mut();
        let grad = std::mem::replace(&mut inner.records[self.id as usize].grad, NONE);
        if grad != NONE {
            inner.release(grad);
        }
    }

    /// Says what its memory is.
    pub fn set_category(&self, category: Category) {
        self.tape.inner.borrow_mut().set_category(self.id, category);
    }

    /// `tensor.data = tensor.data.to(dtype)`: as [`Tensor::convert_in_place`], of a tensor that others hold as well.
    pub fn convert_data(&self, dtype: Dtype, category: Category) {
        if self.dtype() == dtype {
            return;
        }
        let layout = self.layout().dense();
        let mut inner = self.tape.inner.borrow_mut();
        let id = inner.alloc(layout, dtype, "to");
        inner.set_category(id, category);
        let storage = std::mem::replace(&mut inner.records[id as usize].storage, NONE);
        let (record, old) = (self.id as usize, id as usize);
        inner.records[old].storage = std::mem::replace(&mut inner.records[record].storage, storage);
        inner.records[record].dtype = dtype;
        inner.release(id);
    }

    /// `tensor.to(dtype)` outside autograd in the sense of `param.data = param.data.to(dtype)`: the new tensor is made,
    /// then the old memory is dropped, the handle stays.
    pub fn convert_in_place(&mut self, dtype: Dtype, category: Category) {
        if self.dtype() == dtype {
            return;
        }
        let (layout, requires_grad) = (self.layout(), self.requires_grad());
        let mut inner = self.tape.inner.borrow_mut();
        let id = inner.alloc(Layout::contiguous(layout.shape()), dtype, "to");
        inner.set_category(id, category);
        inner.records[id as usize].requires_grad = requires_grad;
        inner.release(self.id);
        self.id = id;
    }
}
