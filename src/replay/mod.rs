//! A shape-level PyTorch: tensors with shapes and dtypes, operations with what they save for backward, frees by
//! reference, an autograd engine, and the caching allocator below it.
//!
//! A program of tensor operations, run on a [`Tape`], leaves a [`Recording`]: the list of its allocations and frees.
//! Two readers turn a recording into numbers: [`segment`] folds it into *(net, peak)* pairs, whose powers stand for
//! equal layers; [`allocator`] serves every event the way PyTorch's CUDA caching allocator does. Both agree.

pub mod allocator;
mod attention;
mod autograd;
mod binary;
mod blocks;
mod checkpoint;
mod clamp;
mod compiled;
mod complex;
mod convolution;
mod dtype;
mod efficient;
mod embedding;
mod engine;
mod entry;
mod expand;
mod expandable;
mod fake_quantized;
mod fast_cross_entropy;
mod fast_kernels;
mod fast_layer;
mod fast_lora;
mod fast_loss;
mod fill;
mod float8;
mod float8_input;
mod gemm_4bit;
mod grad;
mod grouped_mm;
mod index;
mod int8;
mod layer_norm;
mod layout;
mod lent;
mod life;
mod liger;
mod limit;
mod loss;
mod low_rank;
mod normalize;
mod ops;
mod piecewise;
mod products;
mod quantized;
mod recording;
mod reduce;
mod repeat;
mod scan;
pub mod segment;
pub mod serve;
mod serving;
mod sort;
mod split;
mod streams;
mod tape;
pub mod trials;
mod turns;
mod views;

pub use attention::{Device, Shape as AttentionShape};
pub use checkpoint::Waits;
pub use dtype::Dtype;
pub use engine::Rerun;
pub use fast_layer::{CompiledLinears, CompiledShape};
pub use fast_lora::{FastLinear, FastWeight, UnpackBuffer};
pub use layout::Layout;
pub use lent::Lent;
pub use quantized::Gemm4bit;
pub use recording::{Alloc, Event, Phase, Place, Recording};
pub use segment::Order;
pub use tape::{Group, Mark, Tape, Tensor};
pub use turns::Turns;
