//! Clamping, strided parts and expanded columns.

use crate::autograd::grad::Gradient;
use crate::autograd::graph::MAX_EDGES;
use crate::dtype::Dtype;
use crate::tape::{Inner, Tensor};

impl<'t> Tensor<'t> {
    /// `self[..., ::2]` or `self[..., 1::2]`.
    pub fn every_second_last(&self) -> Tensor<'t> {
        let layout = self.layout().every_second_last();
        self.viewed("SliceBackward0", Gradient::Narrow, layout)
    }

    /// `self.reshape(1, -1, 1, 1).expand(batch, -1, rows, -1)`.
    pub fn as_columns(&self, batch: u64, rows: u64) -> Tensor<'t> {
        let column = self.reshape(&[1, self.layout().numel(), 1, 1]);
        let layout = column.layout().expanded(0, batch, false).expanded(2, rows, false);
        column.viewed("ExpandBackward0", Gradient::Expand, layout)
    }

    /// `self.clamp(...)` with one bound or two.
    pub fn clamp(&self, bounds: u8) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let node = inner.node_over(Gradient::Clamp { bounds }, "ClampBackward1", &[self.id]);
        if let Some(node) = node {
            inner.save(node, 0, self.id);
        }
        let record = &inner.records[self.id as usize];
        let (layout, dtype) = (record.layout.like(), record.dtype);
        let out = inner.alloc(layout, dtype, "clamp");
        inner.made_by(out, node);
        self.beside(out)
    }

    /// `self.add_(other)`.
    pub fn add_in_place(&self, other: &Tensor<'t>) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let ids = [self.id, other.id];
        let node = inner.node_over(Gradient::Pass, "AddBackward0", &ids);
        let layout = inner.records[self.id as usize].layout;
        let out = inner.alias(self.id, layout, false);
        inner.made_by(out, node);
        self.beside(out)
    }
}

impl Inner {
    /// `clamp_backward`: the gradient where no bound holds, by a mask a bound.
    pub(crate) fn clamp_gradient(&mut self, g: u32, bounds: u8, out: &mut [u32; MAX_EDGES]) {
        const OP: &str = "clamp_backward";
        let (layout, dtype) = (self.records[g as usize].layout, self.records[g as usize].dtype);
        let zero = self.scratch(dtype.size(), OP);
        let masks = [(); 2].map(|()| layout.numel() * Dtype::Bool.size());
        let first = self.scratch(masks[0], OP);
        let second = if bounds > 1 {
            Some(self.scratch(masks[1], OP))
        } else {
            None
        };
        out[0] = self.alloc(layout.like(), dtype, OP);
        for scratch in second.into_iter().chain([first, zero]) {
            self.free_scratch(scratch);
        }
    }
}
