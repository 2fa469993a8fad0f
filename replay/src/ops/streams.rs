//! Tensors in parts along their first dimension, and sums into parts in place, which autograd tracks as slices of the
//! whole (`torch/csrc/autograd/functions/tensor.cpp: CopySlices`).

use crate::autograd::grad::Gradient;
use crate::autograd::graph::MAX_EDGES;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::{Inner, Tensor};

impl<'t> Tensor<'t> {
    /// `torch.stack(parts)`, of four parts.
    pub fn stack(parts: &[Tensor<'t>]) -> Tensor<'t> {
        let first = &parts[0];
        let mut shape = vec![parts.len() as u64];
        shape.extend(first.layout().shape());
        let mut inner = first.tape.inner.borrow_mut();
        let ids: Vec<u32> = parts.iter().map(|part| part.id).collect();
        let node = inner.node_over(Gradient::Unbind, "StackBackward0", &ids);
        // Parts of several dtypes make one of the widest.
        let dtypes = ids.iter().map(|&id| inner.records[id as usize].dtype);
        let dtype = dtypes.reduce(Dtype::promote).unwrap_or(Dtype::F32);
        let out = inner.alloc(Layout::contiguous(&shape), dtype, "stack");
        inner.made_by(out, node);
        drop(inner);
        Tensor {
            tape: first.tape,
            id: out,
        }
    }

    /// `self.mean(dim=0)`.
    pub fn mean_first(&self) -> Tensor<'t> {
        let layout = self.layout().selected(0).dense();
        let (dtype, _) = self.like();
        self.unary(
            "mean",
            "MeanBackward1",
            Gradient::Mean,
            super::unary::Save::Nothing,
            dtype,
            layout,
        )
    }

    /// `self.repeat(times, 1, 1, 1)`.
    pub fn repeat_streams(&self, times: u64) -> Tensor<'t> {
        let mut shape = vec![times];
        shape.extend(self.layout().shape());
        let (dtype, _) = self.like();
        let layout = Layout::contiguous(&shape);
        self.unary(
            "repeat",
            "RepeatBackward0",
            Gradient::Repeat,
            super::unary::Save::Nothing,
            dtype,
            layout,
        )
    }

    /// `view = self.permute(3, 0, 1, 2); view += other`: the view.
    pub fn add_streams(&self, other: &Tensor<'t>) -> Tensor<'t> {
        let sum = self.sliced(other, Gradient::AddToPart { rest: false });
        let view = sum.layout().transposed(2, 3).transposed(1, 2).transposed(0, 1);
        sum.viewed("AsStridedBackward0", Gradient::Narrow, view)
    }

    /// `self[1:] += other`: the sum, which is then copied to where it stands.
    pub fn add_to_rest(&self, other: &Tensor<'t>) -> Tensor<'t> {
        let sum = self.sliced(other, Gradient::AddToPart { rest: true });
        let rest = sum.layout().rest();
        let view = sum.viewed("AsStridedBackward0", Gradient::Narrow, rest);
        sum.sliced(&view, Gradient::CopyToRest)
    }

    fn sliced(&self, other: &Tensor<'t>, gradient: Gradient) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let ids = [self.id, other.id];
        let node = inner.node_over(gradient, "torch::autograd::CopySlices", &ids);
        let layout = inner.records[self.id as usize].layout;
        let out = inner.alias(self.id, layout, false);
        inner.made_by(out, node);
        self.beside(out)
    }
}

impl Inner {
    /// Views of the parts.
    pub(crate) fn unbind_gradient(&mut self, node: u32, g: u32, out: &mut [u32; MAX_EDGES]) {
        let layout = self.records[g as usize].layout.selected(0);
        for (slot, input) in out.iter_mut().zip(self.nodes[node as usize].inputs) {
            if self.input(input).is_some() {
                *slot = self.alias(g, layout, true);
            }
        }
    }

    /// The gradient is copied, and its part cloned for what was added; what arrived for the part is put back.
    pub(crate) fn add_to_part_gradients(
        &mut self,
        node: u32,
        g: u32,
        rest: bool,
        out: &mut [u32; MAX_EDGES],
    ) {
        const OP: &str = "CopySlices";
        let dtype = self.records[g as usize].dtype;
        let Some(base) = self.input(self.nodes[node as usize].inputs[0]) else {
            return;
        };
        let whole = base.layout.dense();
        out[0] = self.alloc(whole, dtype, OP);
        let part = match rest {
            true => whole.rest(),
            // Leaves take it over as it is: it arrives in row-major order.
            false => whole.transposed(2, 3).transposed(1, 2).transposed(0, 1).dense(),
        };
        out[1] = self.alloc(part, dtype, OP);
    }

    /// As [`add_to_part_gradients`](Self::add_to_part_gradients); what was there before gets zeros.
    pub(crate) fn copy_to_rest_gradients(&mut self, node: u32, g: u32, out: &mut [u32; MAX_EDGES]) {
        self.add_to_part_gradients(node, g, true, out);
        if let Some(part) = self.input(self.nodes[node as usize].inputs[1]) {
            let bytes = part.layout.numel().saturating_mul(part.dtype.size());
            let zeros = self.scratch(bytes, "CopyBackwards");
            self.free_scratch(zeros);
        }
    }
}
