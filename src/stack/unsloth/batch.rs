//! Batches: one row of all sequences, as TRL's padding-free collator lays them, or a row a sequence.

use crate::estimate::Category;
use crate::plan::Plan;
use crate::replay::{Dtype, Tape, Tensor};
use std::cell::RefCell;

/// A micro-batch on the GPU.
#[derive(Debug)]
pub struct Batch<'t> {
    /// `input_ids`.
    pub ids: Tensor<'t>,
    /// `labels`.
    pub labels: Tensor<'t>,
    /// `position_ids`, which begin again with each document; of padded batches `attention_mask`.
    pub _positions: Tensor<'t>,
    /// `packed_seq_lengths` of padding-free batches.
    pub lengths: Option<Tensor<'t>>,
    /// Labelled tokens, counted; before hand-written layers a padding-free batch gives its number to the step's at once.
    _items: Option<Tensor<'t>>,
}

impl<'t> Batch<'t> {
    /// The batch moves to the GPU, and its labelled tokens are counted
    /// (`unsloth_zoo/loss_utils.py: _unsloth_get_batch_samples, count_batch_items`).
    pub fn load(tape: &'t Tape, plan: &Plan) -> Self {
        let (tokens, documents) = (plan.tokens(), plan.documents());
        let shape = plan.rows();
        let move_to = |name| tape.tensor(&shape, Dtype::I64, Category::Inputs, name);
        let (ids, labels, positions) = (move_to("input_ids"), move_to("labels"), move_to("position_ids"));
        let lengths = plan
            .padding_free
            .then(|| tape.tensor(&[documents], Dtype::I32, Category::Inputs, "packed_seq_lengths"));
        let items = {
            const OP: &str = "count_batch_items";
            let temporary = |n, dtype| tape.temporary(&[n], dtype, OP);
            let after = tokens.saturating_sub(1);
            let _labelled = temporary(after, Dtype::Bool);
            let _boundaries = {
                let _ends = (temporary(documents, Dtype::I64), temporary(documents, Dtype::I64));
                tape.scratch(1279, OP);
                let _scalars = [(); 5].map(|()| temporary(1, Dtype::I64));
                temporary(tokens, Dtype::Bool)
            };
            drop((temporary(after, Dtype::Bool), temporary(after, Dtype::Bool)));
            let count = temporary(1, Dtype::I64);
            tape.scratch(after * 8, OP);
            count
        };
        Batch {
            ids,
            labels,
            _positions: positions,
            lengths,
            _items: Some(items).filter(|_| !plan.padding_free || plan.generic),
        }
    }
}

/// The boundaries of the row's documents on the GPU, made once a micro-batch and kept until the next's
/// (`unsloth/utils/packing.py: get_packed_info_from_kwargs`).
#[derive(Debug, Default)]
pub struct Boundaries<'t>(RefCell<Option<[Tensor<'t>; 2]>>);

impl<'t> Boundaries<'t> {
    fn cumulative(tape: &'t Tape, plan: &Plan) -> Tensor<'t> {
        tape.temporary(&[plan.documents() + 1], Dtype::I32, "packed_seq_lengths")
    }

    /// The first layer of a micro-batch makes them.
    pub fn renew(&self, tape: &'t Tape, plan: &Plan, batch: &Batch<'t>) -> Option<Tensor<'t>> {
        let lengths = batch.lengths.clone()?;
        let fresh = Self::cumulative(tape, plan);
        tape.scratch(1023, "cumsum");
        let old = self.0.replace(Some([fresh, lengths]));
        // The lengths of the batch before are held by a variable of the call until its rotation is done.
        old.map(|[_, lengths]| lengths)
    }

    /// As after a step.
    pub fn settle(&self, tape: &'t Tape, plan: &Plan) {
        if !plan.padding_free {
            return;
        }
        let lengths = tape.temporary(&[plan.documents()], Dtype::I32, "packed_seq_lengths");
        self.0.replace(Some([Self::cumulative(tape, plan), lengths]));
    }
}
