//! Low-rank updates of whole weights: products of matrices, and batches of them added to a stack
//! (`aten/src/ATen/native/cuda/Blas.cpp: addmm_out_cuda_impl, bmm_out_cuda_impl`).

use crate::autograd::grad::Gradient;
use crate::autograd::graph::MAX_EDGES;
use crate::layout::Layout;
use crate::tape::{Inner, NONE, Tensor};

impl<'t> Tensor<'t> {
    /// `self @ other` of two matrices. Autocast casts the operands.
    pub fn matmul(&self, other: &Tensor<'t>) -> Tensor<'t> {
        let (left, right) = match self.tape.autocast() {
            // The arguments of the call are cast from the last to the first.
            Some(dtype) => {
                let right = other.autocast_operand(dtype);
                (self.autocast_operand(dtype), right)
            }
            None => (self.clone(), other.clone()),
        };
        let mut inner = self.tape.inner.borrow_mut();
        let node = inner.save_factors(Gradient::Bmm, "MmBackward0", left.id, right.id);
        let (rows, columns) = (
            inner.records[left.id as usize].layout,
            inner.records[right.id as usize].layout,
        );
        let dtype = inner.records[left.id as usize].dtype;
        let out = inner.alloc(rows.with_last(columns.last()), dtype, "matmul");
        inner.touch_workspace();
        inner.made_by(out, node);
        self.beside(out)
    }

    /// `torch.baddbmm(self, left, right, alpha=...)` outside autocast, where `self` takes no gradient; `scaled`: alpha is
    /// not 1.
    pub fn baddbmm(&self, left: &Tensor<'t>, right: &Tensor<'t>, scaled: bool) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let node = inner.save_factors(
            Gradient::Baddbmm { scaled },
            "BaddbmmBackward0",
            left.id,
            right.id,
        );
        let (layout, dtype) = (
            inner.records[self.id as usize].layout.dense(),
            inner.records[self.id as usize].dtype,
        );
        let out = inner.alloc(layout, dtype, "baddbmm");
        let factors = [left.id, right.id].map(|id| inner.records[id as usize].layout);
        inner.batch_copies(&factors, dtype);
        inner.touch_workspace();
        inner.made_by(out, node);
        self.beside(out)
    }
}

impl Inner {
    /// A node of a product: each factor is saved for the other's gradient.
    fn save_factors(&mut self, op: Gradient, name: &'static str, left: u32, right: u32) -> Option<u32> {
        let ids = [left, right];
        self.records_grad(&ids).then(|| {
            let node = self.node(op, name, &ids);
            if self.needs_grad(left) {
                self.save(node, 1, right);
            }
            if self.needs_grad(right) {
                self.save(node, 0, left);
            }
            node
        })
    }

    /// Copies that a batched product makes of operands that are neither in rows nor in columns
    /// (`prepare_batch_matrix_for_cublas`).
    fn batch_copies(&mut self, operands: &[Layout], dtype: crate::dtype::Dtype) {
        let copies: Vec<u32> = operands
            .iter()
            .filter(|operand| !operand.is_batch_of_matrices())
            .map(|operand| self.scratch(operand.numel().saturating_mul(dtype.size()), "bmm"))
            .collect();
        for copy in copies {
            self.free_scratch(copy);
        }
    }

    /// `BaddbmmBackward0`: `maybe_multiply(grad.bmm(batch2.T), alpha)`, then `maybe_multiply(batch1.T.bmm(grad), alpha)`.
    pub(crate) fn baddbmm_gradients(&mut self, node: u32, g: u32, scaled: bool, out: &mut [u32; MAX_EDGES]) {
        let (g_layout, dtype) = (self.records[g as usize].layout, self.records[g as usize].dtype);
        for (i, slot) in out.iter_mut().take(2).enumerate() {
            let Some(input) = self.input(self.nodes[node as usize].inputs[i]) else {
                continue;
            };
            let factor = self.saved(node, 1 - i);
            let like = Layout::contiguous(input.layout.shape());
            let mut product = self.alloc(like, dtype, "bmm");
            if factor != NONE {
                let factor = self.records[factor as usize].layout.transposed(1, 2);
                self.batch_copies(&[g_layout, factor], dtype);
            }
            self.touch_workspace();
            if scaled {
                let multiplied = self.alloc(like, dtype, "mul");
                self.release(product);
                product = multiplied;
            }
            *slot = product;
        }
    }
}
