//! Splitting a tensor into views.

use crate::autograd::grad::Gradient;
use crate::layout::Layout;
use crate::tape::{Inner, NONE, Tensor};

impl<'t> Tensor<'t> {
    /// `self.chunk(2, dim=-1)`.
    pub fn halves_last(&self) -> (Tensor<'t>, Tensor<'t>) {
        let half = self.layout().last() / 2;
        self.split_last("SplitBackward0", [half, half])
    }

    /// `torch.split(self, [first, second], dim=-1)`.
    pub fn parts_last(&self, first: u64, second: u64) -> (Tensor<'t>, Tensor<'t>) {
        self.split_last("SplitWithSizesBackward0", [first, second])
    }

    /// `torch.split(self, sizes, dim=-1)` into three.
    pub fn three_parts_last(&self, sizes: [u64; 3]) -> [Tensor<'t>; 3] {
        let last = self.layout().shape().len() - 1;
        self.split("SplitWithSizesBackward0", last, sizes)
    }

    /// `torch.split(self, sizes, dim=-1)` into four.
    pub fn four_parts_last(&self, sizes: [u64; 4]) -> [Tensor<'t>; 4] {
        let last = self.layout().shape().len() - 1;
        self.split("SplitWithSizesBackward0", last, sizes)
    }

    /// `self.chunk(3, dim)`.
    pub fn thirds(&self, dim: usize) -> [Tensor<'t>; 3] {
        let third = self.layout().shape()[dim] / 3;
        self.split("SplitBackward0", dim, [third; 3])
    }

    fn split_last(&self, name: &'static str, sizes: [u64; 2]) -> (Tensor<'t>, Tensor<'t>) {
        self.split(name, self.layout().shape().len() - 1, sizes).into()
    }

    fn split<const N: usize>(&self, name: &'static str, dim: usize, sizes: [u64; N]) -> [Tensor<'t>; N] {
        let layout = self.layout();
        let mut inner = self.tape.inner.borrow_mut();
        let node = inner.node_over(Gradient::Split, name, &[self.id]);
        let mut output = 0;
        sizes.map(|width| {
            let id = inner.alias(self.id, layout.narrowed(dim, width), true);
            if let Some(node) = node {
                inner.set_node(id, node, output);
            }
            output += 1;
            Tensor { tape: self.tape, id }
        })
    }
}

impl Inner {
    /// `torch.cat` of the gradients of the parts: with the channels last where all of them have them last
    /// (`aten/src/ATen/native/TensorShape.cpp: cat_compute_output_memory_format`).
    pub(crate) fn split_gradient(&mut self, node: u32, arrived: &[u32]) -> u32 {
        let Some(input) = self.input(self.nodes[node as usize].inputs[0]) else {
            return NONE;
        };
        let mut parts = arrived.iter().filter(|&&part| part != NONE);
        let last = parts.all(|&part| self.records[part as usize].layout.is_channels_last());
        let shape = input.layout.shape();
        let layout = match last {
            true => Layout::channels_last(shape),
            false => Layout::contiguous(shape),
        };
        self.alloc(layout, input.dtype, "cat")
    }
}
