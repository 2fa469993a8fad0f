//! Which weight formats go with which method.

use super::{Method, WeightFormat};

impl WeightFormat {
    /// Four bits a weight, in blocks with scales.
    pub const fn is_4bit(self) -> bool {
        use WeightFormat::{Dynamic4bit, Fp4, Fp4Dq, Mxfp4, Nf4, Nf4Dq};
        matches!(self, Nf4 | Nf4Dq | Fp4 | Fp4Dq | Dynamic4bit | Mxfp4)
    }

    /// Narrower than 16 bits: such weights can be computed with, not trained.
    pub const fn is_quantized(self) -> bool {
        use WeightFormat::{Bf16, Fp16, Fp32};
        !matches!(self, Bf16 | Fp16 | Fp32)
    }

    /// Does the method run on such weights? Full fine-tuning needs weights that can be trained, QLoRA a quantized base;
    /// LoRA takes 8-bit bases too, but on 4-bit ones it is called QLoRA.
    pub const fn suits(self, method: Method) -> bool {
        match method {
            Method::Full => !self.is_quantized(),
            Method::Lora => !self.is_4bit(),
            Method::Qlora => self.is_quantized(),
        }
    }

    /// The format that a method has when none is named: the QLoRA paper's for QLoRA, bf16 otherwise.
    pub const fn usual(method: Method) -> Self {
        match method {
            Method::Qlora => WeightFormat::Nf4Dq,
            Method::Lora | Method::Full => WeightFormat::Bf16,
        }
    }
}
