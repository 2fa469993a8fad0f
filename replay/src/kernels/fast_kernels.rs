//! Unsloth's norm and rotation (`unsloth/kernels/rms_layernorm.py`, `rope_embedding.py`), and the views of packed
//! attention (`unsloth/utils/attention_dispatch.py: _sdpa_packed_segments`).

use crate::autograd::grad::Gradient;
use crate::autograd::graph::MAX_EDGES;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::{Inner, NONE, Tensor};

impl<'t> Tensor<'t> {
    /// `Fast_RMS_Layernorm`: keeps its input and a reciprocal a row. With `reuse_grad` the gradient is written over the
    /// incoming one.
    pub fn fast_rms_norm(&self, weight: &Tensor<'t>, reuse_grad: bool) -> Tensor<'t> {
        const OP: &str = "fast_rms_layernorm";
        let x = self.contiguous();
        let mut inner = self.tape.inner.borrow_mut();
        let (layout, dtype) = (
            inner.records[x.id as usize].layout,
            inner.records[x.id as usize].dtype,
        );
        let node = inner.records_grad(&[x.id, weight.id]).then(|| {
            let op = Gradient::FastNorm { reuse_grad };
            inner.node(op, "Fast_RMS_LayernormBackward", &[x.id, weight.id])
        });
        let out = inner.alloc(Layout::contiguous(layout.shape()), dtype, OP);
        let rows = layout.numel() / layout.last().max(1);
        let reciprocals = inner.alloc(Layout::contiguous(&[rows]), Dtype::F32, OP);
        if let Some(node) = node {
            inner.set_node(out, node, 0);
            for (slot, id) in [x.id, weight.id, reciprocals].into_iter().enumerate() {
                inner.save(node, slot, id);
            }
        }
        inner.release(reciprocals);
        self.beside(out)
    }

    /// `Fast_RoPE_Embedding_QK`: queries and keys of batch x heads x sequence x width, rotated into new tensors of the same
    /// layout; contiguous ones where they are. `positions` live as long as the graph.
    pub fn fast_rope(&self, key: &Tensor<'t>, positions: &Tensor<'t>) -> (Tensor<'t>, Tensor<'t>) {
        let mut inner = self.tape.inner.borrow_mut();
        let ids = [self.id, key.id];
        let node = inner.node_over(Gradient::FastRope, "Fast_RoPE_Embedding_QKBackward", &ids);
        let out = ids.map(|id| {
            let (layout, dtype) = (
                inner.records[id as usize].layout,
                inner.records[id as usize].dtype,
            );
            if layout.is_contiguous() {
                inner.alias(id, layout, false)
            } else {
                inner.alloc(layout.like(), dtype, "fast_rope_embedding")
            }
        });
        if let Some(node) = node {
            for (output, id) in out.into_iter().enumerate() {
                inner.set_node(id, node, output as u8);
            }
            inner.keep_with_graph(positions.id);
        }
        drop(inner);
        let [q, k] = out.map(|id| Tensor { tape: self.tape, id });
        (q, k)
    }

    /// `Fast_QK_Norm_RoPE` (`qk_norm_rope.py`): queries and keys of batch x sequence x heads x width, normed and rotated by
    /// one kernel.
    pub fn fast_qk_norm_rope(&self, key: &Tensor<'t>, positions: &Tensor<'t>) -> (Tensor<'t>, Tensor<'t>) {
        const OP: &str = "fast_qk_norm_rope";
        let mut inner = self.tape.inner.borrow_mut();
        let ids = [self.id, key.id];
        let node = inner.node_over(Gradient::FastRope, "Fast_QK_Norm_RoPEBackward", &ids);
        let layouts = ids.map(|id| {
            (
                inner.records[id as usize].layout,
                inner.records[id as usize].dtype,
            )
        });
        let out = layouts.map(|(layout, dtype)| inner.alloc(Layout::contiguous(layout.shape()), dtype, OP));
        let reciprocals = layouts.map(|(layout, _)| {
            let rows = layout.numel() / layout.last().max(1);
            inner.alloc(Layout::contiguous(&[rows]), Dtype::F32, OP)
        });
        if let Some(node) = node {
            for (output, id) in out.into_iter().enumerate() {
                inner.set_node(id, node, output as u8);
            }
            let saved = ids.into_iter().chain(reciprocals).chain([positions.id]);
            for (slot, id) in saved.enumerate() {
                inner.save(node, slot, id);
            }
        }
        for id in reciprocals {
            inner.release(id);
        }
        drop(inner);
        let [q, k] = out.map(|id| Tensor { tape: self.tape, id });
        (q, k)
    }

    /// `x[0]` of a first dimension of one.
    pub fn select_first(&self) -> Tensor<'t> {
        self.viewed("SelectBackward0", Gradient::Place, self.layout().without_first())
    }
}

impl Inner {
    /// `Fast_RMS_Layernorm.backward`.
    pub(crate) fn fast_norm_gradients(
        &mut self,
        node: u32,
        g: u32,
        reuse_grad: bool,
        out: &mut [u32; MAX_EDGES],
    ) {
        const OP: &str = "fast_rms_layernorm";
        let (layout, dtype) = (self.records[g as usize].layout, self.records[g as usize].dtype);
        let dense = if layout.is_contiguous() {
            self.alias(g, layout, false)
        } else {
            self.alloc(Layout::contiguous(layout.shape()), dtype, OP)
        };
        out[0] = if reuse_grad {
            dense
        } else {
            let own = self.alloc(Layout::contiguous(layout.shape()), dtype, OP);
            self.release(dense);
            own
        };
        if let Some(weight) = self.input(self.nodes[node as usize].inputs[1]) {
            out[1] = self.alloc(weight.layout, weight.dtype, OP);
        }
    }

    /// `Fast_RoPE_Embedding_QK.backward`: two gradients arrive, two new contiguous ones leave.
    pub(crate) fn run_fast_rope(&mut self, node: u32) {
        let buffers = std::mem::replace(
            &mut self.nodes[node as usize].buffers,
            [NONE; crate::autograd::graph::MAX_OUTPUTS],
        );
        let mut out = [NONE; 2];
        for (slot, &g) in out.iter_mut().zip(&buffers) {
            if g != NONE {
                let (layout, dtype) = (self.records[g as usize].layout, self.records[g as usize].dtype);
                *slot = self.alloc(Layout::contiguous(layout.shape()), dtype, "fast_rope_embedding");
            }
        }
        self.hand_on(node, &buffers, &mut out);
    }
}
