//! Copies into parts of a tensor, which autograd tracks as slices (`torch/csrc/autograd/functions/tensor.cpp:
//! CopySlices`).

use super::autograd::MAX_EDGES;
use super::grad::Gradient;
use super::layout::Layout;
use super::tape::{Inner, NONE, Tensor};

impl<'t> Tensor<'t> {
    /// `self[..., part].copy_(source)`, a part as wide as the source; the tensor after it.
    pub fn fill_last(&self, source: &Tensor<'t>) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let ids = [self.id, source.id];
        let width = inner.records[source.id as usize].layout.last();
        let node = inner
            .records_grad(&ids)
            .then(|| inner.node(Gradient::Fill { width }, "torch::autograd::CopySlices", &ids));
        let layout = inner.records[self.id as usize].layout;
        let out = inner.alias(self.id, layout, false);
        if let Some(node) = node {
            inner.set_node(out, node, 0);
        }
        Tensor {
            tape: self.tape,
            id: out,
        }
    }
}

impl Inner {
    /// The gradient is copied, its part cloned for the source, and filled with zeros for what was there before.
    pub(super) fn fill_gradients(&mut self, node: u32, g: u32, width: u64, out: &mut [u32; MAX_EDGES]) {
        const OP: &str = "CopySlices";
        let inputs = self.nodes[node as usize].inputs;
        let (layout, dtype) = (self.records[g as usize].layout, self.records[g as usize].dtype);
        let result = self.alloc(layout.dense(), dtype, OP);
        let part = Layout::elementwise(&[&layout.dense().narrowed_last(width)]);
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
