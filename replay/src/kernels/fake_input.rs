//! Fake-quantized inputs of linear layers in quantization-aware training: rounded with a scale for every token and back,
//! so that gradients flow through.

use crate::autograd::grad::Gradient;
use crate::autograd::graph::MAX_EDGES;
use crate::dtype::Dtype;
use crate::ops::unary::Save;
use crate::tape::{Inner, Tensor};

/// How inputs are rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FakeInput {
    /// To 8-bit floats; the scales take part in the gradient.
    Float8,
    /// To 8-bit integers, with a zero point.
    Int8,
}

impl<'t> Tensor<'t> {
    /// This input, rounded and back.
    pub fn fake_input(&self, how: FakeInput) -> Tensor<'t> {
        match how {
            FakeInput::Float8 => self.fake_float8_input(),
            FakeInput::Int8 => self.fake_int8_input(),
        }
    }

    /// `torchao/quantization/qat/fake_quantizer.py: Float8FakeQuantizer.forward`.
    fn fake_float8_input(&self) -> Tensor<'t> {
        let dtype = self.dtype();
        let scale = self.largest_magnitudes().scale().to(Dtype::F32);
        let rounded = {
            let scaled = self.to(Dtype::F32).divide(&scale);
            scaled.clamp(2).to(Dtype::F8)
        };
        let product = rounded.to(Dtype::F32).mul(&scale);
        product.to(dtype)
    }

    /// `IntxFakeQuantizer._per_token_forward`: scales and zero points are chosen without a graph.
    fn fake_int8_input(&self) -> Tensor<'t> {
        let dtype = self.dtype();
        let tokens = self.layout().with_last(1);
        let of_tokens = |dtype| {
            self.tape
                .temporary(tokens.shape(), dtype, "choose_qparams_affine")
        };
        let reciprocal = of_tokens(Dtype::F32);
        let clamped = {
            let shifted = {
                let product = self.mul(&reciprocal);
                let rounded = product.rounded();
                drop(product);
                rounded.add(&of_tokens(Dtype::F32))
            };
            shifted.clamp(2)
        };
        let difference = clamped.to(dtype).sub(&of_tokens(dtype));
        difference.mul(&of_tokens(dtype))
    }

    /// `_Round.apply(self)`, whose gradient is the incoming one.
    fn rounded(&self) -> Tensor<'t> {
        let (dtype, layout) = self.like();
        self.unary(
            "round",
            "_RoundBackward",
            Gradient::Pass,
            Save::Nothing,
            dtype,
            layout,
        )
    }

    /// `self.abs().amax(dim=-1, keepdim=True)`.
    fn largest_magnitudes(&self) -> Tensor<'t> {
        let (dtype, layout) = self.like();
        let mut inner = self.tape.inner.borrow_mut();
        let node = inner.node_over(Gradient::Largest, "AmaxBackward0", &[self.id]);
        let magnitudes = inner.alloc(layout, dtype, "abs");
        if let Some(node) = node {
            inner.save(node, 0, self.id);
            inner.save(node, 1, magnitudes);
        }
        let out = inner.alloc(layout.with_last(1), dtype, "amax");
        inner.release(magnitudes);
        inner.made_by(out, node);
        self.beside(out)
    }
}

impl Inner {
    /// `scale_grad_by_count(grad, mask, dims)`, then `grad * self.sgn()`.
    pub(crate) fn largest_gradient(&mut self, node: u32, out: &mut [u32; MAX_EDGES]) {
        let Some(input) = self.input(self.nodes[node as usize].inputs[0]) else {
            return;
        };
        let layout = input.layout.dense();
        let mask = self.scratch(layout.numel() * Dtype::Bool.size(), "eq");
        let counted = self.scratch(layout.numel() * Dtype::I64.size(), "sum");
        self.free_scratch(counted);
        let picked = self.alloc(layout, input.dtype, "mul");
        self.free_scratch(mask);
        let signs = self.alloc(layout, input.dtype, "sgn");
        out[0] = self.alloc(layout, input.dtype, "mul");
        self.release(signs);
        self.release(picked);
    }
}
