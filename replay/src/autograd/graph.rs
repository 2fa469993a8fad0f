//! The autograd graph: nodes remember what they saved, hand gradients on, and drop what they held.
//!
//! Rules mirrored from PyTorch (`torch/csrc/autograd/engine.cpp`, `input_buffer.cpp`, `saved_variable.cpp`,
//! `functions/accumulate_grad.h`):
//! * of the nodes that are ready, the one created last runs first, so walking the nodes backwards is the order;
//! * a node's incoming gradient is dropped when it returns, what it saved right after;
//! * gradients that meet are summed into the first one in place when nothing else refers to it and it is no view,
//!   else into a new tensor;
//! * a leaf takes over its gradient's memory when nobody else holds it;
//! * outputs are reduced to the shape, then cast to the dtype of the input they belong to.

use super::grad::Gradient;
use crate::category::Category;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::recording::Place;
use crate::tape::{Group, Inner, NONE};

/// Most inputs of an operation that take gradients.
pub(crate) const MAX_EDGES: usize = 4;
/// Most tensors an operation saves.
pub(crate) const MAX_SAVED: usize = 8;
/// Most outputs of an operation that bring gradients.
pub(crate) const MAX_OUTPUTS: usize = 4;

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub op: Gradient,
    pub name: &'static str,
    /// The tensors that take gradients; `NONE` for those that take none.
    pub inputs: [u32; MAX_EDGES],
    /// Saved tensors; with `frame`, their numbers among what the frame left out.
    pub saved: [u32; MAX_SAVED],
    /// Slots of `saved` up to the last one in use.
    pub slots: u8,
    /// The checkpoint that left out what this node would save.
    pub frame: u32,
    /// Gradients that have arrived, by output.
    pub buffers: [u32; MAX_OUTPUTS],
    pub place: Place,
    pub group: Group,
}

/// One checkpointed layer (non-reentrant): what its nodes would have saved.
#[derive(Debug)]
pub(crate) struct Frame {
    pub layer: u32,
    /// The layer's input, kept until the last node of the layer has run.
    pub input: u32,
    /// The call's other tensors, kept as long.
    pub others: Vec<u32>,
    /// The dictionary that the call has among its arguments.
    pub dictionary: u32,
    /// Tensors that the first forward packed.
    pub packed: u32,
    /// Packed references that have not been released.
    pub outstanding: u32,
    /// What running the layer again made, by number.
    pub recomputed: Vec<u32>,
    pub done: bool,
    /// Autocast as it was in forward.
    pub autocast: Option<Dtype>,
}

impl Inner {
    /// Does this call need a node? Only then are inputs saved.
    pub fn records_grad(&self, inputs: &[u32]) -> bool {
        self.grad_enabled && !self.stopped && inputs.iter().any(|&i| self.needs_grad(i))
    }

    pub fn needs_grad(&self, id: u32) -> bool {
        id != NONE && self.records[id as usize].requires_grad
    }

    /// The node of an operation over `inputs`, where one is needed.
    #[inline]
    pub fn node_over(&mut self, op: Gradient, name: &'static str, inputs: &[u32]) -> Option<u32> {
        self.records_grad(inputs).then(|| self.node(op, name, inputs))
    }

    /// Makes `out` the result of this node, where there is one.
    #[inline]
    pub fn made_by(&mut self, out: u32, node: Option<u32>) {
        if let Some(node) = node {
            self.set_node(out, node, 0);
        }
    }

    /// Begins a node for an operation over `inputs`.
    pub fn node(&mut self, op: Gradient, name: &'static str, inputs: &[u32]) -> u32 {
        if self.recomputing != NONE {
            // Nodes of a recomputation never run: what they save is all that is wanted of them.
            return NEVER_RUN;
        }
        let mut edges = [NONE; MAX_EDGES];
        for (slot, &id) in edges.iter_mut().zip(inputs) {
            if self.needs_grad(id) {
                *slot = id;
                let record = &mut self.records[id as usize];
                if record.node == NONE {
                    // A leaf lives as long as the node that will hand it its gradient.
                    record.uses += 1;
                    record.refs += 1;
                }
            }
        }
        let index = self.nodes.len() as u32;
        self.nodes.push(Node {
            op,
            name,
            inputs: edges,
            saved: [NONE; MAX_SAVED],
            slots: 0,
            frame: NONE,
            buffers: [NONE; MAX_OUTPUTS],
            place: self.place,
            group: self.group,
        });
        index
    }

