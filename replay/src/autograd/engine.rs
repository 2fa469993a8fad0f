//! The autograd engine: nodes run newest first, and checkpointed layers are run again when their turn comes.

use super::grad::Gradient;
use super::graph::{NODE_BITS, NODE_MASK};
use crate::category::Category;
use crate::dtype::Dtype;
use crate::tape::{Group, Inner, NONE, Tape, Tensor};

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
