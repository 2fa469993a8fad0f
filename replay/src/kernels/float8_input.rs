//! 8-bit floats in eager mode: quantizing an input by rows as torchao does, or by blocks, dequantizing a weight
//! (`torchao/quantization/quant_primitives.py: _choose_scale_float8, _quantize_affine_float8, _dequantize_affine_float8`).

use crate::autograd::grad::Gradient;
use crate::autograd::graph::MAX_EDGES;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::{Inner, Tensor};

impl<'t> Tensor<'t> {
    /// The scales and values of `Float8Tensor.from_hp`, by way of three copies in fp32.
    pub(crate) fn quantized_rows(&self) -> [Tensor<'t>; 2] {
        const OP: &str = "Float8Tensor.from_hp";
        let (tape, layout, dtype) = (self.tape, self.layout(), self.dtype());
        let elements = layout.numel();
        let rows = elements / layout.last().max(1);
        let of_rows = |dtype| tape.temporary(&[rows], dtype, OP);
        let magnitudes = tape.temporary(&[elements], dtype, OP);
        let largest = of_rows(dtype);
        drop(magnitudes);
        let divided = of_rows(dtype);
        drop(largest);
        let clamped = of_rows(dtype);
        let scales = of_rows(Dtype::F32);
        drop((divided, clamped));
        let wide = || tape.temporary(&[elements], Dtype::F32, OP);
        let (plain, scaled, clamped) = (wide(), wide(), wide());
        let values = tape.temporary(&[elements], Dtype::F8, OP);
        drop((plain, scaled, clamped));
        [values, scales]
    }

    /// A linear layer on 8-bit floats with a scale for each row, outside of fused functions: its product takes quantized
    /// inputs, and the gradient of the input a dequantized weight (`unsloth/models/loader_utils.py`).
    pub fn float8_rows_linear(&self, inputs: u64, outputs: u64) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let node = inner.node_over(
            Gradient::Float8Rows { inputs, outputs },
            "Float8LinearBackward",
            &[self.id],
        );
        drop(inner);
        let _quantized = self.quantized_rows();
        let (layout, dtype) = (self.layout().with_last(outputs), self.dtype());
        inner = self.tape.inner.borrow_mut();
        let out = inner.alloc(layout, dtype, "addmm_float8");
        // `torch._scaled_mm` is cuBLASLt's.
        inner.touch_lt_workspace();
        inner.touch_workspace();
        inner.made_by(out, node);
        drop(inner);
        self.beside(out)
    }

    /// Values, and a scale for 128 columns of a row (`unsloth/kernels/fp8.py: act_quant`).
    pub(crate) fn quantized_blocks(&self) -> [Tensor<'t>; 2] {
        const OP: &str = "act_quant";
        const BLOCK: u64 = 128;
        let (tape, elements) = (self.tape, self.layout().numel());
        let values = tape.temporary(&[elements], Dtype::F8, OP);
        let scales = tape.temporary(&[elements.div_ceil(BLOCK)], Dtype::F32, OP);
        [values, scales]
    }
}

impl Inner {
    /// The gradient of the input of [`Tensor::float8_rows_linear`].
    pub(crate) fn float8_rows_gradient(
        &mut self,
        g: u32,
        inputs: u64,
        outputs: u64,
        out: &mut [u32; MAX_EDGES],
    ) {
        let (layout, dtype) = (self.records[g as usize].layout, self.records[g as usize].dtype);
        let weight = self.dequantized_rows(inputs, outputs, dtype);
        out[0] = self.alloc(layout.with_last(inputs), dtype, "mm");
        self.touch_workspace();
        self.release(weight);
    }

    /// `Float8Tensor.dequantize`: by way of two copies in fp32.
    pub(crate) fn dequantized_rows(&mut self, inputs: u64, outputs: u64, dtype: Dtype) -> u32 {
        const OP: &str = "Float8Tensor.dequantize";
        let shape = Layout::contiguous(&[outputs, inputs]);
        let wide = [(); 2].map(|()| self.alloc(shape, Dtype::F32, OP));
        let weight = self.alloc(shape, dtype, OP);
        for id in wide {
            self.release(id);
        }
        weight
    }
}
