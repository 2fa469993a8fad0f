//! Head and loss of models with transformers' own forward: chunks of rows against the whole vocabulary, their gradients
//! made at once (`unsloth_zoo/fused_losses/cross_entropy_loss.py: UnslothFusedLoss`).

use super::sizes::{Buffer, Sizes};
use crate::estimate::Category;
use crate::plan::Plan;
use crate::replay::{Dtype, Tensor};

/// Bytes that a logit is taken to need when chunks are counted (`_CE_BYTES_PER_LOGIT`).
const BYTES_PER_LOGIT: f64 = 16.0;
/// The most that a chunk may take (`_CE_TARGET_GB_CAP`).
const MOST_GIB: f64 = 4.0;
const GIB: f64 = (1u64 << 30) as f64;

/// Gradients that wait for backward.
pub struct Waiting<'t> {
    rows: Buffer<'t>,
    head: Option<Buffer<'t>>,
}

/// The loss, and the gradients of the rows, which are of `hidden`'s dtype, and of a trained head.
pub fn forward<'t>(
    s: &Sizes<'t>,
    plan: &Plan,
    hidden: Tensor<'t>,
    head: &Tensor<'t>,
) -> (Tensor<'t>, Waiting<'t>) {
    let tape = s.tape;
    let labels = s.buffer(s.tokens, Dtype::I64);
    let scalar = || s.buffer(1, Dtype::F32);
    let divisor = scalar();
    let rows = s.buffer(s.tokens.saturating_mul(s.hidden), hidden.dtype());
    let for_head = head
        .requires_grad()
        .then(|| tape.temporary(head.layout().shape(), head.dtype(), "zeros_like"));
    let sum = scalar();
    let chunks = chunks(plan, hidden.dtype(), for_head.is_some());
    let size = s.tokens.div_ceil(chunks);
    let logits = || {
        let shape = [size, plan.arch.vocab];
        tape.tensor(&shape, s.dtype, Category::LogitsLoss, "compute_fused_ce_loss")
    };
    for chunk in 0..chunks.min(2) {
        let cast = (hidden.dtype() != s.dtype).then(|| s.buffer(size * s.hidden, s.dtype));
        let own = logits();
        tape.touch_workspace();
        let statistics = [(); 4].map(|()| s.buffer(size, Dtype::F32));
        let scale = s.buffer(size, Dtype::F32);
        let gradient = logits();
        if chunk == 0 {
            tape.generated_kernel();
        }
        drop((own, statistics, scale));
        let for_rows = s.buffer(size * s.hidden, s.dtype);
        // What need not be cast is copied at once to where it belongs.
        let for_rows = cast.is_some().then_some(for_rows);
        let for_weight = for_head
            .as_ref()
            .map(|head| tape.temporary(head.layout().shape(), head.dtype(), "mm"));
        drop((cast, gradient, for_weight, for_rows));
    }
    drop((divisor, labels));
    let loss = scalar();
    drop(sum);
    drop(hidden);
    (loss, Waiting { rows, head: for_head })
}

/// The gradients times the incoming one, into memory of their own.
pub fn backward<'t>(s: &Sizes<'t>, waiting: Waiting<'t>) -> (Tensor<'t>, Option<Tensor<'t>>) {
    let like = |of: &Tensor<'t>| s.tape.temporary(of.layout().shape(), of.dtype(), "mul");
    let rows = like(&waiting.rows);
    let head = waiting.head.as_ref().map(like);
    drop(waiting);
    (rows, head)
}

/// How many chunks the rows are cut into (`get_chunk_size`): so many that one fits into half of the memory that is free
/// when the loss is first computed, after what no number of chunks makes smaller.
fn chunks(plan: &Plan, rows: Dtype, trains_head: bool) -> u64 {
    let (tokens, vocabulary, width) = (plan.tokens(), plan.arch.vocab, plan.arch.hidden);
    let free = plan.memory.map_or(f64::INFINITY, |memory| {
        let weights = plan.arch.parameters().saturating_mul(plan.dtype.size());
        memory.saturating_sub(weights) as f64
    });
    let target = (free / GIB / 2.0).min(MOST_GIB);
    let head = vocabulary.saturating_mul(width).saturating_mul(plan.dtype.size());
    let fixed = tokens.saturating_mul(width).saturating_mul(rows.size());
    let fixed = fixed.saturating_add(if trains_head { 2 * head } else { 0 }) as f64 / GIB;
    let room = if fixed < target { target - fixed } else { target };
    let wanted = tokens as f64 * vocabulary as f64 * BYTES_PER_LOGIT / GIB / room.max(1e-3);
    if wanted <= 1.0 {
        return 1;
    }
    ((wanted / 4.0).ceil() as u64)
        .saturating_mul(4)
        .clamp(1, tokens.max(1))
}
