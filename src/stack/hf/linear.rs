//! Linear layers: plain, 4-bit (`bitsandbytes.nn.Linear4bit`), and with a LoRA adapter around either
//! (`peft.tuners.lora.layer.Linear`, `peft.tuners.lora.bnb.Linear4bit`).

use crate::estimate::Category;
use crate::replay::{Dtype, Gemm4bit, Tensor};
use std::cell::RefCell;

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
    /// The bias. A 4-bit layer changes its dtype in its first forward pass.
    pub bias: Option<RefCell<Tensor<'t>>>,
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
            Base::Plain(weight) => match &self.bias {
                Some(bias) => x.linear(weight, Some(&bias.borrow())),
                None => x.linear(weight, None),
            },
            Base::FourBit { gemm, compute, .. } => {
                let dtype = x.dtype();
                let x = x.to(*compute);
                self.convert_bias();
                let mut out = x.matmul_4bit(*gemm, self.bias.is_some());
                out = out.to(dtype);
                out
            }
        }
    }

    /// `self.bias.data = self.bias.data.to(x.dtype)`, which a 4-bit layer does once, `x` being in the dtype it computes in.
    pub fn convert_bias(&self) {
        if let (Base::FourBit { compute, .. }, Some(bias)) = (&self.base, &self.bias) {
            bias.borrow_mut().convert_in_place(*compute, Category::Weights);
        }
    }

    fn lora_forward(&self, x: &Tensor<'t>, a: &Tensor<'t>, b: &Tensor<'t>) -> Tensor<'t> {
        let mut result = self.base_forward(x);
        let dtype = result.dtype();
        let four_bit = matches!(self.base, Base::FourBit { .. });
        if four_bit {
            // "for 4bit, we need to defensively clone here"
            result = result.copy();
        }
        // Linear4bit leaves the cast to autocast when that is on; Linear always casts.
        let convert = !four_bit || x.tape().autocast().is_none();
        let x = if convert { x.to(a.dtype()) } else { x.clone() };
        let mut update = if self.dropout {
            x.dropout().linear(a, None)
        } else {
            x.linear(a, None)
        };
        update = update.linear(b, None);
        update = update.scale();
        if convert && four_bit {
            update = update.to(dtype);
        }
        result = result.add(&update);
        drop(update);
        if !four_bit {
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
            f(&bias.borrow());
        }
        if let Some((a, b)) = &self.lora {
            f(a);
            f(b);
        }
    }
}
