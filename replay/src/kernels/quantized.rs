//! bitsandbytes' 4-bit products (`backends/cuda/ops.py: gemm_4bit`, `autograd/_functions.py: MatMul4Bit`).

use super::gemm_4bit::Product;
use crate::autograd::grad::Gradient;
use crate::dtype::Dtype;
use crate::tape::{Inner, NONE, Tensor};

/// A 4-bit linear layer as its product sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gemm4bit {
    /// Columns of the input.
    pub inputs: u64,
    /// Columns of the output.
    pub outputs: u64,
    /// Elements that share a scale.
    pub blocksize: u64,
    /// Are the scales quantized again?
    pub double_quant: bool,
    /// The dtype of the weight before (`quant_state.dtype`).
    pub dtype: Dtype,
}

impl Gemm4bit {
    /// Blocks that share a scale.
    pub fn blocks(&self) -> u64 {
        self.inputs
            .saturating_mul(self.outputs)
            .div_ceil(self.blocksize.max(1))
    }

    /// fp32 scales, one a block: what double quantization makes anew for every product.
    fn absmax_bytes(&self) -> u64 {
        self.blocks() * 4
    }
}

impl<'t> Tensor<'t> {
    /// `bnb.matmul_4bit(self, weight, bias)`: the weight is dequantized whole, then an ordinary product.
    pub fn matmul_4bit(&self, gemm: Gemm4bit, bias: bool) -> Tensor<'t> {
        const OP: &str = "gemm_4bit";
        let mut inner = self.tape.inner.borrow_mut();
        // MatMul4Bit keeps the packed weight on its context, not through save_for_backward: nothing is packed.
        let node = inner.node_over(Gradient::Gemm4bit(gemm), "MatMul4BitBackward", &[self.id]);
        let (layout, dtype) = (
            inner.records[self.id as usize].layout,
            inner.records[self.id as usize].dtype,
        );
        let product = Product {
            rows: layout.numel() / gemm.inputs.max(1),
            inputs: gemm.inputs,
            outputs: gemm.outputs,
            blocksize: gemm.blocksize,
            dtype,
        };
        if product.has_few_rows() {
            inner.moves_in_steps();
        }
        if product.is_fused(inner.device) {
            let out = inner.alloc(layout.with_last(gemm.outputs), dtype, OP);
            inner.made_by(out, node);
            return self.beside(out);
        }
        let (mut absmax, mut difference) = (NONE, NONE);
        if gemm.double_quant {
            absmax = inner.scratch(gemm.absmax_bytes(), OP);
            difference = inner.scratch(gemm.absmax_bytes(), OP);
        }
        let weight = inner.scratch(
            gemm.inputs
                .saturating_mul(gemm.outputs)
                .saturating_mul(dtype.size()),
            OP,
        );
        // F.linear: autocast casts its arguments from the last to the first.
        let computed = inner.autocast.unwrap_or(dtype);
        let (mut cast_bias, mut cast_weight, mut cast_input) = (NONE, NONE, NONE);
        if computed != dtype {
            if bias {
                cast_bias = inner.scratch(gemm.outputs.saturating_mul(computed.size()), OP);
            }
            let elements = gemm.inputs.saturating_mul(gemm.outputs);
            cast_weight = inner.scratch(elements.saturating_mul(computed.size()), OP);
            cast_input = inner.scratch(layout.numel().saturating_mul(computed.size()), OP);
        }
        let out = inner.alloc(layout.with_last(gemm.outputs), computed, OP);
        if bias {
            inner.touch_lt_workspace();
        } else {
            inner.touch_workspace();
        }
        for s in [cast_bias, cast_weight, cast_input, difference, absmax, weight] {
            inner.free_scratch(s);
        }
        inner.made_by(out, node);
        self.beside(out)
    }
}

impl Inner {
    /// `grad_A = grad_output @ dequantize_4bit(B)`.
    pub(crate) fn gemm_4bit_gradient(&mut self, g: u32, gemm: Gemm4bit) -> u32 {
        const OP: &str = "MatMul4BitBackward";
        let (layout, dtype) = (self.records[g as usize].layout, self.records[g as usize].dtype);
        let absmax = if gemm.double_quant {
            self.scratch(gemm.absmax_bytes(), OP)
        } else {
            NONE
        };
        let elements = gemm.inputs.saturating_mul(gemm.outputs);
        // In the dtype that the weight was loaded in, then in the gradient's.
        let mut weight = self.scratch(elements.saturating_mul(gemm.dtype.size()), OP);
        self.free_scratch(absmax);
        if dtype != gemm.dtype {
            let cast = self.scratch(elements.saturating_mul(dtype.size()), OP);
            self.free_scratch(weight);
            weight = cast;
        }
        // A gradient that is not contiguous is copied by matmul's reshape to two dimensions.
        let rows = layout.numel() / gemm.outputs.max(1);
        let copy = if layout.viewed(&[rows, gemm.outputs]).is_none() {
            self.scratch(layout.numel().saturating_mul(dtype.size()), OP)
        } else {
            NONE
        };
        let out = self.alloc(layout.with_last(gemm.inputs), dtype, OP);
        self.touch_workspace();
        self.free_scratch(copy);
        self.free_scratch(weight);
        out
    }
}
