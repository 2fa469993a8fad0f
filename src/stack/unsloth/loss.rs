//! Head and loss: logits of some rows or columns at a time, their gradients made at once
//! (`unsloth_zoo/fused_losses/{chunked_logprob,fused_linear}.py: unsloth_chunked_ce_loss, _ce_impl, _tiled_forward`).

use super::batch::Batch;
use crate::plan::Plan;
use crate::replay::{Dtype, Tape, Tensor};

/// Columns that statistics are taken over at once (`_SPLIT_COLS`), and of a tile on small cards (`_tiled_layout`).
const SPLIT_COLUMNS: u64 = 16_384;
/// Most rows of a chunk or tile (`_MAX_ROWS`, `_BWD_ROWS`).
const MOST_ROWS: u64 = 4096;
/// Bytes of a tile (`_BWD_TILE_BYTES`).
const TILE_BYTES: u64 = 256 << 20;
/// Cards up to this size tile however few rows there are (`_SMALL_CARD_BYTES`: 24.5 GiB).
const SMALL_CARD_BYTES: u64 = 49 << 29;
/// Fewest logits of a chunk (`_MIN_LOGITS`), and fewest rows.
const LEAST_LOGITS: u64 = 512 * 151_936;
const LEAST_ROWS: u64 = 512;
/// Most bytes of a chunk (`_CHUNK_GB`); half of the free memory when that is less.
const BUDGET_BYTES: u64 = 2 << 30;
/// Bytes of a logit: the product of half operands is written in fp32.
const LOGIT_BYTES: u64 = 4;

/// How the loss is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Tiles of rows by columns of the vocabulary, for a frozen head.
    Tiles {
        /// Rows of a tile.
        rows: u64,
        /// Columns of a tile.
        columns: u64,
    },
    /// Chunks of rows over the whole vocabulary.
    Chunks {
        /// Rows of a chunk.
        rows: u64,
    },
}

/// The largest power of two up to `n`.
fn power_below(n: u64) -> u64 {
    1 << n.max(1).ilog2()
}

/// Rows with a label: the first token of each document is no one's next.
pub fn labelled(plan: &Plan) -> u64 {
    plan.tokens().saturating_sub(plan.documents()).max(1)
}

/// The route that a batch takes.
pub fn route(plan: &Plan) -> Route {
    let (vocabulary, width, rows) = (plan.arch.vocab.max(1), plan.arch.hidden, labelled(plan));
    let small = plan.memory.is_some_and(|bytes| bytes <= SMALL_CARD_BYTES);
    let trains_head = plan.lora.as_ref().is_none_or(|lora| lora.saves[1]);
    let tiles = plan.device.capability.0 >= 8
        && vocabulary.div_ceil(SPLIT_COLUMNS) > 2
        && !trains_head
        && (small || rows >= MOST_ROWS);
    if tiles {
        let most = TILE_BYTES / (SPLIT_COLUMNS * LOGIT_BYTES);
        let tile_rows = MOST_ROWS.min(rows).min(most).max(1);
        let mut columns = (TILE_BYTES / (tile_rows * LOGIT_BYTES)).max(SPLIT_COLUMNS);
        if small {
            columns = columns.min(SPLIT_COLUMNS);
        }
        columns = columns / SPLIT_COLUMNS * SPLIT_COLUMNS;
        return Route::Tiles {
            rows: tile_rows,
            columns: columns.min(vocabulary.next_multiple_of(SPLIT_COLUMNS)),
        };
    }
    let least = power_below(LEAST_LOGITS / vocabulary).clamp(LEAST_ROWS, MOST_ROWS);
    let wanted = power_below(rows.saturating_mul(width) / vocabulary);
    let cap = BUDGET_BYTES / vocabulary.saturating_mul(LOGIT_BYTES);
    Route::Chunks {
        rows: wanted.max(least).min(MOST_ROWS).min(cap.max(2)).min(rows).max(1),
    }
}

const OP: &str = "fused_linear_cross_entropy";

/// Scratch of the program.
struct Scratch<'t>(&'t Tape);

impl<'t> Scratch<'t> {
    fn of(&self, n: u64, dtype: Dtype) -> Tensor<'t> {
        self.0.temporary(&[n], dtype, OP)
    }

    fn scalar(&self, dtype: Dtype) -> Tensor<'t> {
        self.0.temporary(&[], dtype, OP)
    }
}

