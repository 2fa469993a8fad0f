//! The autograd graph and its engine: nodes remember what they saved, run newest first, and drop what they held.
//!
//! Rules mirrored from PyTorch (`torch/csrc/autograd/engine.cpp`, `input_buffer.cpp`, `saved_variable.cpp`,
//! `functions/accumulate_grad.h`):
//! * of the nodes that are ready, the one created last runs first, so walking the nodes backwards is the order;
//! * a node's incoming gradient is dropped when it returns, what it saved right after;
//! * gradients that meet are summed into the first one in place when nothing else refers to it and it is no view,
//!   else into a new tensor;
//! * a leaf takes over its gradient's memory when nobody else holds it;
//! * outputs are reduced to the shape, then cast to the dtype of the input they belong to.

use super::dtype::Dtype;
use super::grad::Gradient;
use super::layout::Layout;
use super::recording::Place;
use super::tape::{Group, Inner, NONE, Tape, Tensor};
use crate::estimate::Category;

/// Most inputs of an operation that take gradients.
pub(super) const MAX_EDGES: usize = 4;
/// Most tensors an operation saves.
pub(super) const MAX_SAVED: usize = 8;
/// Most outputs of an operation that bring gradients.
pub(super) const MAX_OUTPUTS: usize = 4;

#[derive(Clone, Debug)]
pub(super) struct Node {
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
pub(super) struct Frame {
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
    fn detached(&mut self, id: u32) -> u32 {
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
pub(super) const NODE_BITS: u32 = 29;
/// Stands for the nodes of a recomputation.
const NEVER_RUN: u32 = (1 << NODE_BITS) - 1;
const NODE_MASK: u32 = (1 << NODE_BITS) - 1;

/// Runs a checkpointed layer again: its number, its input, and the other tensors of the call.
pub type Rerun<'a, 't> = &'a dyn Fn(u32, Tensor<'t>, Vec<Tensor<'t>>) -> Tensor<'t>;

impl Tape {
    /// `loss.backward()`. Consumes the graph; `rerun` runs a checkpointed layer again.
    pub fn backward<'t>(&'t self, loss: &Tensor<'t>, rerun: Rerun<'_, 't>) {
        let Some((node, output)) = self.node_of(loss.id) else {
            return;
        };
        let seed = {
            let mut inner = self.inner.borrow_mut();
            let (layout, dtype) = (
                inner.records[loss.id as usize].layout,
                inner.records[loss.id as usize].dtype,
            );
            let seed = inner.alloc(layout, dtype, "backward");
            // The caller's list of gradients holds the seed until backward returns.
            inner.retain(seed);
            inner.nodes[node as usize].buffers[output] = seed;
            seed
        };
        self.run_nodes(0, rerun);
        let mut inner = self.inner.borrow_mut();
        inner.enter_group(Group::default());
        inner.release(seed);
        inner.drop_held_from(0);
        for kept in std::mem::take(&mut inner.kept)
            .into_iter()
            .flat_map(|(_, kept)| kept)
        {
            inner.release(kept);
        }
        for dictionary in std::mem::take(&mut inner.kept_dictionaries) {
            inner.leave_dictionary(dictionary);
        }
        for shared in std::mem::take(&mut inner.outlive) {
            inner.release(shared);
        }
        inner.nodes.clear();
        inner.repeats.clear();
        inner.fused.clear();
        inner.compiled.clear();
        inner.frames.clear();
    }

    fn handles<'t>(&'t self, inner: &mut Inner, ids: &[u32]) -> Vec<Tensor<'t>> {
        ids.iter()
            .map(|&id| Tensor {
                tape: self,
                id: inner.retain(id),
            })
            .collect()
    }

    fn node_of(&self, id: u32) -> Option<(u32, usize)> {
        let node = self.inner.borrow().records[id as usize].node;
        (node != NONE).then_some((node & NODE_MASK, (node >> NODE_BITS) as usize))
    }

