//! Causal convolutions of one channel each (`torch.nn.functional.conv1d` with as many groups as channels), by PyTorch's
//! own kernel (`aten/src/ATen/native/cuda/DepthwiseConv2d.cu`). In fp16 cuDNN would run them
//! (`aten/src/ATen/native/Convolution.cpp: use_cudnn_depthwise`); a plan for that is refused.

use crate::autograd::grad::Gradient;
use crate::autograd::graph::MAX_EDGES;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::{Inner, NONE, Tensor};

impl<'t> Tensor<'t> {
    /// `conv1d(self, weight, padding=width - 1, groups=channels)`: of batch x channels x steps, by a weight of
    /// channels x 1 x width.
    pub fn convolve_channels(&self, weight: &Tensor<'t>) -> Tensor<'t> {
        // Autocast casts the arguments of the call from the last to the first.
        let weight = weight.in_autocast();
        let input = self.in_autocast();
        let mut inner = self.tape.inner.borrow_mut();
        let ids = [input.id, weight.id];
        let node = inner.node_over(Gradient::Convolution, "ConvolutionBackward0", &ids);
        if let Some(node) = node {
            // Whatever takes a gradient: one formula gives both.
            inner.save(node, 0, input.id);
            inner.save(node, 1, weight.id);
        }
        let (layout, dtype) = (
            inner.records[input.id as usize].layout,
            inner.records[input.id as usize].dtype,
        );
        let width = inner.records[weight.id as usize].layout.last();
        let copy = inner.contiguous_copy(layout, dtype);
        let out = inner.alloc(layout.with_last(layout.last() + width - 1), dtype, "conv1d");
        inner.free_scratch(copy);
        inner.made_by(out, node);
        self.beside(out)
    }
}

impl Inner {
    /// "avoid accidentally going through NHWC for permuted 3d input" (`_convolution`, `convolution_backward`).
    fn contiguous_copy(&mut self, layout: Layout, dtype: Dtype) -> u32 {
        match layout.is_contiguous() {
            true => NONE,
            false => self.scratch(layout.numel().saturating_mul(dtype.size()), "conv1d"),
        }
    }

    /// `conv_depthwise2d_backward_cuda`: the weight's gradient, then the input's.
    pub(crate) fn convolution_gradients(&mut self, node: u32, g: u32, out: &mut [u32; MAX_EDGES]) {
        const OP: &str = "convolution_backward";
        let inputs = self.nodes[node as usize].inputs;
        let (input, weight) = (self.saved(node, 0), self.saved(node, 1));
        let dtype = self.records[g as usize].dtype;
        let (input, weight) = (
            self.records[input as usize].layout,
            self.records[weight as usize].layout,
        );
        let copy = self.contiguous_copy(input, dtype);
        if inputs[1] != NONE {
            out[1] = self.alloc(weight.dense(), dtype, OP);
        }
        if inputs[0] != NONE {
            out[0] = self.alloc(Layout::contiguous(input.shape()), dtype, OP);
        }
        self.free_scratch(copy);
    }
}
