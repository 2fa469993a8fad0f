//! Operations of activation functions that are put together from pieces.

use super::unary::Save;
use crate::autograd::grad::Gradient;
use crate::autograd::graph::MAX_EDGES;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::{Inner, Tensor};

impl<'t> Tensor<'t> {
    /// In fp32, as autocast takes what overflows easily (`aten/src/ATen/autocast_mode.h: AT_FORALL_FP32`).
    pub fn in_fp32_of_autocast(&self) -> Tensor<'t> {
        match self.tape.autocast() {
            Some(_) => self.to(Dtype::F32),
            None => self.clone(),
        }
    }

    /// `torch.nn.functional.softplus(self)`.
    pub fn softplus(&self) -> Tensor<'t> {
        self.in_fp32_of_autocast().activation("softplus")
    }

    /// `torch.expm1(self)`.
    pub fn expm1(&self) -> Tensor<'t> {
        let x = self.in_fp32_of_autocast();
        let (dtype, layout) = x.like();
        x.unary(
            "expm1",
            "Expm1Backward0",
            Gradient::ByResult,
            Save::Output,
            dtype,
            layout,
        )
    }

    /// `torch.sqrt(self)`.
    pub fn root(&self) -> Tensor<'t> {
        let (dtype, layout) = self.like();
        self.unary(
            "sqrt",
            "SqrtBackward0",
            Gradient::ByResult,
            Save::Output,
            dtype,
            layout,
        )
    }

    /// `torch.std(self, dim=-1, keepdim=True, unbiased=False)`.
    pub fn std_last(&self) -> Tensor<'t> {
        let layout = self.layout().with_last(1);
        self.unary(
            "std",
            "StdBackward0",
            Gradient::Deviation,
            Save::Both,
            self.dtype(),
            layout,
        )
    }

    /// `self > number`.
    pub fn greater_than_number(&self) -> Tensor<'t> {
        let layout = self.like().1;
        let mut inner = self.tape.inner.borrow_mut();
        let id = inner.alloc(layout, Dtype::Bool, "gt");
        Tensor { tape: self.tape, id }
    }

    /// `torch.min(self, other)`, of an `other` that needs no gradient.
    pub fn minimum(&self, other: &Tensor<'t>) -> Tensor<'t> {
        let (dtype, layout) = self.like();
        let mut inner = self.tape.inner.borrow_mut();
        let node = inner.node_over(Gradient::Minimum, "MinimumBackward0", &[self.id]);
        if let Some(node) = node {
            inner.save(node, 1, other.id);
            inner.save(node, 0, self.id);
        }
        let out = inner.alloc(layout, dtype, "min");
        inner.made_by(out, node);
        self.beside(out)
    }

    /// `torch.where(self, one, other)`.
    pub fn choose(&self, one: &Tensor<'t>, other: &Tensor<'t>) -> Tensor<'t> {
        let dtype = one.dtype().promote(other.dtype());
        let (one, other) = (one.to(dtype), other.to(dtype));
        let mut inner = self.tape.inner.borrow_mut();
        let ids = [one.id, other.id];
        let node = inner.node_over(Gradient::Where, "WhereBackward0", &ids);
        if let Some(node) = node {
            inner.save(node, 0, self.id);
        }
        let [a, b] = ids.map(|id| inner.records[id as usize].layout);
        let out = inner.alloc(Layout::elementwise(&[&a, &b]), dtype, "where");
        inner.made_by(out, node);
        self.beside(out)
    }
}

impl Inner {
    /// `grad * (result + 1)`, `grad / (2 * result)`.
    pub(crate) fn by_result_gradient(&mut self, g: u32, out: &mut [u32; MAX_EDGES]) {
        let (layout, dtype) = (
            self.records[g as usize].layout.like(),
            self.records[g as usize].dtype,
        );
        let factor = self.alloc(layout, dtype, "add");
        out[0] = self.alloc(layout, dtype, "mul");
        self.release(factor);
    }

    /// `std_backward`, then `var_backward`: `2 / n * (grad / (result * 2)).masked_fill_(result == 0, 0) * (self - mean)`.
    pub(crate) fn deviation_gradient(&mut self, node: u32, g: u32, out: &mut [u32; MAX_EDGES]) {
        let (layout, dtype) = (
            self.records[g as usize].layout.like(),
            self.records[g as usize].dtype,
        );
        let Some(input) = self.input(self.nodes[node as usize].inputs[0]) else {
            return;
        };
        let small = |inner: &mut Self, dtype, op| inner.alloc(layout, dtype, op);
        let doubled = small(self, dtype, "mul");
        let of_variance = small(self, dtype, "div");
        let none = small(self, Dtype::Bool, "eq");
        self.release(none);
        self.release(doubled);
        let mean = small(self, dtype, "mean");
        let distance = self.alloc(input.layout.dense(), dtype, "sub");
        let scaled = small(self, dtype, "mul");
        out[0] = self.alloc(input.layout.dense(), dtype, "mul");
        for temporary in [scaled, distance, mean, of_variance] {
            self.release(temporary);
        }
    }

    /// `where(self == other, grad / 2, grad).masked_fill_(self > other, 0)`.
    pub(crate) fn minimum_gradient(&mut self, g: u32, out: &mut [u32; MAX_EDGES]) {
        let (layout, dtype) = (
            self.records[g as usize].layout.like(),
            self.records[g as usize].dtype,
        );
        let half = self.alloc(layout, dtype, "div");
        let equal = self.alloc(layout, Dtype::Bool, "eq");
        out[0] = self.alloc(layout, dtype, "where");
        let above = self.alloc(layout, Dtype::Bool, "gt");
        for temporary in [above, equal, half] {
            self.release(temporary);
        }
    }

    /// `where(condition, grad, 0)` and `where(condition, 0, grad)`; the zero is a tensor.
    pub(crate) fn where_gradients(&mut self, node: u32, g: u32, out: &mut [u32; MAX_EDGES]) {
        let (layout, dtype) = (
            self.records[g as usize].layout.like(),
            self.records[g as usize].dtype,
        );
        for (slot, input) in out.iter_mut().zip(self.nodes[node as usize].inputs) {
            if self.input(input).is_some() {
                let zero = self.alloc(Layout::contiguous(&[]), dtype, "scalar_tensor");
                *slot = self.alloc(layout, dtype, "where");
                self.release(zero);
            }
        }
    }
}
