//! Linear layers: plain, 4-bit (`bitsandbytes.nn.Linear4bit`), and with a LoRA adapter around either
//! (`peft.tuners.lora.layer.Linear`, `peft.tuners.lora.bnb.Linear4bit`).

use crate::replay::{Dtype, Gemm4bit, Tensor};

/// The base of a linear layer.
#[derive(Debug)]
pub enum Base<'t> {
    /// A weight in the dtype of the model.
    Plain(Tensor<'t>),
    /// A packed weight: data and quantization state.
    FourBit {
        /// How its product runs.
        gemm: Gemm4bit,
        /// `bnb_4bit_compute_dtype`.
        compute: Dtype,
        /// Packed weight, scales and tables, held for the life of the run.
        _stored: Vec<Tensor<'t>>,
    },
    /// torchao's `Float8WeightOnlyConfig`: 8-bit data and a scale a row.
    Float8 {
        /// The dtype it answers in.
        dtype: Dtype,
        /// Data and scales.
        _stored: [Tensor<'t>; 2],
    },
    /// LLM.int8: weight and row scales, held for the life of the run.
    EightBit {
        /// The int8 weight and its row scales.
        _stored: [Tensor<'t>; 2],
    },
}

/// A linear layer.
#[derive(Debug)]
pub struct Linear<'t> {
    /// Columns in.
    pub inputs: u64,
    /// Columns out.
    pub outputs: u64,
    /// The base weight.
    pub base: Base<'t>,
    /// The bias.
    pub bias: Option<Tensor<'t>>,
    /// `lora_A` and `lora_B`.
    pub lora: Option<(Tensor<'t>, Tensor<'t>)>,
    /// Is `lora_dropout` above zero?
    pub dropout: bool,
}

impl<'t> Linear<'t> {
    /// `forward(x)`.
    pub fn forward(&self, x: &Tensor<'t>) -> Tensor<'t> {
        match &self.lora {
            None => self.base_forward(x),
            Some((a, b)) => self.lora_forward(x, a, b),
        }
    }

    fn base_forward(&self, x: &Tensor<'t>) -> Tensor<'t> {
        match &self.base {
            Base::Plain(weight) => x.linear(weight, self.bias.as_ref()),
            Base::EightBit { .. } => x.matmul_8bit(self.inputs, self.outputs),
            Base::Float8 { dtype, .. } => {
                // `Float8Tensor.dequantize`, then an ordinary product.
                let shape = [self.outputs, self.inputs];
                let weight = {
                    let tape = x.tape();
                    let _data = tape.temporary(&shape, Dtype::F32, "dequantize");
                    let _scaled = tape.temporary(&shape, Dtype::F32, "dequantize");
                    tape.temporary(&shape, *dtype, "dequantize")
                };
                x.linear(&weight, self.bias.as_ref())
            }
            Base::FourBit { gemm, compute, .. } => {
                let dtype = x.dtype();
                let x = x.to(*compute);
                let bias = self.bias.as_ref().map(|bias| bias.to(*compute));
                let mut out = x.matmul_4bit(*gemm, bias.is_some());
                out = out.to(dtype);
                out
            }
        }
    }

    /// Is the base quantized by bitsandbytes? Its adapters leave casts to autocast.
    fn quantized(&self) -> bool {
        matches!(self.base, Base::FourBit { .. } | Base::EightBit { .. })
    }

    fn lora_forward(&self, x: &Tensor<'t>, a: &Tensor<'t>, b: &Tensor<'t>) -> Tensor<'t> {
        let mut result = self.base_forward(x);
        let dtype = result.dtype();
        let quantized = self.quantized();
        if matches!(self.base, Base::FourBit { .. }) {
            // "for 4bit, we need to defensively clone here"
            result = result.copy();
        }
        // Quantized layers leave the cast to autocast when that is on; Linear always casts.
        let convert = !quantized || x.tape().autocast().is_none();
        let x = if convert { x.to(a.dtype()) } else { x.clone() };
        let mut update = if self.dropout {
            x.dropout().linear(a, None)
        } else {
            x.linear(a, None)
        };
        update = update.linear(b, None);
        update = update.scale();
        if convert && quantized {
            update = update.to(dtype);
        }
        result = result.add(&update);
        drop(update);
        if !quantized {
            result = result.to(dtype);
        }
        result
    }

    /// Weight, bias and adapter in the order of registration.
    pub fn for_each_weight(&self, f: &mut dyn FnMut(&Tensor<'t>)) {
        if let Base::Plain(weight) = &self.base {
            f(weight);
        }
        if let Some(bias) = &self.bias {
            f(bias);
        }
        if let Some((a, b)) = &self.lora {
            f(a);
            f(b);
        }
    }
}
