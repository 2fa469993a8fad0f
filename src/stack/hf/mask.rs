//! Packed-sequence detection and the mask that transformers makes (`masking_utils.py`).

use crate::plan::{AttentionKernel, Plan};
use crate::replay::{Dtype, Tape, Tensor};

/// `create_causal_mask`: nothing for fused kernels without padding, an additive mask for eager attention.
pub fn causal_mask<'t>(tape: &'t Tape, plan: &Plan, dtype: Dtype) -> Option<Tensor<'t>> {
    mask(tape, plan, dtype, false)
}

/// `create_sliding_window_causal_mask`: a mask also for fused kernels when the window is no longer than the sequence.
pub fn sliding_window_mask<'t>(tape: &'t Tape, plan: &Plan, dtype: Dtype) -> Option<Tensor<'t>> {
    mask(tape, plan, dtype, true)
}

fn mask<'t>(tape: &'t Tape, plan: &Plan, dtype: Dtype, windowed: bool) -> Option<Tensor<'t>> {
    let (b, s) = (plan.batch, plan.seq);
    let temporary = |shape: &[u64], dtype, op| tape.temporary(shape, dtype, op);
    if !plan.arch.family.ignores_packing() {
        let _first = temporary(&[b, 1], Dtype::I64, "sub");
        let _difference = {
            let _padded = temporary(&[b, s + 1], Dtype::I64, "diff");
            temporary(&[b, s], Dtype::I64, "diff")
        };
        let _sequences = {
            let _breaks = temporary(&[b, s], Dtype::Bool, "ne");
            let sum = temporary(&[b, s], Dtype::I64, "cumsum");
            let _input = temporary(&[b, s], Dtype::I64, "cumsum");
            sum
        };
        let _whole = temporary(&[b], Dtype::Bool, "eq");
        let _all = temporary(&[], Dtype::Bool, "all");
    }
    let eager = plan.attention == AttentionKernel::Eager;
    let shortened = windowed && plan.arch.attention.sliding_window.is_some_and(|w| w <= s);
    if !eager && !shortened {
        return None;
    }
    let allowed = {
        let _batch = temporary(&[b], Dtype::I64, "arange");
        let _head = temporary(&[1], Dtype::I64, "arange");
        let positions = || {
            let _range = temporary(&[s], Dtype::I64, "arange");
            temporary(&[s], Dtype::I64, "add")
        };
        let (_queries, _keys) = (positions(), positions());
        let table = |op| temporary(&[1, 1, s, s], Dtype::Bool, op);
        if windowed {
            // and_masks(sliding_window_overlay(...), causal_mask_function)
            let all = temporary(&[], Dtype::Bool, "new_ones");
            let _in_window = {
                let first = temporary(&[1, 1, s, 1], Dtype::I64, "sub");
                let _after = table("gt");
                drop(first);
                table("__and__")
            };
            drop(all);
            let _causal = table("le");
            table("__and__")
        } else {
            table("le")
        }
    };
    if !eager {
        return Some(allowed);
    }
    let mask = {
        let _zero = temporary(&[], dtype, "tensor");
        let _scalar = temporary(&[], dtype, "where");
        temporary(&[b, 1, s, s], dtype, "where")
    };
    drop(allowed);
    Some(mask)
}
