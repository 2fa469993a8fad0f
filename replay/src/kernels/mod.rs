//! Operations of other libraries: bitsandbytes, torchao, Liger, and what Unsloth has written by hand or compiled.

pub(crate) mod compiled;
pub(crate) mod fake_input;
pub(crate) mod fake_quantized;
pub(crate) mod fast_cross_entropy;
pub(crate) mod fast_kernels;
pub(crate) mod fast_layer;
pub(crate) mod fast_lora;
pub(crate) mod fast_loss;
pub(crate) mod float8;
pub(crate) mod float8_input;
pub(crate) mod gemm_4bit;
pub(crate) mod int8;
pub(crate) mod liger;
pub(crate) mod low_rank;
pub(crate) mod quantized;
