//! Where the layers begin: what one recorded layer of a kind needs to stand for all of its kind, the first included.

use super::grad::Gradient;
use crate::segment::rounded;
use crate::tape::{NONE, Sink, Tape, Tensor};

/// By how many times its input the backward pass of a first layer may exceed that of the others of its kind: its input lives
/// until it has its gradient, which may be copied to it.
const MARGIN: u64 = 4;

impl Tape {
    /// Does one layer of a kind stand for the first as well?
    pub fn bounds_first_layers(&self) -> bool {
        matches!(&self.inner.borrow().sink, Sink::Fold(fold) if fold.bounded > 0)
    }

    /// The input of the first layer as the other layers see theirs: the result of an operation, not a leaf. `shared` is what
    /// all layers use; it lives until the backward pass is over.
    pub fn enter_layers<'t>(&'t self, hidden: &Tensor<'t>, shared: &[&Tensor<'t>]) -> Tensor<'t> {
        let mut inner = self.inner.borrow_mut();
        for tensor in shared {
            let id = inner.retain(tensor.id);
            inner.outlive.push(id);
        }
        if inner.records[hidden.id as usize].node != NONE || !inner.records_grad(&[hidden.id]) {
            drop(inner);
            return hidden.clone();
        }
        let node = inner.node(Gradient::Pass, "", &[hidden.id]);
        let record = &mut inner.records[hidden.id as usize];
        let (layout, dtype) = (record.layout, record.dtype);
        let storage = std::mem::replace(&mut record.storage, NONE);
        let id = inner.record(storage, layout, dtype, false);
        inner.set_node(id, node, 0);
        inner.entry = id;
        Tensor { tape: self, id }
    }

    /// The layers are left with this result: as the input of the next layer it must be like that of the first.
    pub fn leave_layers(&self, entered: &Tensor<'_>, left: &Tensor<'_>) {
        let mut inner = self.inner.borrow_mut();
        let (a, b) = (
            &inner.records[entered.id as usize],
            &inner.records[left.id as usize],
        );
        let alike = a.layout == b.layout
            && (a.dtype, a.requires_grad, a.view) == (b.dtype, b.requires_grad, b.view)
            && (a.node == NONE) == (b.node == NONE);
        let bytes = a.layout.numel().saturating_mul(a.dtype.size());
        inner.differ |= !alike;
        inner.margin = inner.margin.max(rounded(bytes).saturating_mul(MARGIN));
    }

    /// The peak of a folding tape; nothing when layers that were taken for alike, or bounded, might decide it.
    pub fn sure_peak(&self) -> Option<u64> {
        let inner = self.inner.borrow();
        match &inner.sink {
            Sink::Fold(fold) if !inner.differ && fold.is_sure_by(inner.margin) => Some(fold.peak()),
            _ => None,
        }
    }
}
