//! The cross-entropy loss.

use crate::autograd::grad::Gradient;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::{NONE, Tensor};

impl<'t> Tensor<'t> {
    /// `torch.nn.functional.cross_entropy(self, labels)` of tokens x vocabulary: log-probabilities, then their mean.
    pub fn cross_entropy(&self, labels: &Tensor<'t>) -> Tensor<'t> {
        const OP: &str = "cross_entropy";
        // Autocast computes the loss in fp32.
        let logits = if self.tape.autocast().is_some() {
            self.to(Dtype::F32)
        } else {
            self.clone()
        };
        let mut inner = self.tape.inner.borrow_mut();
        let (layout, dtype) = (logits.layout_in(&inner), inner.records[logits.id as usize].dtype);
        let grad = inner.records_grad(&[logits.id]);
        let log_softmax = grad.then(|| inner.node(Gradient::LogSoftmax, "LogSoftmaxBackward0", &[logits.id]));
        let log_probs = inner.alloc(layout.dense(), dtype, OP);
        if let Some(node) = log_softmax {
            inner.set_node(log_probs, node, 0);
            inner.save(node, 0, log_probs);
        }
        let nll = grad.then(|| {
            let node = inner.node(Gradient::NllLoss, "NllLossBackward0", &[log_probs]);
            inner.save(node, 0, log_probs);
            inner.save(node, 1, labels.id);
            node
        });
        let out = inner.alloc(Layout::contiguous(&[]), dtype, OP);
        let total_weight = inner.alloc(Layout::contiguous(&[]), dtype, OP);
        if let Some(node) = nll {
            inner.set_node(out, node, 0);
            inner.save(node, 2, total_weight);
        }
        inner.release(total_weight);
        inner.release(log_probs);
        debug_assert!(out != NONE);
        drop(inner);
        self.beside(out)
    }

    fn layout_in(&self, inner: &crate::tape::Inner) -> Layout {
        inner.records[self.id as usize].layout
    }
}
