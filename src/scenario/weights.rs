//! Which weight formats go with which method.

use super::{Method, Scenario, WeightFormat};

impl WeightFormat {
    /// The formats that are compared with each other, widest first.
    pub const COMPARED: [WeightFormat; 7] = [
        WeightFormat::Fp32,
        WeightFormat::Bf16,
        WeightFormat::Int8,
        WeightFormat::Fp8,
        WeightFormat::Nf4,
        WeightFormat::Nf4Dq,
        WeightFormat::Fp4Dq,
    ];

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

impl Scenario {
    /// The formats that are compared for this run: the usual ones, and its own.
    pub fn compared_formats(&self) -> Vec<WeightFormat> {
        let own = Some(self.weights).filter(|own| !WeightFormat::COMPARED.contains(own));
        WeightFormat::COMPARED.into_iter().chain(own).collect()
    }

    /// The same run on weights in another format, for comparison: as [`Scenario::set_weights`], but full fine-tuning stays
    /// what it is, and has no answer on weights that cannot be trained.
    pub fn with_weights(&self, weights: WeightFormat) -> Self {
        let mut changed = self.clone();
        match self.method {
            Method::Full => changed.weights = weights,
            Method::Lora | Method::Qlora => changed.set_weights(weights),
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_four_bit_base_under_lora_means_qlora_and_a_wide_one_lora() {
        let lora = Scenario::default().with_weights(WeightFormat::Bf16);
        assert_eq!((lora.method, lora.weights), (Method::Lora, WeightFormat::Bf16));
        assert_eq!(lora.with_weights(WeightFormat::Nf4Dq), Scenario::default());
    }

    #[test]
    fn full_fine_tuning_stays_what_it_is() {
        let full = Scenario {
            method: Method::Full,
            ..Scenario::default()
        };
        assert_eq!(full.with_weights(WeightFormat::Nf4).method, Method::Full);
    }
}