    /// Saves a tensor for backward in a slot of a node.
    pub fn save(&mut self, node: u32, slot: usize, id: u32) {
        if self.stopped || id == NONE {
            return;
        }
        let unused = self.dropping.is_some();
        if unused && self.packing == NONE {
            self.retain(id);
            self.dropping.iter_mut().for_each(|held| held.push(id));
        }
        if self.recomputing != NONE {
            let made = match unused {
                true => NONE,
                false => self.retain(id),
            };
            let frame = &mut self.frames[self.recomputing as usize];
            frame.recomputed.push(made);
            // `early_stop`: the recomputation ends as soon as everything that was packed is there again.
            self.stopped = frame.recomputed.len() as u32 == frame.packed;
            return;
        }
        if unused {
            if self.packing != NONE {
                self.frames[self.packing as usize].packed += 1;
            }
            return;
        }
        let saved = if self.packing != NONE {
            let frame = &mut self.frames[self.packing as usize];
            frame.packed += 1;
            frame.outstanding += 1;
            self.nodes[node as usize].frame = self.packing;
            frame.packed - 1
        } else {
            self.retain(id)
        };
        let n = &mut self.nodes[node as usize];
        n.saved[slot] = saved;
        n.slots = n.slots.max(slot as u8 + 1);
    }

    /// Makes `id` the `output`-th result of `node`.
    pub fn set_node(&mut self, id: u32, node: u32, output: u8) {
        let record = &mut self.records[id as usize];
        record.node = node | (u32::from(output) << NODE_BITS);
        record.requires_grad = true;
    }

    /// `InputBuffer::accumulate`: the sum of two gradients that meet.
    pub fn sum_gradients(&mut self, old: u32, new: u32) -> u32 {
        if self.is_sole_owner(old) && self.records[old as usize].layout.is_dense() {
            self.release(new);
            return old;
        }
        let (a, b) = (&self.records[old as usize], &self.records[new as usize]);
        let layout = Layout::elementwise(&[&a.layout, &b.layout]);
        let dtype = a.dtype.promote(b.dtype);
        let sum = self.alloc(layout, dtype, "add");
        self.release(old);
        self.release(new);
        sum
    }

    /// `validate_outputs`: a gradient takes the shape, then the dtype of the input it belongs to.
    pub fn fit_gradient(&mut self, id: u32, of: u32) -> u32 {
        let (grad, input) = (&self.records[id as usize], &self.records[of as usize]);
        let same_shape = grad.layout.same_shape(&input.layout);
        if same_shape && grad.dtype == input.dtype {
            return id;
        }
        self.reshape_and_cast(id, of, same_shape)
    }

    #[cold]
    fn reshape_and_cast(&mut self, mut id: u32, of: u32, same_shape: bool) -> u32 {
        let (wanted, wanted_dtype) = (self.records[of as usize].layout, self.records[of as usize].dtype);
        if !same_shape {
            let (full, dtype) = (self.records[id as usize].layout, self.records[id as usize].dtype);
            let reduced = self.alloc(wanted.dense(), dtype, "sum");
            match wanted.numel() {
                1 => self.whole_sum(full.numel()),
                _ => self.reduction_scratch(full.numel(), wanted.numel(), full.last() == wanted.last()),
            }
            // `at::sum_to` drops leading dimensions by a view.
            self.records[reduced as usize].view = full.shape().len() > wanted.shape().len();
            self.release(id);
            id = reduced;
        }
        if self.records[id as usize].dtype != wanted_dtype {
            let layout = self.records[id as usize].layout;
            let cast = self.alloc(layout.like(), wanted_dtype, "to");
            self.release(id);
            id = cast;
        }
        id
    }

    /// Ends a node: makes the gradients fit its inputs, drops those that arrived and what it saved, and hands on.
    #[inline]
    pub fn hand_on(&mut self, node: u32, arrived: &[u32], made: &mut [u32]) {
        self.release_recomputed(node);
        let inputs = self.nodes[node as usize].inputs;
        for (slot, &input) in made.iter_mut().zip(&inputs) {
            if *slot != NONE && input != NONE {
                *slot = self.fit_gradient(*slot, input);
            }
        }
        for &g in arrived.iter().filter(|&&g| g != NONE) {
            self.release(g);
        }
        self.release_saved(node);
        for (&grad, &of) in made.iter().zip(&inputs) {
            match (grad, of) {
                (NONE, _) => {}
                (grad, NONE) => self.release(grad),
                (grad, of) => self.deliver(of, grad),
            }
        }
    }

