//! Gradient checkpointing (`torch.utils.checkpoint`): a layer keeps its input and is run again in backward.

use super::grad::Gradient;
use super::graph::Frame;
use crate::tape::{Inner, NONE, Tape, Tensor};

/// Where the input of a checkpointed layer waits for its backward pass.
#[derive(Clone, Copy, Debug)]
pub enum Waits<'a, 't> {
    /// Where it is.
    Here,
    /// On the host, coming back into new memory.
    OnTheHost,
    /// On the host, coming back into this buffer.
    Staged(&'a Tensor<'t>),
}

impl Tape {
    /// `checkpoint(layer, use_reentrant=False)`: the layer's graph is built, what its nodes would save is left out.
    pub fn checkpoint<'t>(
        &'t self,
        layer: u32,
        input: &Tensor<'t>,
        others: &[&Tensor<'t>],
        run: impl FnOnce(Tensor<'t>) -> Tensor<'t>,
    ) -> Tensor<'t> {
        let frame = {
            let mut inner = self.inner.borrow_mut();
            let frame = inner.frames.len() as u32;
            inner.retain(input.id);
            let others = others.iter().map(|o| inner.retain(o.id)).collect();
            let autocast = inner.autocast;
            let dictionary = inner.dictionary;
            inner.hold_dictionary(dictionary);
            inner.frames.push(Frame {
                layer,
                input: input.id,
                others,
                dictionary,
                packed: 0,
                outstanding: 0,
                recomputed: Vec::new(),
                done: false,
                autocast,
            });
            inner.packing = frame;
            frame
        };
        let out = run(input.clone());
        let mut inner = self.inner.borrow_mut();
        inner.packing = NONE;
        let f = &mut inner.frames[frame as usize];
        if f.outstanding == 0 {
            let kept = std::mem::replace(&mut f.input, NONE);
            let others = std::mem::take(&mut f.others);
            let dictionary = std::mem::replace(&mut f.dictionary, NONE);
            inner.release(kept);
            for other in others {
                inner.release(other);
            }
            inner.leave_dictionary(dictionary);
        }
        drop(inner);
        out
    }

    /// `checkpoint(layer, use_reentrant=True)`: the layer runs without a graph, one node stands for it. `second` is another
    /// positional argument that is a tensor, and gets a gradient.
    pub fn checkpoint_reentrant<'t>(
        &'t self,
        layer: u32,
        input: &Tensor<'t>,
        second: Option<&Tensor<'t>>,
        others: &[&Tensor<'t>],
        run: impl FnOnce(Tensor<'t>) -> Tensor<'t>,
    ) -> Tensor<'t> {
        self.checkpoint_of(layer, input, second, Waits::Here, others, run)
    }

    /// As [`Tape::checkpoint_reentrant`], with the input waiting elsewhere.
    pub fn checkpoint_in<'t>(
        &'t self,
        layer: u32,
        input: &Tensor<'t>,
        waits: Waits<'_, 't>,
        others: &[&Tensor<'t>],
        run: impl FnOnce(Tensor<'t>) -> Tensor<'t>,
    ) -> Tensor<'t> {
        self.checkpoint_of(layer, input, None, waits, others, run)
    }

    fn checkpoint_of<'t>(
        &'t self,
        layer: u32,
        input: &Tensor<'t>,
        second: Option<&Tensor<'t>>,
        waits: Waits<'_, 't>,
        others: &[&Tensor<'t>],
        run: impl FnOnce(Tensor<'t>) -> Tensor<'t>,
    ) -> Tensor<'t> {
        let autocast = self.autocast();
        let node = {
            let mut inner = self.inner.borrow_mut();
            let ids = [input.id, second.map_or(NONE, |second| second.id)];
            inner.records_grad(&ids).then(|| {
                let op = Gradient::Checkpoint { layer, autocast };
                let node = inner.node(op, "CheckpointFunctionBackward", &ids);
                inner.save(node, 1, ids[1]);
                match waits {
                    Waits::Here => inner.save(node, 0, input.id),
                    Waits::OnTheHost => {}
                    Waits::Staged(buffer) => {
                        let layout = inner.records[input.id as usize].layout;
                        let staged = inner.alias(buffer.id, layout, false);
                        inner.records[staged as usize].requires_grad = true;
                        inner.save(node, 0, staged);
                        inner.release(staged);
                    }
                }
                let kept = others.iter().map(|o| inner.retain(o.id)).collect();
                inner.kept.push((layer, kept));
                let dictionary = inner.dictionary;
                inner.hold_dictionary(dictionary);
                inner.kept_dictionaries.push(dictionary);
                node
            })
        };
        let out = self.no_grad(|| run(input.clone()));
        if let Some(node) = node {
            self.inner.borrow_mut().set_node(out.id, node, 0);
        }
        out
    }
}

impl Inner {
    /// The input of a checkpointed layer, copied back from the host: `hidden_states.to("cuda").detach()`.
    pub(crate) fn back_from_host(&mut self, node: u32) -> u32 {
        let Some(input) = self.input(self.nodes[node as usize].inputs[0]) else {
            return NONE;
        };
        let copy = self.alloc(input.layout, input.dtype, "to");
        self.records[copy as usize].requires_grad = true;
        copy
    }
}
