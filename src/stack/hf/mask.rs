//! The masks that transformers makes (`masking_utils.py`).

use crate::plan::{AttentionKernel, Plan};
use crate::replay::{Dtype, Tape, Tensor};

/// `create_causal_mask`, for layers with a window `create_sliding_window_causal_mask`. Fused kernels need none as long as
/// nothing but the future is hidden; else they get a mask of booleans, and eager attention always an additive one.
pub fn causal_mask<'t>(tape: &'t Tape, plan: &Plan, dtype: Dtype, window: bool) -> Option<Tensor<'t>> {
    let (b, s) = (plan.batch, plan.seq);
    // attention_mask.to(dtype=torch.bool)
    let padding = plan.padding.then(|| tape.temporary(&[b, s], Dtype::Bool, "to"));
    if padding.is_none() && !plan.use_cache && !plan.arch.family.ignores_packing() {
        find_packed_sequences(tape, plan);
    }
    if plan.flash_package {
        return None;
    }
    let in_chunks = window && plan.arch.family.masks_in_chunks();
    let left_padding = in_chunks.then(|| left_padding(tape, plan));
    let eager = plan.attention == AttentionKernel::Eager;
    let shortened = window && plan.arch.attention.sliding_window.is_some_and(|w| w <= s);
    if !eager && !shortened {
        padding.as_ref()?;
        // `_ignore_causal_mask_sdpa` asks twice whether no token is padding.
        for _ in 0..2 {
            let _count = tape.temporary(&[], Dtype::I64, "sum");
            tape.scratch(b.saturating_mul(s).saturating_mul(8), "sum");
            let _all = tape.temporary(&[], Dtype::Bool, "__eq__");
        }
    }
    let allowed = allowed_keys(tape, plan, window);
    drop(left_padding);
    if !eager {
        return Some(allowed);
    }
    // torch.where(mask, torch.tensor(0.0, dtype=dtype), min_dtype)
    let _zero = tape.temporary(&[], dtype, "tensor");
    let _scalar = tape.temporary(&[], dtype, "where");
    Some(tape.temporary(&[b, 1, s, s], dtype, "where"))
}

/// `create_recurrent_attention_mask`: the padding mask as it came, where some token is padding.
#[inline(never)]
pub fn recurrent_mask<'t>(tape: &'t Tape, plan: &Plan, padding: Option<&Tensor<'t>>) -> Option<Tensor<'t>> {
    let mask = padding.filter(|_| plan.seq > 1)?;
    let _equal = tape.temporary(&[plan.batch, plan.seq], Dtype::Bool, "__eq__");
    let _all = tape.temporary(&[], Dtype::Bool, "all");
    Some(mask.clone())
}

/// Scratch of CUB's scan of up to 32 blocks of 8-byte numbers (`cub::DeviceScan::InclusiveScan`: three arrays in steps of
/// 256 bytes, `cub::ScanTileState`).
const SCAN_BYTES: u64 = 1279;

/// `find_packed_sequence_indices`.
fn find_packed_sequences(tape: &Tape, plan: &Plan) {
    let (b, s) = (plan.batch, plan.seq);
    let temporary = |shape: &[u64], dtype, op| tape.temporary(shape, dtype, op);
    let _first = temporary(&[b, 1], Dtype::I64, "sub");
    let _difference = {
        let _padded = temporary(&[b, s + 1], Dtype::I64, "diff");
        temporary(&[b, s], Dtype::I64, "diff")
    };
    let _sequences = {
        let _breaks = temporary(&[b, s], Dtype::Bool, "ne");
        let sum = temporary(&[b, s], Dtype::I64, "cumsum");
        let _input = temporary(&[b, s], Dtype::I64, "cumsum");
        if b == 1 {
            // One row is summed by CUB (`aten/src/ATen/native/cuda/ScanKernels.cpp: scan_innermost_dim`).
            tape.scratch(SCAN_BYTES, "cumsum");
        }
        sum
    };
    let _whole = temporary(&[b], Dtype::Bool, "eq");
    let _all = temporary(&[], Dtype::Bool, "all");
}