    /// Runs the nodes from the newest down to `first`.
    fn run_nodes<'t>(&'t self, first: u32, rerun: Rerun<'_, 't>) {
        let grad_enabled = std::mem::replace(&mut self.inner.borrow_mut().grad_enabled, false);
        let mut node = self.inner.borrow().nodes.len() as u32;
        let mut repeat = None;
        while node > first {
            node -= 1;
            {
                let mut inner = self.inner.borrow_mut();
                if inner.nodes[node as usize].buffers.iter().all(|&b| b == NONE) {
                    continue;
                }
                if repeat.is_some() || !inner.repeats.is_empty() {
                    repeat = inner.follow_repeats(repeat, node);
                }
            }
            self.run_node(node, rerun);
        }
        let mut inner = self.inner.borrow_mut();
        inner.leave_repeat(repeat);
        inner.grad_enabled = grad_enabled;
    }

    fn run_node<'t>(&'t self, node: u32, rerun: Rerun<'_, 't>) {
        let mut inner = self.inner.borrow_mut();
        let n = &inner.nodes[node as usize];
        let (op, name, place, group) = (n.op, n.name, n.place, n.group);
        inner.enter_group(group);
        let outer_place = std::mem::replace(&mut inner.place, place);
        let outer_name = inner.running.replace(name);
        if let Some(frame) = inner.frame_to_recompute(node) {
            drop(inner);
            self.recompute(frame, rerun);
            inner = self.inner.borrow_mut();
        }
        if let Gradient::Checkpoint { layer, autocast } = op {
            drop(inner);
            self.backward_through_checkpoint(node, layer, autocast, rerun);
            inner = self.inner.borrow_mut();
        } else {
            inner.run(node, op);
        }
        inner.place = outer_place;
        inner.running = outer_name;
    }

    /// Runs a layer forward that a non-reentrant checkpoint left out, up to the last tensor that was packed.
    fn recompute<'t>(&'t self, frame: u32, rerun: Rerun<'_, 't>) {
        let (layer, input, others, autocast, running) = {
            let mut inner = self.inner.borrow_mut();
            let f = &mut inner.frames[frame as usize];
            f.done = true;
            f.recomputed.reserve_exact(f.packed as usize);
            let (layer, input, others, autocast) = (f.layer, f.input, f.others.clone(), f.autocast);
            // The function runs on the input as forward had it; its nodes never run, so they are not linked to it.
            let detached = {
                let (layout, requires) = (
                    inner.records[input as usize].layout,
                    inner.records[input as usize].requires_grad,
                );
                // Autocast caches the casts of an input that is a leaf, and of no other.
                let made = inner.records[input as usize].node != NONE;
                let d = inner.alias(input, layout, made);
                inner.records[d as usize].requires_grad = requires;
                d
            };
            inner.grad_enabled = true;
            inner.recomputing = frame;
            inner.in_recompute = true;
            let others = self.handles(&mut inner, &others);
            (
                layer,
                Tensor {
                    tape: self,
                    id: detached,
                },
                others,
                autocast,
                inner.running.take(),
            )
        };
        let held = self.inner.borrow().held.len();
        self.set_autocast(autocast);
        drop(rerun(layer, input, others));
        let mut inner = self.inner.borrow_mut();
        inner.stopped = false;
        drop(inner);
        self.set_autocast(None);
        self.inner.borrow_mut().drop_held_from(held);
        let mut inner = self.inner.borrow_mut();
        inner.grad_enabled = false;
        inner.recomputing = NONE;
        inner.in_recompute = false;
        inner.running = running;
    }

    /// Reentrant checkpointing: forward again with its graph, then a backward pass of its own
    /// (`torch.utils.checkpoint.CheckpointFunction.backward`).
    fn backward_through_checkpoint<'t>(
        &'t self,
        node: u32,
        layer: u32,
        autocast: Option<Dtype>,
        rerun: Rerun<'_, 't>,
    ) {
        let (detached, others, running) = {
            let mut inner = self.inner.borrow_mut();
            let others = inner.kept.iter().find(|(of, _)| *of == layer);
            let others = others.map(|(_, kept)| kept.clone()).unwrap_or_default();
            let mut others = self.handles(&mut inner, &others);
            let second = inner.saved(node, 1);
            let second = (second != NONE).then(|| Tensor {
                tape: self,
                id: inner.detached(second),
            });
            others.extend(second.as_ref().map(|second| Tensor {
                tape: self,
                id: inner.retain(second.id),
            }));
            let d = match inner.saved(node, 0) {
                NONE => inner.back_from_host(node),
                saved => {
                    // A detached leaf: autocast caches its casts.
                    inner.detached(saved)
                }
            };
            inner.grad_enabled = true;
            inner.in_recompute = true;
            let detached = (Tensor { tape: self, id: d }, second);
            (detached, others, inner.running.take())
        };
        let (detached, second) = detached;
        let (first, held) = (self.inner.borrow().nodes.len(), self.inner.borrow().held.len());
        self.set_autocast(autocast);
        let output = rerun(layer, detached.clone(), others);
        self.set_autocast(None);
        {
            let mut inner = self.inner.borrow_mut();
            inner.in_recompute = false;
            inner.grad_enabled = false;
            inner.running = running;
        }
        if let Some((last, slot)) = self.node_of(output.id) {
            let mut inner = self.inner.borrow_mut();
            let grad = inner.nodes[node as usize].buffers[0];
            inner.retain(grad);
            inner.nodes[last as usize].buffers[slot] = grad;
            drop(inner);
            self.run_nodes(first as u32, rerun);
        }
        let mut inner = self.inner.borrow_mut();
        inner.nodes.truncate(first);
        let of = inner.nodes[node as usize].inputs;
        let leaves = [Some(&detached), second.as_ref()];
        let grads = leaves.map(|leaf| {
            leaf.map_or(NONE, |leaf| {
                std::mem::replace(&mut inner.records[leaf.id as usize].grad, NONE)
            })
        });
        inner.lend_leaf(detached.id, grads[0]);
        let incoming = std::mem::replace(&mut inner.nodes[node as usize].buffers[0], NONE);
        drop(inner);
        drop(output);
        self.inner.borrow_mut().drop_held_from(held);
        drop((detached, second));
        let mut inner = self.inner.borrow_mut();
        inner.release(incoming);
        inner.release_saved(node);
        for (of, grad) in of.into_iter().zip(grads) {
            match (of, grad) {
                (_, NONE) => {}
                (NONE, grad) => inner.release(grad),
                (of, grad) => {
                    inner.set_category(grad, Category::Temporaries);
                    inner.deliver(of, grad);
                }
            }
        }
    }
}