/// `LlamaForCausalLM.forward` behind the hidden states: labels of first tokens are masked, and the loss is the sum over
/// the rest divided by the number of labelled tokens of the step.
pub fn loss<'t>(
    tape: &'t Tape,
    plan: &Plan,
    hidden: Tensor<'t>,
    head: &Tensor<'t>,
    batch: &Batch<'t>,
) -> Tensor<'t> {
    let make = Scratch(tape);
    let (tokens, documents) = (plan.tokens(), plan.documents());
    // `mask_packed_boundary_labels`
    let _labels = plan.padding_free.then(|| {
        let _lengths = make.of(documents, Dtype::I64);
        let _ends = make.of(documents, Dtype::I64);
        tape.scratch(1279, "cumsum");
        let inside = make.of(documents, Dtype::Bool);
        let index = make.of(documents, Dtype::I64);
        let clamped = make.of(documents, Dtype::I64);
        drop((inside, index, clamped));
        tape.temporary(batch.labels.layout().shape(), Dtype::I64, OP)
    });
    let targets = {
        let [rows, _] = plan.rows();
        let _pad = make.of(rows, Dtype::I64);
        make.of(tokens, Dtype::I64)
    };
    let _divisor = {
        let _wide = make.scalar(Dtype::F32);
        let _condition = (make.scalar(Dtype::Bool), make.scalar(Dtype::F32));
        make.scalar(Dtype::F32)
    };
    let _own_divisor = {
        let _condition = (make.scalar(Dtype::Bool), make.scalar(Dtype::F32));
        make.scalar(Dtype::F32)
    };
    let scaling = make.scalar(Dtype::F32);
    let rows = hidden.reshape(&[tokens, plan.arch.hidden]);
    drop(hidden);
    let (loss, gradients) = fused(plan, &make, &rows, head, &targets);
    let [for_rows, for_head] = &gradients;
    loss.fast_loss_of(&rows, head, [for_rows.as_ref(), for_head.as_ref()], &scaling);
    loss
}

/// `_ce_checked`, `_ce_impl`: the loss, and the gradients of rows and head.
fn fused<'t>(
    plan: &Plan,
    make: &Scratch<'t>,
    rows: &Tensor<'t>,
    head: &Tensor<'t>,
    targets: &Tensor<'t>,
) -> (Tensor<'t>, [Option<Tensor<'t>>; 2]) {
    let tape = make.0;
    let tokens = targets.layout().numel();
    let booleans = || make.of(tokens, Dtype::Bool);
    let _valid = {
        let labelled = booleans();
        let outside = {
            let _bounds = (booleans(), booleans());
            booleans()
        };
        let bad = booleans();
        drop((labelled, outside));
        let any = make.scalar(Dtype::Bool);
        let valid = make.scalar(Dtype::Bool);
        drop(any);
        (bad, valid)
    };
    let _index = {
        let keep = {
            let _above = (booleans(), booleans());
            booleans()
        };
        drop(booleans());
        let _count = make.scalar(Dtype::I32);
        drop(make.scalar(Dtype::Bool));
        let index = make.of(labelled(plan), Dtype::I64);
        tape.scratch(1023, "nonzero");
        drop(keep);
        index
    };
    let zeros = |of: &Tensor<'t>| tape.temporary(of.layout().shape(), of.dtype(), OP);
    let grad_on = tape.holds_graph();
    let for_rows = (grad_on && rows.requires_grad()).then(|| zeros(rows));
    let for_head = (grad_on && head.requires_grad()).then(|| zeros(head));
    let start = make.scalar(Dtype::F32);
    // Products are of the model's dtype; a trained head may be wider, and so may hidden states, as DoRA makes them.
    let wide = rows.dtype();
    let _cast = (head.dtype() != plan.dtype).then(|| tape.temporary(head.layout().shape(), plan.dtype, OP));
    let _coefficient = make.scalar(Dtype::F32);
    let log_probabilities = make.of(labelled(plan), Dtype::F32);
    match route(plan) {
        Route::Tiles { rows, columns } => tiles(plan, make, [rows, columns], wide),
        Route::Chunks { rows } => {
            // The scale is split where products are in half precision and what they are added to is not.
            let is_split = for_head.as_ref().is_none_or(|of| of.dtype() == Dtype::F32);
            chunks(plan, make, rows, is_split, wide);
        }
    }
    let loss = {
        let wide = make.of(labelled(plan), Dtype::F64);
        let _negated = make.of(labelled(plan), Dtype::F64);
        drop(wide);
        let _quotient = {
            let _sum = make.scalar(Dtype::F64);
            let _divisor = make.scalar(Dtype::F64);
            make.scalar(Dtype::F64)
        };
        make.scalar(Dtype::F32)
    };
    drop((log_probabilities, start));
    (loss, [for_rows, for_head])
}

