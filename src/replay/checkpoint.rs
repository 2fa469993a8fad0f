//! Gradient checkpointing (`torch.utils.checkpoint`): a layer keeps its input and is run again in backward.

use super::autograd::Frame;
use super::grad::Gradient;
use super::tape::{Inner, NONE, Tape, Tensor};

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
            inner.frames.push(Frame {
                layer,
                input: input.id,
                others,
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
            inner.release(kept);
            for other in others {
                inner.release(other);
            }
        }
        drop(inner);
        out
    }

    /// `checkpoint(layer, use_reentrant=True)`: the layer runs without a graph, one node stands for it.
    pub fn checkpoint_reentrant<'t>(
        &'t self,
        layer: u32,
        input: &Tensor<'t>,
        others: &[&Tensor<'t>],
        run: impl FnOnce(Tensor<'t>) -> Tensor<'t>,
    ) -> Tensor<'t> {
        self.checkpoint_in(layer, input, Waits::Here, others, run)
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
        let autocast = self.autocast();
        let node = {
            let mut inner = self.inner.borrow_mut();
            inner.records_grad(&[input.id]).then(|| {
                let op = Gradient::Checkpoint { layer, autocast };
                let node = inner.node(op, "CheckpointFunctionBackward", &[input.id]);
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
    pub(super) fn back_from_host(&mut self, node: u32) -> u32 {
        let Some(input) = self.input(self.nodes[node as usize].inputs[0]) else {
            return NONE;
        };
        let copy = self.alloc(input.layout, input.dtype, "to");
        self.records[copy as usize].requires_grad = true;
        copy
    }
}