/// Tokens of padding before each sequence (`create_chunked_causal_mask`).
#[inline(never)]
fn left_padding<'t>(tape: &'t Tape, plan: &Plan) -> Tensor<'t> {
    let (b, s) = (plan.batch, plan.seq);
    if !plan.padding {
        return tape.temporary(&[b], Dtype::I64, "zeros");
    }
    let _equal = {
        let sum = tape.temporary(&[b, s], Dtype::I64, "cumsum");
        drop(tape.temporary(&[b, s], Dtype::I64, "cumsum"));
        if b == 1 {
            tape.scratch(SCAN_BYTES, "cumsum");
        }
        let _zeros = tape.temporary(&[b, s], Dtype::Bool, "zeros_like");
        let equal = tape.temporary(&[b, s], Dtype::Bool, "__eq__");
        drop(sum);
        equal
    };
    tape.temporary(&[b], Dtype::I64, "sum")
}

/// `chunked_overlay`: keys and queries of one chunk.
fn same_chunk<'t>(tape: &'t Tape, plan: &Plan) -> Tensor<'t> {
    let (b, s) = (plan.batch, plan.seq);
    // (idx - left_padding[batch_idx]) // chunk_size
    let chunk = |shape: [u64; 4]| {
        let distance = {
            let _padding = tape.temporary(&[b, 1, 1, 1], Dtype::I64, "__getitem__");
            tape.temporary(&shape, Dtype::I64, "sub")
        };
        let chunk = tape.temporary(&shape, Dtype::I64, "floor_divide");
        drop(distance);
        chunk
    };
    let (_keys, _queries) = (chunk([b, 1, 1, s]), chunk([b, 1, s, 1]));
    tape.temporary(&[b, 1, s, s], Dtype::Bool, "eq")
}

/// `sdpa_mask`: true where a query may look at a key.
#[inline(never)]
fn allowed_keys<'t>(tape: &'t Tape, plan: &Plan, window: bool) -> Tensor<'t> {
    let (b, s) = (plan.batch, plan.seq);
    let _batch = tape.temporary(&[b], Dtype::I64, "arange");
    let _head = tape.temporary(&[1], Dtype::I64, "arange");
    let positions = || {
        let _range = tape.temporary(&[s], Dtype::I64, "arange");
        tape.temporary(&[s], Dtype::I64, "add")
    };
    let (_queries, _keys) = (positions(), positions());
    let causal = || tape.temporary(&[1, 1, s, s], Dtype::Bool, "le");
    // kv_idx > q_idx - sliding_window
    let near = || {
        let _first = tape.temporary(&[1, 1, s, 1], Dtype::I64, "sub");
        tape.temporary(&[1, 1, s, s], Dtype::Bool, "gt")
    };
    let in_chunks = || same_chunk(tape, plan);
    let causal = || match window {
        true if plan.arch.family.masks_in_chunks() => both(tape, &in_chunks, &causal),
        true => both(tape, &near, &causal),
        false => causal(),
    };
    // padding_mask[batch_idx, kv_idx]: the indices are made whole first.
    let padding = || {
        let index = || tape.temporary(&[b, 1, 1, s], Dtype::I64, "__getitem__");
        let (_batch, _key) = (index(), index());
        tape.temporary(&[b, 1, 1, s], Dtype::Bool, "__getitem__")
    };
    match plan.padding {
        true => both(tape, &causal, &padding),
        false => causal(),
    }
}

/// `and_masks` of two.
fn both<'t>(tape: &'t Tape, one: &dyn Fn() -> Tensor<'t>, other: &dyn Fn() -> Tensor<'t>) -> Tensor<'t> {
    let mut result = tape.temporary(&[], Dtype::Bool, "new_ones");
    for mask in [one, other] {
        let mask = mask();
        result = result.and(&mask);
    }
    result
}
