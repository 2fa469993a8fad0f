//! Models on transformers' own layers, compiled layer by layer: full fine-tuning, `FastModel`, and architectures without
//! hand-written layers (`unsloth/models/vision.py: FastBaseModel`, `unsloth/models/_block_compile.py`). Compiled code plans
//! its buffers itself, so that forward and backward passes are written out instead of following from operations.

mod adapted;
mod adapter;
mod attended;
mod forced;
mod full;
mod full_phi;
mod full_sandwich;
mod fused_loss;
mod gpt_oss;
mod grouped_experts;
mod grouped_fp16;
mod native_experts;
mod one_layer;
mod pass;
mod phi;
mod routed;
mod sizes;

pub use pass::Compiled;
