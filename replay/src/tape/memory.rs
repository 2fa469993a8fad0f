//! Memory behind tensors: taken, shared, counted, given back.

use super::Group;
use super::inner::{Inner, NONE, Record, Sink, Storage};
use crate::category::Category;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::recording::{Alloc, Event};
use crate::script::Step;
use crate::segment::rounded;

/// cuBLASLt's default workspace (`aten/src/ATen/cuda/CUDABlas.cpp: _getWorkspaceSize`).
const LT_WORKSPACE_BYTES: u64 = 1 << 20;

impl Inner {
    #[inline(always)]
    fn push_alloc(&mut self, bytes: u64, category: Option<Category>, op: &'static str) -> u32 {
        let index = self.storages.len() as u32;
        let block = rounded(bytes);
        self.storages.push(Storage {
            sharers: 1,
            bytes: block,
        });
        match &mut self.sink {
            Sink::Fold(fold) => {
                fold.alloc(block);
                self.write(Step::Alloc(bytes));
            }
            Sink::List { .. } => self.list_alloc(index, bytes, category, op),
        }
        index
    }

    #[inline(never)]
    fn list_alloc(&mut self, index: u32, bytes: u64, category: Option<Category>, op: &'static str) {
        let recompute = self.in_recompute && self.running.is_none();
        let op = self.running.unwrap_or(op);
        let place = self.place;
        if let Sink::List { events, allocs, .. } = &mut self.sink {
            allocs.push(Alloc {
                bytes,
                category,
                op,
                place,
                recompute,
            });
            events.push(Event::Alloc(index));
        }
    }

    #[inline(always)]
    fn push_free(&mut self, index: u32) {
        if self.closed {
            return;
        }
        match &mut self.sink {
            Sink::Fold(fold) => {
                fold.free(self.storages[index as usize].bytes);
                self.write(Step::Free(index));
            }
            Sink::List { events, .. } => events.push(Event::Free(index)),
        }
    }

    pub fn mark(&mut self, event: Event) {
        match &mut self.sink {
            Sink::Fold(fold) => {
                fold.mark(event);
                self.write(Step::Mark(event));
            }
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

    #[inline]
    pub fn release(&mut self, id: u32) {
        let record = &mut self.records[id as usize];
        record.refs -= 1;
        if record.refs == 0 {
            self.drop_record(id);
        }
    }

    fn drop_record(&mut self, mut id: u32) {
        loop {
            let record = &mut self.records[id as usize];
            let (storage, grad) = (record.storage, std::mem::replace(&mut record.grad, NONE));
            if storage != NONE {
                let memory = &mut self.storages[storage as usize];
                memory.sharers -= 1;
                if memory.sharers == 0 {
                    self.push_free(storage);
                }
            }
            if grad == NONE {
                return;
            }
            // Its gradient goes with it.
            let record = &mut self.records[grad as usize];
            record.refs -= 1;
            if record.refs > 0 {
                return;
            }
            id = grad;
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

    /// Takes a step down, where one writes along.
    #[inline(always)]
    pub fn write(&mut self, step: Step) {
        if let Some(script) = &mut self.script {
            script.steps.push(step);
        }
    }

    /// A size that is asked for, or a choice between kernels, moves in steps with the batch, or goes to and fro.
    pub fn moves_in_steps(&mut self) {
        if let Some(script) = &mut self.script {
            script.uneven = true;
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
            Sink::Fold(fold) => {
                fold.stand(bytes);
                self.write(Step::Stand(bytes));
            }
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
                Sink::Fold(fold) => {
                    fold.enter(group.id);
                    self.write(Step::Enter(group.id));
                }
                Sink::List { events, entered, .. } => entered.push((events.len(), group.id)),
            }
            self.group = group;
        }
    }
}
