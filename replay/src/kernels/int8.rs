//! bitsandbytes' LLM.int8 products (`autograd/_functions.py: MatMul8bitLt`, `backends/cuda/ops.py`).

use crate::autograd::grad::Gradient;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::{Inner, Tensor};

/// An 8-bit linear layer as its product sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gemm8bit {
    /// Columns of the input.
    pub inputs: u64,
    /// Columns of the output.
    pub outputs: u64,
    /// The input's dtype: backward dequantizes the weight to it.
    pub dtype: Dtype,
}

impl<'t> Tensor<'t> {
    /// `bnb.matmul(self, weight)`: the input is quantized row by row, multiplied in int8, and dequantized. Columns with
    /// outliers, which are multiplied in 16 bit beside it, depend on values and are not counted.
    pub fn matmul_8bit(&self, inputs: u64, outputs: u64) -> Tensor<'t> {
        const QUANT: &str = "int8_vectorwise_quant";
        const OP: &str = "int8_mixed_scaled_mm";
        let mut inner = self.tape.inner.borrow_mut();
        let (layout, dtype) = (
            inner.records[self.id as usize].layout,
            inner.records[self.id as usize].dtype,
        );
        let gemm = Gemm8bit {
            inputs,
            outputs,
            dtype,
        };
        let node = inner.node_over(Gradient::Gemm8bit(gemm), "MatMul8bitLtBackward", &[self.id]);
        let rows = layout.numel() / inputs.max(1);
        let elements = rows.saturating_mul(inputs);
        let half = if dtype == Dtype::F16 {
            0
        } else {
            elements.saturating_mul(2)
        };
        // A.to(torch.float16), then its row scales and int8 values
        let cast = inner.scratch(half, "to");
        let scales = inner.scratch(rows.saturating_mul(4), QUANT);
        let quantized = inner.scratch(elements, QUANT);
        // outliers = A.abs() >= threshold; which columns have any
        let magnitudes = inner.scratch(elements.saturating_mul(2), QUANT);
        let outliers = inner.scratch(elements, QUANT);
        inner.free_scratch(magnitudes);
        if !elements.is_multiple_of(8192) {
            inner.moves_in_steps();
        }
        let any = [1, elements.div_ceil(8192), 4].map(|bytes| inner.scratch(bytes, QUANT));
        any.into_iter().rev().for_each(|s| inner.free_scratch(s));
        let columns = [inputs, 4].map(|bytes| inner.scratch(bytes, QUANT));
        for bytes in [1, 1023] {
            let s = inner.scratch(bytes, QUANT);
            inner.free_scratch(s);
        }
        columns.into_iter().rev().for_each(|s| inner.free_scratch(s));
        let found = inner.scratch(1, QUANT);
        inner.free_scratch(found);
        inner.free_scratch(outliers);
        inner.free_scratch(cast);
        let results = rows.saturating_mul(outputs);
        let product = inner.scratch(results.saturating_mul(4), OP);
        let dequantized = inner.scratch(results.saturating_mul(2), OP);
        let out = inner.alloc(layout.with_last(outputs), dtype, OP);
        for s in [dequantized, product, quantized, scales] {
            inner.free_scratch(s);
        }
        if let Some(node) = node {
            inner.set_node(out, node, 0);
            // The input hangs on the function's context, not among its saved tensors: no checkpoint leaves it out, and
            // it lives until the graph is dropped.
            inner.keep_with_graph(self.id);
        }
        self.beside(out)
    }
}

impl Inner {
    /// `grad_A = grad_output @ (CB.to(dtype) * SCB / 127)`.
    pub(crate) fn gemm_8bit_gradient(&mut self, g: u32, gemm: Gemm8bit) -> u32 {
        const OP: &str = "MatMul8bitLtBackward";
        let (layout, dtype) = (self.records[g as usize].layout, self.records[g as usize].dtype);
        let rows = layout.numel() / gemm.outputs.max(1);
        // grad_output.reshape(...).contiguous(), then .to(dtype)
        let copied = layout.viewed(&[rows, gemm.outputs]).is_none();
        let copy = self.scratch(
            if copied {
                layout.numel().saturating_mul(dtype.size())
            } else {
                0
            },
            OP,
        );
        let weight = self.scratch(
            gemm.inputs
                .saturating_mul(gemm.outputs)
                .saturating_mul(gemm.dtype.size()),
            OP,
        );
        let scales = self.scratch(gemm.outputs.saturating_mul(4), OP);
        self.free_scratch(scales);
        let cast = if dtype == gemm.dtype {
            0
        } else {
            layout.numel().saturating_mul(gemm.dtype.size())
        };
        let cast = self.scratch(cast, OP);
        let out = self.alloc(layout.with_last(gemm.inputs), gemm.dtype, OP);
        self.touch_workspace();
        for s in [cast, weight, copy] {
            self.free_scratch(s);
        }
        let shaped: Layout = self.records[out as usize].layout;
        self.records[out as usize].view = shaped.shape().len() > 2;
        out
    }
}
