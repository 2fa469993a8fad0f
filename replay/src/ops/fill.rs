//! Copies into parts of a tensor, which autograd tracks as slices (`torch/csrc/autograd/functions/tensor.cpp:
//! CopySlices`).

use crate::autograd::grad::Gradient;
use crate::autograd::graph::MAX_EDGES;
use crate::layout::Layout;
use crate::tape::{Inner, NONE, Tensor};

/// A part of a tensor that is copied to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Filled {
    /// The first elements of the last dimension, or others, this many.
    Last { width: u64 },
    /// One element of a dimension.
    Selected { dim: usize },
}

impl Filled {
    fn of(self, layout: Layout) -> Layout {
        match self {
            Filled::Last { width } => layout.narrowed_last(width),
            Filled::Selected { dim } => layout.selected(dim),
        }
    }
}

impl<'t> Tensor<'t> {
    /// `self[..., part].copy_(source)`, a part as wide as the source; the tensor after it.
    pub fn fill_last(&self, source: &Tensor<'t>) -> Tensor<'t> {
        let width = source.layout().last();
        self.fill(source, Filled::Last { width })
    }

    /// `self[:, ..., i] = source`, an element of this dimension; the tensor after it.
    pub fn fill_selected(&self, dim: usize, source: &Tensor<'t>) -> Tensor<'t> {
        self.fill(source, Filled::Selected { dim })
    }

    fn fill(&self, source: &Tensor<'t>, part: Filled) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let ids = [self.id, source.id];
        let node = inner.node_over(Gradient::Fill(part), "torch::autograd::CopySlices", &ids);
        let layout = inner.records[self.id as usize].layout;
        let out = inner.alias(self.id, layout, false);
        inner.made_by(out, node);
        self.beside(out)
    }
}

impl Inner {
    /// The gradient is copied, its part cloned for the source, and filled with zeros for what was there before.
    pub(crate) fn fill_gradients(&mut self, node: u32, g: u32, part: Filled, out: &mut [u32; MAX_EDGES]) {
        const OP: &str = "CopySlices";
        let inputs = self.nodes[node as usize].inputs;
        let (layout, dtype) = (self.records[g as usize].layout, self.records[g as usize].dtype);
        let result = self.alloc(layout.dense(), dtype, OP);
        let part = Layout::elementwise(&[&part.of(layout.dense())]);
        let mut source = self.alloc(part, dtype, OP);
        // CopyBackwards
        let before = (inputs[0] != NONE).then(|| self.scratch(part.numel().saturating_mul(dtype.size()), OP));
        if let Some(input) = self.input(inputs[1])
            && input.dtype != dtype
        {
            let cast = self.alloc(part, input.dtype, OP);
            self.release(source);
            source = cast;
        }
        out[1] = source;
        match before {
            None => self.release(result),
            Some(zeros) => {
                self.free_scratch(zeros);
                out[0] = result;
            }
        }
    }
}
