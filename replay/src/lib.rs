//! A shape-level PyTorch: tensors with shapes and dtypes, operations with what they save for backward, frees by
//! reference, an autograd engine, and the caching allocator below it.
//!
//! A program of tensor operations, run on a [`Tape`], leaves a [`Recording`]: the list of its allocations and frees.
//! Two readers turn a recording into numbers: [`segment`] folds it into *(net, peak)* pairs, whose powers stand for
//! equal layers; [`allocator`] serves every event the way PyTorch's CUDA caching allocator does. Both agree.

pub mod allocator;
mod autograd;
mod category;
mod dtype;
mod kernels;
mod layout;
mod life;
mod ops;
mod recording;
mod script;
pub mod segment;
mod tape;

pub use allocator::turns::Turns;
pub use autograd::checkpoint::Waits;
pub use autograd::engine::Rerun;
pub use autograd::lent::Lent;
pub use category::Category;
pub use dtype::Dtype;
pub use kernels::fake_input::FakeInput;
pub use kernels::fake_quantized::{FakeWeight, HeldScales};
pub use kernels::fast_layer::{CompiledLinear, CompiledLinears, CompiledShape};
pub use kernels::fast_lora::{FastLinear, FastWeight, UnpackBuffer};
pub use kernels::quantized::Gemm4bit;
pub use layout::Layout;
pub use ops::attention::{Device, Shape as AttentionShape};
pub use recording::{Alloc, Event, Phase, Place, Recording};
pub use script::{Play, Script};
pub use segment::Order;
pub use tape::{Group, Mark, Tape, Tensor};
