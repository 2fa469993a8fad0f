//! The cross entropies of earlier releases of Unsloth: over logits that were made before
//! (`unsloth/kernels/cross_entropy_loss.py: Fast_CrossEntropyLoss`), and without any
//! (`cut_cross_entropy/cce.py: LinearCrossEntropyFunction`).

use crate::autograd::grad::Gradient;
use crate::autograd::graph::MAX_EDGES;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::{Inner, Tensor};

/// Columns that one kernel reads; a wider vocabulary is read in parts (`MAX_FUSED_SIZE`).
const MOST_COLUMNS: u64 = 65_536;
const OP: &str = "fast_cross_entropy_loss";

impl<'t> Tensor<'t> {
    /// The loss of every row of logits (rows x vocabulary), fp32. Keeps logits and one number a row.
    pub fn fast_cross_entropy(&self, labels: &Tensor<'t>) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let layout = inner.records[self.id as usize].layout;
        let rows = layout.numel() / layout.last().max(1);
        let parts = layout.last().div_ceil(MOST_COLUMNS).max(1);
        let node = inner.records_grad(&[self.id]).then(|| {
            inner.node(
                Gradient::FastCrossEntropy,
                "Fast_CrossEntropyLossBackward",
                &[self.id],
            )
        });
        let vector =
            |inner: &mut Inner, shape: &[u64], dtype| inner.alloc(Layout::contiguous(shape), dtype, OP);
        let losses = vector(&mut inner, &[rows], Dtype::F32);
        let mut sums = vector(&mut inner, &[rows, parts], Dtype::F32);
        if parts > 1 {
            // `torch.logsumexp(logsumexp, dim = 1)`; `losses.masked_fill_(labels == -100, 0)`
            let whole = vector(&mut inner, &[rows], Dtype::F32);
            inner.release(sums);
            sums = whole;
            let masked = vector(&mut inner, &[rows], Dtype::Bool);
            inner.release(masked);
        }
        if let Some(node) = node {
            inner.set_node(losses, node, 0);
            for (slot, id) in [self.id, sums, labels.id].into_iter().enumerate() {
                inner.save(node, slot, id);
            }
        }
        inner.release(sums);
        drop(inner);
        Tensor {
            tape: self.tape,
            id: losses,
        }
    }

    /// The loss of hidden states (batch x sequence x width) against a frozen head (vocabulary x width): no logits, one
    /// number a labelled row and one a word.
    pub fn cut_cross_entropy(&self, head: &Tensor<'t>, labels: &Tensor<'t>) -> Tensor<'t> {
        const OP: &str = "linear_cross_entropy";
        let (tape, rows) = (self.tape, labels.layout().numel());
        let vocabulary = head.layout().shape().first().copied().unwrap_or(0);
        let valid = {
            let _found = tape.temporary(&[rows, 2], Dtype::I64, "nonzero");
            let _narrow = tape.temporary(&[rows, 2], Dtype::I32, "to");
            tape.temporary(&[rows], Dtype::I64, "sum")
        };
        let sums = tape.temporary(&[rows], Dtype::F32, OP);
        let averages = tape.temporary(&[vocabulary], Dtype::F32, OP);
        let picked = tape.temporary(&[rows], Dtype::F32, OP);
        let loss = tape.temporary(&[], Dtype::F32, OP);
        drop(picked);
        let mut inner = tape.inner.borrow_mut();
        if inner.records_grad(&[self.id]) {
            let node = inner.node(
                Gradient::CutCrossEntropy,
                "LinearCrossEntropyFunctionBackward",
                &[self.id],
            );
            inner.set_node(loss.id, node, 0);
            for (slot, tensor) in [self, &sums, labels, &valid, &averages].into_iter().enumerate() {
                inner.save(node, slot, tensor.id);
            }
        }
        drop(inner);
        loss
    }
}

impl Inner {
    /// `Fast_CrossEntropyLoss.backward`: the gradient is written where the logits were.
    pub(crate) fn fast_cross_entropy_gradient(&mut self, node: u32, out: &mut [u32; MAX_EDGES]) {
        let logits = self.saved(node, 0);
        let layout = self.records[logits as usize].layout;
        out[0] = self.alias(logits, layout, false);
    }

    /// `cce_backward_kernel`: the gradient of the hidden states alone; words are visited in the order of their averages.
    pub(crate) fn cut_cross_entropy_gradient(&mut self, node: u32, out: &mut [u32; MAX_EDGES]) {
        const OP: &str = "cce_backward_kernel";
        let averages = self.saved(node, 4);
        let words = self.records[averages as usize].layout;
        let order = self.alloc(words, Dtype::I64, OP);
        let hidden = self.saved(node, 0);
        let (layout, dtype) = (
            self.records[hidden as usize].layout,
            self.records[hidden as usize].dtype,
        );
        out[0] = self.alloc(Layout::contiguous(layout.shape()), dtype, OP);
        self.release(order);
    }
}
