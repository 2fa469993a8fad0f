//! Sums over one dimension, and dividing by them in place.

use crate::autograd::grad::Gradient;
use crate::autograd::graph::MAX_EDGES;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::{Inner, Tensor};

impl<'t> Tensor<'t> {
    /// `self.sum(dim, keepdim=keep)`. Autocast sums in fp32.
    pub fn sum(&self, dim: usize, keep: bool) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let record = &inner.records[self.id as usize];
        let dtype = match (inner.autocast, record.dtype) {
            (Some(_), Dtype::Bf16 | Dtype::F16) => Dtype::F32,
            (_, dtype) => dtype,
        };
        let full = record.layout;
        let mut shape = full.shape().to_vec();
        if keep {
            shape[dim] = 1;
        } else {
            shape.remove(dim);
        }
        let node = inner.node_over(Gradient::Sum { dim, keep }, "SumBackward1", &[self.id]);
        let out = inner.alloc(Layout::contiguous(&shape), dtype, "sum");
        inner.made_by(out, node);
        self.beside(out)
    }

    /// `self / other`.
    pub fn divide(&self, other: &Tensor<'t>) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let ids = [self.id, other.id];
        let node = inner.node_over(Gradient::Divide, "DivBackward0", &ids);
        if let Some(node) = node {
            if inner.needs_grad(other.id) {
                inner.save(node, 0, self.id);
            }
            inner.save(node, 1, other.id);
        }
        let [dividend, divisor] = ids.map(|id| &inner.records[id as usize]);
        let (layout, dtype) = (dividend.layout.like(), dividend.dtype.promote(divisor.dtype));
        let out = inner.alloc(layout, dtype, "div");
        inner.made_by(out, node);
        self.beside(out)
    }

    /// `self /= other`: the dividend is kept by a copy when the divisor needs a gradient.
    pub fn divide_in_place(&self, other: &Tensor<'t>) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let ids = [self.id, other.id];
        let layout = inner.records[self.id as usize].layout;
        let node = inner.node_over(Gradient::Divide, "DivBackward0", &ids);
        if let Some(node) = node {
            if inner.needs_grad(self.id) {
                inner.save(node, 1, other.id);
            }
            if inner.needs_grad(other.id) {
                let dtype = inner.records[self.id as usize].dtype;
                let original = inner.alloc(layout, dtype, "div_");
                inner.save(node, 0, original);
                inner.release(original);
            }
        }
        let out = inner.alias(self.id, layout, false);
        inner.made_by(out, node);
        self.beside(out)
    }
}

impl Inner {
    /// `div_tensor_other_backward`, then `div_tensor_self_backward`.
    pub(crate) fn divide_gradients(&mut self, node: u32, g: u32, out: &mut [u32; MAX_EDGES]) {
        let inputs = self.nodes[node as usize].inputs;
        let (layout, dtype) = (self.records[g as usize].layout, self.records[g as usize].dtype);
        let like = layout.dense();
        let divided = inputs
            .iter()
            .filter_map(|&i| self.input(i))
            .fold(dtype, |all, input| all.promote(input.dtype));
        if self.input(inputs[1]).is_some() {
            // -grad * ((self / other) / other)
            let quotient = self.alloc(like, divided, "div");
            let twice = self.alloc(like, divided, "div");
            let negative = self.alloc(like, dtype, "neg");
            out[1] = self.alloc(like, divided, "mul");
            for temporary in [twice, quotient, negative] {
                self.release(temporary);
            }
        }
        if self.input(inputs[0]).is_some() {
            out[0] = self.alloc(like, divided, "div");
        }
    }
}