    /// Hands a finished gradient to the tensor it belongs to: on to the node that made it, or to a leaf.
    pub fn deliver(&mut self, of: u32, grad: u32) {
        let source = self.records[of as usize].node;
        if source != NONE {
            let (node, output) = ((source & NODE_MASK) as usize, (source >> NODE_BITS) as usize);
            let old = self.nodes[node].buffers[output];
            self.nodes[node].buffers[output] = if old == NONE {
                grad
            } else {
                self.sum_gradients(old, grad)
            };
            return;
        }
        let old = self.records[of as usize].partial;
        let sum = if old == NONE {
            grad
        } else {
            self.sum_gradients(old, grad)
        };
        let leaf = &mut self.records[of as usize];
        leaf.partial = sum;
        leaf.uses -= 1;
        if leaf.uses == 0 {
            self.accumulate_grad(of);
        }
        self.release(of);
    }

    /// `tensor.detach()`, requiring a gradient as before: a leaf.
    pub fn detached(&mut self, id: u32) -> u32 {
        let (layout, requires_grad) = (
            self.records[id as usize].layout,
            self.records[id as usize].requires_grad,
        );
        let detached = self.alias(id, layout, false);
        self.records[detached as usize].requires_grad = requires_grad;
        detached
    }

    /// `AccumulateGrad`: the leaf takes over the gradient, or adds it to the one it has.
    fn accumulate_grad(&mut self, leaf: u32) {
        let new = std::mem::replace(&mut self.records[leaf as usize].partial, NONE);
        let old = self.records[leaf as usize].grad;
        if old != NONE {
            self.release(new);
            return;
        }
        // A leaf that is no dense tensor has a gradient in row-major order (`torch/csrc/autograd/utils/grad_layout_contract.h`).
        let shape = self.records[leaf as usize].layout;
        let shape = if shape.is_dense() { shape } else { shape.dense() };
        let record = &self.records[new as usize];
        let grad = if record.refs == 1 && record.layout == shape {
            new
        } else {
            let dtype = record.dtype;
            let clone = self.alloc(shape, dtype, "clone");
            self.release(new);
            clone
        };
        self.set_category(grad, Category::Gradients);
        self.records[leaf as usize].grad = grad;
    }

    /// Drops what a checkpoint made again for this node: an unpacked tensor lives as long as the formula.
    pub fn release_recomputed(&mut self, node: u32) {
        let n = &self.nodes[node as usize];
        let (frame, saved, slots) = (n.frame, n.saved, n.slots);
        if frame == NONE {
            return;
        }
        for &number in &saved[..usize::from(slots)] {
            if number != NONE
                && let Some(id) = self.frames[frame as usize].recomputed.get_mut(number as usize)
            {
                let id = std::mem::replace(id, NONE);
                if id != NONE {
                    self.release(id);
                }
            }
        }
    }

    /// Drops what a node saved (`release_variables`).
    pub fn release_saved(&mut self, node: u32) {
        let n = &mut self.nodes[node as usize];
        let (frame, saved, slots) = (n.frame, n.saved, usize::from(n.slots));
        n.slots = 0;
        let saved = &saved[..slots];
        if frame == NONE {
            for &id in saved {
                if id != NONE {
                    self.release(id);
                }
            }
            return;
        }
        let f = &mut self.frames[frame as usize];
        f.outstanding -= saved.iter().filter(|&&number| number != NONE).count() as u32;
        if f.outstanding == 0 {
            let input = std::mem::replace(&mut f.input, NONE);
            let others = std::mem::take(&mut f.others);
            let dictionary = std::mem::replace(&mut f.dictionary, NONE);
            if input != NONE {
                self.release(input);
            }
            for other in others {
                self.release(other);
            }
            self.leave_dictionary(dictionary);
        }
    }

    /// A saved tensor of a node, as backward reads it; a packed one must have been made again.
    pub fn saved(&self, node: u32, slot: usize) -> u32 {
        let n = &self.nodes[node as usize];
        if slot >= usize::from(n.slots) {
            return NONE;
        }
        match (n.frame, n.saved[slot]) {
            (NONE, id) | (_, id @ NONE) => id,
            (frame, number) => self.frames[frame as usize]
                .recomputed
                .get(number as usize)
                .copied()
                .unwrap_or(NONE),
        }
    }

    /// The frame that must be recomputed before this node can read what it saved.
    pub fn frame_to_recompute(&self, node: u32) -> Option<u32> {
        let frame = self.nodes[node as usize].frame;
        (frame != NONE && !self.frames[frame as usize].done).then_some(frame)
    }
}

/// A node's index and output share one word in a tensor's record.
pub(crate) const NODE_BITS: u32 = 29;
/// Stands for the nodes of a recomputation.
const NEVER_RUN: u32 = (1 << NODE_BITS) - 1;
pub(crate) const NODE_MASK: u32 = (1 << NODE_BITS) - 1;
