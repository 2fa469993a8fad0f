//! The node of Unsloth's fused head and loss (`unsloth_zoo/fused_losses/fused_linear.py`): the gradients are made in
//! forward, and scaled in backward.

use crate::autograd::grad::Gradient;
use crate::autograd::graph::MAX_EDGES;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::{Inner, NONE, Tensor};

impl<'t> Tensor<'t> {
    /// Makes `self` the loss of `hidden` and `head`, with these gradients and the `scaling` they hold.
    pub fn fast_loss_of(
        &self,
        hidden: &Tensor<'t>,
        head: &Tensor<'t>,
        gradients: [Option<&Tensor<'t>>; 2],
        scaling: &Tensor<'t>,
    ) {
        let mut inner = self.tape.inner.borrow_mut();
        let ids = [hidden.id, head.id];
        if !inner.records_grad(&ids) {
            return;
        }
        let node = inner.node(Gradient::FastLoss, "fused_linear_ceBackward", &ids);
        for (slot, gradient) in gradients.into_iter().enumerate() {
            if let Some(gradient) = gradient {
                inner.save(node, slot, gradient.id);
            }
        }
        inner.save(node, 2, scaling.id);
        inner.set_node(self.id, node, 0);
    }
}

impl Inner {
    /// `_ce_backward`: each gradient times the incoming one, into memory of its own (`_scale_rows_impl`).
    pub(crate) fn fast_loss_gradients(&mut self, node: u32, out: &mut [u32; MAX_EDGES]) {
        const OP: &str = "fused_linear_scale_rows";
        let scalar = |inner: &mut Self, dtype| inner.alloc(Layout::contiguous(&[]), dtype, OP);
        let wide = [0, 1].map(|_| scalar(self, Dtype::F64));
        let factor = scalar(self, Dtype::F64);
        for id in wide {
            self.release(id);
        }
        for (slot, gradient) in out.iter_mut().take(2).enumerate() {
            let saved = self.saved(node, slot);
            if saved != NONE {
                let narrow = scalar(self, Dtype::F32);
                let (layout, dtype) = (
                    self.records[saved as usize].layout,
                    self.records[saved as usize].dtype,
                );
                *gradient = self.alloc(Layout::contiguous(layout.shape()), dtype, OP);
                self.release(narrow);
            }
        }
        self.release(factor);
    }
}
