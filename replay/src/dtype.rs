//! Element types and their widths.

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// 64-bit float.
    F64,
    /// 32-bit float.
    F32,
    /// bfloat16.
    Bf16,
    /// IEEE half.
    F16,
    /// 8-bit float (e4m3).
    F8,
    /// 64-bit integer.
    I64,
    /// 32-bit integer.
    I32,
    /// Signed byte.
    I8,
    /// Byte, also for packed 4-bit weights.
    U8,
    /// Boolean, one byte.
    Bool,
}

impl Dtype {
    /// Bytes an element.
    pub const fn size(self) -> u64 {
        match self {
            Dtype::F64 | Dtype::I64 => 8,
            Dtype::F32 | Dtype::I32 => 4,
            Dtype::Bf16 | Dtype::F16 => 2,
            Dtype::F8 | Dtype::I8 | Dtype::U8 | Dtype::Bool => 1,
        }
    }

    /// PyTorch's name.
    pub const fn name(self) -> &'static str {
        match self {
            Dtype::F64 => "float64",
            Dtype::F32 => "float32",
            Dtype::Bf16 => "bfloat16",
            Dtype::F16 => "float16",
            Dtype::F8 => "float8_e4m3fn",
            Dtype::I64 => "int64",
            Dtype::I32 => "int32",
            Dtype::I8 => "int8",
            Dtype::U8 => "uint8",
            Dtype::Bool => "bool",
        }
    }

    /// The dtype of a result of operands of both types (`torch.promote_types` for the types that meet here).
    pub fn promote(self, other: Dtype) -> Dtype {
        use Dtype::*;
        match (self, other) {
            (a, b) if a == b => a,
            (F64, _) | (_, F64) => F64,
            (F32, _) | (_, F32) | (Bf16, F16) | (F16, Bf16) => F32,
            (Bf16, _) | (_, Bf16) => Bf16,
            (F16, _) | (_, F16) => F16,
            (F8, _) | (_, F8) => F8,
            (I64, _) | (_, I64) => I64,
            (I32, _) | (_, I32) => I32,
            (I8, _) | (_, I8) => I8,
            (U8, _) | (_, U8) => U8,
            (Bool, Bool) => Bool,
        }
    }
}
