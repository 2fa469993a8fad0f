//! Views: the same memory under other sizes and strides, and the copies where strides allow none.

use super::unary::Save;
use crate::autograd::grad::Gradient;
use crate::layout::Layout;
use crate::tape::Tensor;

impl<'t> Tensor<'t> {
    /// `self.repeat_interleave(times, dim)`: a copy.
    pub fn repeat_interleave(&self, times: u64, dim: usize) -> Tensor<'t> {
        let one = self.unsqueeze(dim + 1);
        let layout = one.layout().expanded(dim + 1, times, false);
        let many = one.viewed("ExpandBackward0", Gradient::Expand, layout);
        let copy = many.unary(
            "repeat_interleave",
            "CloneBackward0",
            Gradient::Pass,
            Save::Nothing,
            self.dtype(),
            layout.dense(),
        );
        let mut shape = self.layout().shape().to_vec();
        shape[dim] = shape[dim].saturating_mul(times);
        copy.reshape(&shape)
    }

    /// `self.contiguous()`.
    pub fn contiguous(&self) -> Tensor<'t> {
        let layout = self.layout();
        if layout.is_contiguous() {
            return self.clone();
        }
        let dense = layout.dense();
        self.unary(
            "contiguous",
            "CloneBackward0",
            Gradient::Pass,
            Save::Nothing,
            self.dtype(),
            dense,
        )
    }

    pub(crate) fn viewed(&self, name: &'static str, gradient: Gradient, layout: Layout) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let node = inner.node_over(gradient, name, &[self.id]);
        let out = inner.alias(self.id, layout, true);
        inner.made_by(out, node);
        self.beside(out)
    }

    /// `self.reshape(shape)`: a view where the strides allow one, else a copy.
    pub fn reshape(&self, shape: &[u64]) -> Tensor<'t> {
        match self.layout().viewed(shape) {
            Some(view) => self.viewed("ViewBackward0", Gradient::View, view),
            None => {
                let copy = self.unary(
                    "reshape",
                    "CloneBackward0",
                    Gradient::Pass,
                    Save::Nothing,
                    self.dtype(),
                    self.layout().dense(),
                );
                copy.viewed("UnsafeViewBackward0", Gradient::View, Layout::contiguous(shape))
            }
        }
    }

    /// `self.transpose(a, b)`.
    pub fn transpose(&self, a: usize, b: usize) -> Tensor<'t> {
        let layout = self.layout().transposed(a, b);
        self.viewed("TransposeBackward0", Gradient::Transpose(a, b), layout)
    }

    /// A slice of the last dimension, `size` wide. The whole of it is an alias with a node of its own
    /// (`torch/csrc/autograd/python_variable_indexing.cpp: THPVariable_getitem`).
    pub fn narrow_last(&self, size: u64) -> Tensor<'t> {
        if size == self.layout().last() {
            return self.viewed("AliasBackward0", Gradient::View, self.layout());
        }
        let layout = self.layout().narrowed_last(size);
        self.viewed("SliceBackward0", Gradient::Narrow, layout)
    }

    /// The first `size` elements of a dimension: `self[..., :size, :]`. The whole of it is an alias, as in `narrow_last`.
    pub fn narrow(&self, dim: usize, size: u64) -> Tensor<'t> {
        let layout = self.layout();
        match size == layout.shape()[dim] {
            true => self.viewed("AliasBackward0", Gradient::View, layout),
            false => self.viewed("SliceBackward0", Gradient::Narrow, layout.narrowed(dim, size)),
        }
    }

    /// An element of a dimension, the others whole.
    pub fn one_of(&self, dim: usize) -> Tensor<'t> {
        let layout = self.layout().selected(dim);
        self.viewed("SelectBackward0", Gradient::Narrow, layout)
    }

    /// Keys and values of grouped heads, repeated for every query head (`repeat_kv`): expand, then reshape, which copies
    /// unless there is but one head.
    pub fn repeat_heads(&self, times: u64) -> Tensor<'t> {
        if times == 1 {
            return self.clone();
        }
        match self.layout().repeated_head(times) {
            Some(view) => self.viewed("ExpandBackward0", Gradient::Expand, view),
            None => self.copy_heads(times),
        }
    }

    /// As `repeat_interleave(times, dim=1)`: always a copy.
    pub fn copy_heads(&self, times: u64) -> Tensor<'t> {
        if times == 1 {
            return self.clone();
        }
        let layout = self.layout();
        let s = layout.shape();
        let shape = [s[0], s[1] * times, s[2], s[3]];
        self.unary(
            "reshape",
            "ExpandBackward0",
            Gradient::Expand,
            Save::Nothing,
            self.dtype(),
            Layout::contiguous(&shape),
        )
    }

    /// `self.repeat(times, 1)`.
    pub fn repeat_rows(&self, times: u64) -> Tensor<'t> {
        let layout = self.layout();
        let shape = [layout.shape()[0] * times, layout.last()];
        self.unary(
            "repeat",
            "RepeatBackward0",
            Gradient::Repeat,
            Save::Nothing,
            self.dtype(),
            Layout::contiguous(&shape),
        )
    }
}
