//! Products with complex tables, as two numbers of fp32 each. A complex tensor is kept in the shape of its real view.

use crate::autograd::grad::Gradient;
use crate::autograd::graph::MAX_EDGES;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::{Inner, NONE, Tensor};

impl<'t> Tensor<'t> {
    /// `torch.view_as_real(torch.view_as_complex(self) * table)`, `self` in fp32.
    pub fn turn(&self, table: &Tensor<'t>) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let node = inner.records_grad(&[self.id]).then(|| {
            let node = inner.node(Gradient::Turn, "MulBackward0", &[self.id]);
            inner.save(node, 0, table.id);
            node
        });
        let layout = inner.records[self.id as usize].layout.like();
        let out = inner.alloc(layout, Dtype::F32, "mul");
        inner.made_by(out, node);
        drop(inner);
        let product = self.beside(out);
        product.viewed("ViewAsRealBackward0", Gradient::Contiguous, layout)
    }
}

impl Inner {
    /// `grad * table.conj()`: the conjugate, a flag of its tensor, is made whole for the product.
    pub(crate) fn turn_gradient(&mut self, node: u32, g: u32, out: &mut [u32; MAX_EDGES]) {
        let table = self.saved(node, 0);
        let bytes = match table {
            NONE => 0,
            table => self.records[table as usize].layout.numel() * Dtype::F32.size(),
        };
        let conjugate = self.scratch(bytes, "conj");
        let layout = self.records[g as usize].layout.like();
        out[0] = self.alloc(layout, Dtype::F32, "mul");
        self.free_scratch(conjugate);
    }

    /// `view_as_complex(grad.contiguous())`.
    pub(crate) fn contiguous_gradient(&mut self, g: u32) -> u32 {
        let (layout, dtype) = (self.records[g as usize].layout, self.records[g as usize].dtype);
        if layout.is_contiguous() {
            return self.retain(g);
        }
        self.alloc(Layout::contiguous(layout.shape()), dtype, "contiguous")
    }
}
