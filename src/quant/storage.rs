//! The tensors that hold one linear layer's weight in each format.

use crate::replay::Dtype;

/// How the base weights of linear layers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// As they are, in the dtype of the other weights.
    Plain,
    /// bitsandbytes' LLM.int8 (`nn/modules.py: Int8Params`): a byte a weight, a scale a row.
    EightBit,
    /// bitsandbytes' 4 bit in blocks of 64 (`functional.py: quantize_4bit`), the scales quantized again or not.
    FourBit {
        /// Are the scales quantized again?
        double_quant: bool,
    },
    /// torchao's 8-bit floats with a scale a row
    /// (`quantization/quantize_/workflows/float8/float8_tensor.py: Float8Tensor`), dequantized for each product.
    Float8,
    /// The same, with inputs quantized row by row for each product (`Float8DynamicActivationFloat8WeightConfig`,
    /// `PerRow`): what Unsloth's `load_in_fp8=True` makes (`unsloth_zoo/vllm_utils.py: _get_torchao_fp8_config`).
    Float8Rows,
    /// 8-bit floats with a scale a block of 128 x 128
    /// (`transformers/integrations/finegrained_fp8.py: FP8Linear`).
    Float8Blocks,
    /// 4-bit floats in blocks of 32 that share a byte of exponent (OCP MX; gpt-oss' checkpoints).
    Mxfp4,
}

/// What a stored tensor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The weights themselves.
    Data,
    /// What turns them back: scales, offsets, tables of codes.
    Scale,
}

/// One tensor of a stored weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its name where it is made.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Rows and columns; a vector has one column, a single number one of both.
    pub shape: [u64; 2],
    /// Its dtype.
    pub dtype: Dtype,
}

impl Stored {
    fn data(name: &'static str, shape: [u64; 2], dtype: Dtype) -> Self {
        let kind = Kind::Data;
        Stored {
            name,
            kind,
            shape,
            dtype,
        }
    }

    fn scale(name: &'static str, rows: u64, columns: u64, dtype: Dtype) -> Self {
        Stored {
            name,
            kind: Kind::Scale,
            shape: [rows, columns],
            dtype,
        }
    }

    /// Its bytes, before the allocator rounds them up.
    pub fn bytes(&self) -> u64 {
        self.shape[0]
            .saturating_mul(self.shape[1])
            .saturating_mul(self.dtype.size())
    }
}

impl Storage {
    /// bitsandbytes' blocks (`BitsAndBytesConfig`).
    pub const BNB_BLOCK: u64 = 64;
    /// Scales that share a second-level scale (`functional.py: quantize_4bit`, nested).
    pub const BNB_NESTED_BLOCK: u64 = 256;
    /// Side of a block of FP8 checkpoints (`FineGrainedFP8Config.weight_block_size`).
    pub const FP8_BLOCK: u64 = 128;
    /// Weights that share an exponent in MXFP4.
    pub const MX_BLOCK: u64 = 32;

    /// The tensors of a weight of `outputs` x `inputs`: the data first.
    pub fn tensors(self, inputs: u64, outputs: u64, dtype: Dtype) -> Vec<Stored> {
        let whole = [outputs, inputs];
        let elements = inputs.saturating_mul(outputs);
        match self {
            Storage::Plain => vec![Stored::data("weight", whole, dtype)],
            Storage::EightBit => vec![
                Stored::data("CB", whole, Dtype::I8),
                Stored::scale("SCB", outputs, 1, Dtype::F32),
            ],
            Storage::FourBit { double_quant } => {
                let blocks = elements.div_ceil(Self::BNB_BLOCK);
                let mut tensors = vec![
                    Stored::data("packed", [elements.div_ceil(2), 1], Dtype::U8),
                    Stored::scale("code", 16, 1, Dtype::F32),
                ];
                if double_quant {
                    let nested = blocks.div_ceil(Self::BNB_NESTED_BLOCK);
                    tensors.extend([
                        Stored::scale("absmax", blocks, 1, Dtype::U8),
                        Stored::scale("nested_absmax", nested, 1, Dtype::F32),
                        Stored::scale("nested_code", 256, 1, Dtype::F32),
                        Stored::scale("offset", 1, 1, Dtype::F32),
                    ]);
                } else {
                    tensors.push(Stored::scale("absmax", blocks, 1, Dtype::F32));
                }
                tensors
            }
            Storage::Float8 | Storage::Float8Rows => vec![
                Stored::data("qdata", whole, Dtype::F8),
                Stored::scale("scale", outputs, 1, Dtype::F32),
            ],
            Storage::Float8Blocks => {
                let blocks = |side: u64| side.div_ceil(Self::FP8_BLOCK);
                vec![
                    Stored::data("weight", whole, Dtype::F8),
                    Stored::scale("weight_scale_inv", blocks(outputs), blocks(inputs), Dtype::F32),
                ]
            }
            Storage::Mxfp4 => vec![
                Stored::data("blocks", [elements.div_ceil(2), 1], Dtype::U8),
                Stored::scale("scales", elements.div_ceil(Self::MX_BLOCK), 1, Dtype::U8),
            ],
        }
    }

