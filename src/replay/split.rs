//! Splitting a tensor into views.

use super::grad::Gradient;
use super::tape::Tensor;

impl<'t> Tensor<'t> {
    /// `self.chunk(2, dim=-1)`.
    pub fn halves_last(&self) -> (Tensor<'t>, Tensor<'t>) {
        let half = self.layout().last() / 2;
        self.split_last("SplitBackward0", [half, half])
    }

    /// `torch.split(self, [first, second], dim=-1)`.
    pub fn parts_last(&self, first: u64, second: u64) -> (Tensor<'t>, Tensor<'t>) {
        self.split_last("SplitWithSizesBackward0", [first, second])
    }

    fn split_last(&self, name: &'static str, [first, second]: [u64; 2]) -> (Tensor<'t>, Tensor<'t>) {
        let layout = self.layout();
        let mut inner = self.tape.inner.borrow_mut();
        let node = inner
            .records_grad(&[self.id])
            .then(|| inner.node(Gradient::Split, name, &[self.id]));
        let mut part = |output: u8, width: u64| {
            let id = inner.alias(self.id, layout.narrowed_last(width), true);
            if let Some(node) = node {
                inner.set_node(id, node, output);
            }
            Tensor { tape: self.tape, id }
        };
        (part(0, first), part(1, second))
    }
}
