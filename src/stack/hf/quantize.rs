//! Linear weights quantized while they are loaded.

use super::linear::Base;
use crate::estimate::Category;
use crate::quant::{Kind, Storage, Stored};
use crate::replay::{Dtype, Gemm4bit, Tape, Tensor};

/// A linear weight as `Params4bit.to("cuda")` makes it: the 16-bit weight comes to the GPU, is packed, and is dropped
/// (`functional.py: quantize_4bit`). `dtype` is that of the weight before, `compute` what its products run in; `tables` holds what all weights share.
pub fn four_bit<'t>(
    tape: &'t Tape,
    [dtype, compute]: [Dtype; 2],
    inputs: u64,
    outputs: u64,
    double_quant: bool,
    tables: &mut Vec<Tensor<'t>>,
) -> Base<'t> {
    const OP: &str = "quantize_4bit";
    let state = |shape: &[u64], dtype| tape.tensor(shape, dtype, Category::QuantState, OP);
    let elements = inputs.saturating_mul(outputs);
    let scales = elements.div_ceil(Storage::BNB_BLOCK);
    let original = tape.temporary(&[outputs, inputs], dtype, "empty");
    let absmax = state(&[scales], Dtype::F32);
    let packed = tape.tensor(&[elements.div_ceil(2), 1], Dtype::U8, Category::Weights, OP);
    let code = state(&[16], Dtype::F32);
    {
        let _magnitudes = tape.temporary(&[16], Dtype::F32, "abs");
        let _largest = tape.temporary(&[], Dtype::F32, "max");
    }
    let mut stored = Vec::with_capacity(6);
    stored.extend([packed, code]);
    if double_quant {
        // absmax.mean()
        let offset = state(&[], Dtype::F32);
        tape.whole_sum_scratch(scales);
        let centred = tape.temporary(&[scales], Dtype::F32, "sub");
        if tables.is_empty() {
            tables.push(tape.outside_layers(|| {
                tape.tensor(&[256], Dtype::F32, Category::QuantState, "create_dynamic_map")
            }));
        }
        stored.push(offset);
        stored.push(state(&[scales.div_ceil(Storage::BNB_NESTED_BLOCK)], Dtype::F32));
        stored.push(state(&[scales], Dtype::U8));
        stored.push(state(&[256], Dtype::F32));
        drop(centred);
        drop(absmax);
    } else {
        stored.push(absmax);
    }
    drop(original);
    Base::FourBit {
        gemm: Gemm4bit {
            inputs,
            outputs,
            blocksize: Storage::BNB_BLOCK,
            double_quant,
            dtype,
        },
        compute,
        _stored: stored,
    }
}

/// Experts as a 4-bit checkpoint holds them, a weight each: packed weights, and what their quantization needs, both of all
/// experts together.
#[inline(never)]
pub fn experts<'t>(tape: &'t Tape, count: u64, elements: u64) -> (Tensor<'t>, Tensor<'t>) {
    const ROUND: u64 = 512;
    let scales = elements.div_ceil(Storage::BNB_BLOCK);
    let nested = scales.div_ceil(Storage::BNB_NESTED_BLOCK).saturating_mul(4);
    // Scales, their scales, both tables and the offset, in blocks of the allocator.
    let state: u64 = [scales, nested, 16 * 4, 256 * 4, 4]
        .map(|bytes: u64| bytes.next_multiple_of(ROUND))
        .iter()
        .fold(0, |sum, bytes| sum.saturating_add(*bytes));
    let held = |bytes: u64, category| {
        let bytes = count.saturating_mul(bytes.next_multiple_of(ROUND));
        tape.tensor(&[bytes], Dtype::U8, category, "weight")
    };
    (
        held(elements.div_ceil(2), Category::Weights),
        held(state, Category::QuantState),
    )
}

/// Experts in MXFP4: blocks of 32 weights, and a byte of scale for each.
pub fn mxfp4<'t>(tape: &'t Tape, elements: u64) -> (Tensor<'t>, Tensor<'t>) {
    const BLOCK: u64 = 32;
    let held = |bytes, category| tape.tensor(&[bytes], Dtype::U8, category, "weight");
    (
        held(elements.div_ceil(2), Category::Weights),
        held(elements.div_ceil(BLOCK), Category::QuantState),
    )
}

/// A linear weight as `Int8Params.to("cuda")` makes it: through fp16 (`nn/modules.py: Int8Params._quantize`).
#[inline(never)]
pub fn eight_bit<'t>(tape: &'t Tape, inputs: u64, outputs: u64) -> Base<'t> {
    const OP: &str = "int8_vectorwise_quant";
    let _half = tape.temporary(&[outputs, inputs], Dtype::F16, "to");
    let scales = tape.tensor(&[outputs], Dtype::F32, Category::QuantState, OP);
    let weight = tape.tensor(&[outputs, inputs], Dtype::I8, Category::Weights, OP);
    Base::EightBit {
        _stored: [weight, scales],
    }
}

/// A linear weight as `quantize_(module, Float8WeightOnlyConfig())` makes it: a scale a row, then the data, by way of fp32
/// (`torchao/quantization/quantize_/workflows/float8/float8_tensor.py: Float8Tensor.from_hp`).
#[inline(never)]
pub fn float8<'t>(tape: &'t Tape, dtype: Dtype, inputs: u64, outputs: u64) -> Base<'t> {
    let shape = [outputs, inputs];
    let original = tape.temporary(&shape, dtype, "empty");
    // What is in fp32 already is not copied to it.
    let narrow = dtype != Dtype::F32;
    let scale = {
        let magnitudes = tape.temporary(&shape, dtype, "choose_scale_float8");
        let _largest = tape.temporary(&[outputs, 1], dtype, "choose_scale_float8");
        drop(magnitudes);
        let _scale = narrow.then(|| tape.temporary(&[outputs, 1], dtype, "choose_scale_float8"));
        tape.tensor(
            &[outputs, 1],
            Dtype::F32,
            Category::QuantState,
            "choose_scale_float8",
        )
    };
    let data = {
        let wide = |op| tape.temporary(&shape, Dtype::F32, op);
        let _wide = narrow.then(|| wide("to"));
        let (_scaled, _clamped) = (wide("div"), wide("clamp"));
        tape.tensor(&shape, Dtype::F8, Category::Weights, "to")
    };
    drop(original);
    Base::Float8 {
        dtype,
        _stored: [data, scale],
    }
}

/// A linear weight as a checkpoint holds it: data, then scales. Unsloth writes FP8 checkpoints itself where there is none
/// (`loader_utils.py: _offline_quantize_to_fp8`).
#[inline(never)]
pub fn stored<'t>(tape: &'t Tape, storage: Storage, dtype: Dtype, inputs: u64, outputs: u64) -> Base<'t> {
    let load = |tensor: Stored| {
        let category = match tensor.kind {
            Kind::Data => Category::Weights,
            Kind::Scale => Category::QuantState,
        };
        tape.tensor(&tensor.shape, tensor.dtype, category, tensor.name)
    };
    let tensors = storage.tensors(inputs, outputs, dtype);
    Base::Fused {
        storage,
        _stored: tensors.into_iter().map(load).collect(),
    }
}
