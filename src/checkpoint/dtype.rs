//! The dtypes of stored tensors.

/// A dtype, by the name that safetensors or ggml gives it, and how many bytes a block of so many elements takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredDtype {
    /// Such as `BF16` or `Q4_K`.
    pub name: &'static str,
    /// Elements of a block.
    pub block: u64,
    /// Bytes of a block.
    pub bytes: u64,
}

const fn dtype(name: &'static str, block: u64, bytes: u64) -> StoredDtype {
    StoredDtype { name, block, bytes }
}

/// safetensors' dtypes (`safetensors/src/tensor.rs: Dtype`).
const SAFETENSORS: [StoredDtype; 22] = [
    dtype("BOOL", 1, 1),
    dtype("F4", 2, 1),
    dtype("F6_E2M3", 4, 3),
    dtype("F6_E3M2", 4, 3),
    dtype("U8", 1, 1),
    dtype("I8", 1, 1),
    dtype("F8_E5M2", 1, 1),
    dtype("F8_E4M3", 1, 1),
    dtype("F8_E8M0", 1, 1),
    dtype("F8_E4M3FNUZ", 1, 1),
    dtype("F8_E5M2FNUZ", 1, 1),
    dtype("I16", 1, 2),
    dtype("U16", 1, 2),
    dtype("F16", 1, 2),
    dtype("BF16", 1, 2),
    dtype("I32", 1, 4),
    dtype("U32", 1, 4),
    dtype("F32", 1, 4),
    dtype("C64", 1, 8),
    dtype("F64", 1, 8),
    dtype("I64", 1, 8),
    dtype("U64", 1, 8),
];

/// ggml's types by number (`ggml/include/ggml.h: ggml_type`, block sizes by `ggml-common.h`).
const GGML: [(u32, StoredDtype); 32] = [
    (0, dtype("F32", 1, 4)),
    (1, dtype("F16", 1, 2)),
    (2, dtype("Q4_0", 32, 18)),
    (3, dtype("Q4_1", 32, 20)),
    (6, dtype("Q5_0", 32, 22)),
    (7, dtype("Q5_1", 32, 24)),
    (8, dtype("Q8_0", 32, 34)),
    (9, dtype("Q8_1", 32, 36)),
    (10, dtype("Q2_K", 256, 84)),
    (11, dtype("Q3_K", 256, 110)),
    (12, dtype("Q4_K", 256, 144)),
    (13, dtype("Q5_K", 256, 176)),
    (14, dtype("Q6_K", 256, 210)),
    (15, dtype("Q8_K", 256, 292)),
    (16, dtype("IQ2_XXS", 256, 66)),
    (17, dtype("IQ2_XS", 256, 74)),
    (18, dtype("IQ3_XXS", 256, 98)),
    (19, dtype("IQ1_S", 256, 50)),
    (20, dtype("IQ4_NL", 32, 18)),
    (21, dtype("IQ3_S", 256, 110)),
    (22, dtype("IQ2_S", 256, 82)),
    (23, dtype("IQ4_XS", 256, 136)),
    (24, dtype("I8", 1, 1)),
    (25, dtype("I16", 1, 2)),
    (26, dtype("I32", 1, 4)),
    (27, dtype("I64", 1, 8)),
    (28, dtype("F64", 1, 8)),
    (29, dtype("IQ1_M", 256, 56)),
    (30, dtype("BF16", 1, 2)),
    (34, dtype("TQ1_0", 256, 54)),
    (35, dtype("TQ2_0", 256, 66)),
    (39, dtype("MXFP4", 32, 17)),
];

impl StoredDtype {
    /// The dtype of this name in a safetensors header.
    pub fn of_safetensors(name: &str) -> Option<Self> {
        SAFETENSORS.iter().find(|dtype| dtype.name == name).copied()
    }

    /// The dtype of this number in a GGUF header.
    pub fn of_ggml(number: u32) -> Option<Self> {
        GGML.into_iter()
            .find(|(other, _)| *other == number)
            .map(|(_, dtype)| dtype)
    }

    /// Bytes of so many elements; nothing where they fill no whole blocks, or overflow.
    pub fn bytes_of(self, elements: u64) -> Option<u64> {
        if !elements.is_multiple_of(self.block) {
            return None;
        }
        (elements / self.block).checked_mul(self.bytes)
    }

    /// 16 bits or wider, and no integer: weights that are not quantized.
    pub fn is_wide_float(self) -> bool {
        matches!(self.name, "BF16" | "F16" | "F32" | "F64")
    }
}
