//! Splitting a tensor into views.

use super::grad::Gradient;
use super::tape::Tensor;

impl<'t> Tensor<'t> {
    /// `self.chunk(2, dim=-1)`.
    pub fn halves_last(&self) -> (Tensor<'t>, Tensor<'t>) {
        let layout = self.layout().narrowed_last(self.layout().last() / 2);
        let mut inner = self.tape.inner.borrow_mut();
        let node = inner
            .records_grad(&[self.id])
            .then(|| inner.node(Gradient::Split, "SplitBackward0", &[self.id]));
        let mut half = |output: u8| {
            let id = inner.alias(self.id, layout, true);
            if let Some(node) = node {
                inner.set_node(id, node, output);
            }
            Tensor { tape: self.tape, id }
        };
        (half(0), half(1))
    }
}