    /// Bytes of a weight with all that turns it back, before the allocator rounds each tensor up.
    pub fn bytes(self, inputs: u64, outputs: u64, dtype: Dtype) -> u64 {
        self.tensors(inputs, outputs, dtype)
            .iter()
            .fold(0, |sum, tensor| sum.saturating_add(tensor.bytes()))
    }

    /// Is the storage narrower than the weights it was made from?
    pub fn is_quantized(self) -> bool {
        self != Storage::Plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `down_proj` of Llama-3.1-8B.
    const IN: u64 = 14_336;
    const OUT: u64 = 4_096;
    const N: u64 = IN * OUT;

    fn bytes(storage: Storage) -> u64 {
        storage.bytes(IN, OUT, Dtype::Bf16)
    }

    #[test]
    fn nf4_with_double_quantization_holds_codes_and_nested_scales() {
        let of = |name| {
            let tensors = Storage::FourBit { double_quant: true }.tensors(IN, OUT, Dtype::Bf16);
            tensors.iter().find(|t| t.name == name).unwrap().bytes()
        };
        assert_eq!(of("packed"), 29_360_128);
        assert_eq!(of("absmax"), 917_504);
        assert_eq!(of("nested_absmax"), 14_336);
        assert_eq!((of("nested_code"), of("offset"), of("code")), (1_024, 4, 64));
        assert_eq!(
            bytes(Storage::FourBit { double_quant: true }),
            29_360_128 + 917_504 + 14_336 + 1_024 + 4 + 64
        );
    }

    #[test]
    fn nf4_without_it_holds_fp32_scales() {
        assert_eq!(
            bytes(Storage::FourBit { double_quant: false }),
            N / 2 + 4 * N / 64 + 64
        );
    }

    #[test]
    fn eight_bit_formats_hold_a_byte_a_weight() {
        assert_eq!(bytes(Storage::EightBit), N + 4 * OUT);
        assert_eq!(bytes(Storage::Float8Rows), N + 4 * OUT);
        assert_eq!(bytes(Storage::Float8Blocks), N + 4 * (IN / 128) * (OUT / 128));
    }

    #[test]
    fn blocks_that_are_not_whole_have_scales_too() {
        assert_eq!(Storage::Float8Blocks.bytes(129, 1, Dtype::Bf16), 129 + 4 * 2);
        assert_eq!(Storage::Mxfp4.bytes(33, 1, Dtype::Bf16), 17 + 2);
        let blocks = Storage::FourBit { double_quant: false }.bytes(65, 1, Dtype::Bf16);
        assert_eq!(blocks, 33 + 2 * 4 + 64);
    }

    #[test]
    fn mxfp4_is_seventeen_bytes_for_thirty_two_weights() {
        assert_eq!(bytes(Storage::Mxfp4), N / 32 * 17);
    }

    #[test]
    fn wide_formats_are_their_dtype() {
        assert_eq!(Storage::Plain.bytes(IN, OUT, Dtype::F16), 2 * N);
        assert_eq!(Storage::Plain.bytes(IN, OUT, Dtype::F32), 4 * N);
    }
}
