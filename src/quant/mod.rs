//! How base weights are stored: the exact tensors of each format, and what stays in 16 bit.
//!
//! For a linear layer of `n = inputs * outputs` weights:
//!
//! | format | data | scales and tables | bytes a weight |
//! | --- | --- | --- | --- |
//! | bf16, fp16 / fp32 | 2n / 4n | none | 2 / 4 |
//! | LLM.int8 | n | fp32 a row | 1 |
//! | nf4, fp4 | n/2 | fp32 a block of 64; 16 fp32 codes | 0.5625 |
//! | nf4, fp4 double quant | n/2 | a byte a block of 64; fp32 a block of 256 scales, an fp32 offset; 16 and 256 fp32 codes | 0.5159 |
//! | FP8 rows | n | fp32 a row | 1 |
//! | FP8 blocks | n | fp32 a block of 128 x 128 | 1.0002 |
//! | MXFP4 | n/2 | a byte a block of 32 | 0.53125 |
//!
//! [`Storage::tensors`] is this table in code; [`Kept`] says which linear layers keep their 16 bit.

mod kept;
mod storage;

pub use kept::{Kept, SkipList};
pub use storage::{Kind, Storage, Stored};