/// `_rows_of`, in the dtype of products.
fn picked_rows<'t>(tape: &'t Tape, plan: &Plan, shape: [u64; 2], wide: Dtype) -> Tensor<'t> {
    let picked = tape.temporary(&shape, wide, OP);
    if wide == plan.dtype {
        return picked;
    }
    let narrow = tape.temporary(&shape, plan.dtype, OP);
    drop(picked);
    narrow
}

/// `_tiled_forward` with the gradient of the rows.
fn tiles(plan: &Plan, make: &Scratch<'_>, [rows, columns]: [u64; 2], wide: Dtype) {
    let (tape, width, all) = (make.0, plan.arch.hidden, labelled(plan));
    let _statistics = make.of(all, Dtype::F32);
    let _negated = make.scalar(Dtype::F32);
    let _logits = tape.temporary(&[rows, columns.next_multiple_of(8)], Dtype::F32, OP);
    let _sums = tape.temporary(&[rows, width], Dtype::F32, OP);
    let _maxima = make.of(rows, Dtype::F32);
    let splits = plan.arch.vocab.div_ceil(SPLIT_COLUMNS);
    let mut held = None;
    for size in [rows, all % rows] {
        let steps = if size == rows { (all / rows).min(2) } else { 1 };
        for _ in 0..if size == 0 { 0 } else { steps } {
            // Each name keeps what the tile before made until its own is there.
            let (picked, targets, partial) = held.take().unwrap_or_default();
            let next_picked = Some(picked_rows(tape, plan, [size, width], wide));
            drop(picked);
            let next_targets = Some(make.of(size, Dtype::I64));
            drop(targets);
            let next_partial = Some(make.of(8 * splits * size, Dtype::F32));
            drop(partial);
            tape.touch_workspace();
            held = Some((next_picked, next_targets, next_partial));
        }
    }
}

/// The loop over chunks of rows.
fn chunks(plan: &Plan, make: &Scratch<'_>, rows: u64, is_split: bool, wide: Dtype) {
    let (tape, width, all) = (make.0, plan.arch.hidden, labelled(plan));
    let vocabulary = plan.arch.vocab;
    let _logits = tape.temporary(&[rows, vocabulary.next_multiple_of(8)], Dtype::F32, OP);
    let _ratio = is_split.then(|| {
        let _power = {
            let _rounded = {
                let _logarithm = make.scalar(Dtype::F32);
                make.scalar(Dtype::F32)
            };
            make.scalar(Dtype::F32)
        };
        make.scalar(Dtype::F32)
    });
    let splits = vocabulary.div_ceil(SPLIT_COLUMNS);
    let mut held = None;
    for size in [rows, all % rows] {
        let steps = if size == rows { (all / rows).min(2) } else { 1 };
        for _ in 0..if size == 0 { 0 } else { steps } {
            let (picked, targets, statistics, gradient) = held.take().unwrap_or_default();
            let next_picked = Some(picked_rows(tape, plan, [size, width], wide));
            drop(picked);
            let next_targets = Some(make.of(size, Dtype::I64));
            drop(targets);
            tape.touch_workspace();
            let next_statistics = Some(make.of(size, Dtype::F32));
            if splits > 2 {
                drop(make.of(7 * splits * size, Dtype::F32));
            }
            drop(make.scalar(Dtype::F32));
            drop(statistics);
            let next_gradient = Some(tape.temporary(&[size, width], Dtype::F32, OP));
            drop(gradient);
            drop(tape.temporary(&[size, width], plan.dtype, OP));
            held = Some((next_picked, next_targets, next_statistics, next_gradient));
        }
    }
}
