//! Rotary tables, kept for as many positions as packed batches could name
//! (`unsloth/models/llama.py: LlamaRotaryEmbedding`).

use crate::estimate::Category;
use crate::plan::Plan;
use crate::replay::{Dtype, Group, Tape, Tensor};
use crate::stack::hf::model::Layer;
use std::cell::RefCell;

/// Tables grow by this many rows (`_round_rope_size`).
const ROUND: u64 = 8192;
/// Rows that are computed at once, and with which tables begin (`_rope_build_chunk_rows`, `current_rope_size`).
const CHUNK: u64 = 32_768;

/// Cosines and sines, made in the first forward pass.
#[derive(Debug, Default)]
pub struct Tables<'t>(RefCell<Vec<Tensor<'t>>>);

/// Rows of the tables (`LlamaModel_fast_forward`, `_rope_cache_rows`): with explicit positions every one that the model
/// knows; else those of the batch, at least the first 32,768.
fn rows(plan: &Plan) -> u64 {
    let known = plan.arch.max_positions;
    let current = if known > CHUNK {
        known.next_multiple_of(ROUND)
    } else {
        known
    };
    let floor = known.min(CHUNK);
    let length = plan.row_length().max(plan.max_seq_length());
    let wanted = if plan.padding_free {
        length.max(known)
    } else {
        length
    };
    let rows = floor.max(wanted.next_multiple_of(ROUND)).min(current);
    // `LlamaAttention_fast_forward`: rows longer than the tables make them grow.
    if plan.row_length() > rows {
        plan.row_length().next_multiple_of(ROUND)
    } else {
        rows
    }
}

/// Does the GPU compute the tables, as where they are longer than they began?
pub fn are_computed_on_the_gpu(plan: &Plan) -> bool {
    rows(plan) > CHUNK
}

impl<'t> Tables<'t> {
    /// As up to the end of 2024: tables of every layer's own, made while loading (`LlamaRotaryEmbedding` of 2024.8).
    pub fn of_layers(tape: &'t Tape, plan: &Plan, layers: &[Layer<'t>]) -> Self {
        let rows = CHUNK.min(plan.arch.max_positions);
        let rows = if plan.seq > rows {
            plan.seq.next_multiple_of(ROUND)
        } else {
            rows
        };
        let mut tables = Vec::new();
        for layer in layers {
            tape.enter_group(layer.group);
            tables.extend([(); 2].map(|()| Self::table(tape, plan, rows)));
        }
        tape.enter_group(Group::default());
        Tables(RefCell::new(tables))
    }

    fn table(tape: &'t Tape, plan: &Plan, rows: u64) -> Tensor<'t> {
        let shape = [rows, plan.arch.attention.rotary_dim];
        tape.tensor(&shape, plan.dtype, Category::Buffers, "rope_cache")
    }

    /// `_set_cos_sin_cache`, where there are none yet.
    pub fn ensure(&self, tape: &'t Tape, plan: &Plan) {
        if !self.0.borrow().is_empty() {
            return;
        }
        let (rows, width) = (rows(plan), plan.arch.attention.rotary_dim);
        let fp32 = |rows, width| tape.temporary(&[rows, width], Dtype::F32, "rope_cache");
        if rows <= CHUNK {
            // Computed on the host, and cast on the GPU.
            for _ in 0..2 {
                let table = Self::table(tape, plan, rows);
                drop(fp32(rows, width));
                self.0.borrow_mut().push(table);
            }
            return;
        }
        let _positions = tape.temporary(&[rows], Dtype::F32, "arange");
        let _frequencies = fp32(CHUNK, width / 2);
        let _angles = fp32(CHUNK, width);
        let part = || {
            let raw = fp32(CHUNK, width);
            let scaled = fp32(CHUNK, width);
            drop(raw);
            let part = tape.temporary(&[CHUNK, width], plan.dtype, "rope_cache");
            drop(scaled);
            part
        };
        let _parts = (part(), part());
        for _ in 0..2 {
            self.0.borrow_mut().push(Self::table(tape, plan, rows));
        }
    }
}
