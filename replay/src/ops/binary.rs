//! Operations over several tensors, element by element or side by side.

use super::unary::Save;
use crate::autograd::grad::Gradient;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::Tensor;

impl<'t> Tensor<'t> {
    /// `torch.cat((self, other), dim=-1)`.
    pub fn cat_last(&self, other: &Tensor<'t>) -> Tensor<'t> {
        let layout = self.layout();
        let layout = layout.with_last(layout.last() + other.layout().last());
        self.binary(other, "cat", "CatBackward0", Gradient::Cat, false, Some(layout))
    }

    /// `torch.cat((self, second, third), dim=-1)`, of equal dtypes.
    pub fn cat_last_with(&self, second: &Tensor<'t>, third: &Tensor<'t>) -> Tensor<'t> {
        let ids = [self.id, second.id, third.id];
        let mut inner = self.tape.inner.borrow_mut();
        let node = inner.node_over(Gradient::Cat, "CatBackward0", &ids);
        let width = ids
            .iter()
            .map(|&id| inner.records[id as usize].layout.last())
            .fold(0, u64::saturating_add);
        let (layout, dtype) = (
            inner.records[self.id as usize].layout,
            inner.records[self.id as usize].dtype,
        );
        let out = inner.alloc(layout.with_last(width), dtype, "cat");
        inner.made_by(out, node);
        self.beside(out)
    }

    /// `torch.cat([empty, self], dim=-2)`, the empty one of a dtype: a copy that is contiguous, in the wider of both.
    pub fn cat_with_nothing(&self, of: Dtype) -> Tensor<'t> {
        let layout = Layout::contiguous(self.layout().shape());
        self.unary(
            "cat",
            "CatBackward0",
            Gradient::Cat,
            Save::Nothing,
            self.dtype().promote(of),
            layout,
        )
    }

    /// `self + other`.
    pub fn add(&self, other: &Tensor<'t>) -> Tensor<'t> {
        self.binary(other, "add", "AddBackward0", Gradient::Pass, false, None)
    }

    /// `self - other`.
    pub fn sub(&self, other: &Tensor<'t>) -> Tensor<'t> {
        self.binary(other, "sub", "SubBackward0", Gradient::Sub, false, None)
    }

    /// `self & other`, of booleans.
    pub fn and(&self, other: &Tensor<'t>) -> Tensor<'t> {
        self.binary(other, "__and__", "", Gradient::Pass, false, None)
    }

    /// `self * other`.
    pub fn mul(&self, other: &Tensor<'t>) -> Tensor<'t> {
        self.binary(other, "mul", "MulBackward0", Gradient::Mul, true, None)
    }

    /// `self *= other`, of a factor that needs no gradient: a node that keeps the factor, but no memory.
    pub fn mul_in_place(&self, other: &Tensor<'t>) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let node = inner.node_over(Gradient::Mul, "MulBackward0", &[self.id]);
        if let Some(node) = node {
            inner.save(node, 1, other.id);
        }
        let layout = inner.records[self.id as usize].layout;
        let out = inner.alias(self.id, layout, false);
        inner.made_by(out, node);
        self.beside(out)
    }

    fn binary(
        &self,
        other: &Tensor<'t>,
        op: &'static str,
        name: &'static str,
        gradient: Gradient,
        product: bool,
        layout: Option<Layout>,
    ) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let ids = [self.id, other.id];
        let node = inner.records_grad(&ids).then(|| {
            let node = inner.node(gradient, name, &ids);
            if product {
                // Each factor is kept for the other's gradient; `other` is set first.
                if inner.needs_grad(self.id) {
                    inner.save(node, 1, other.id);
                }
                if inner.needs_grad(other.id) {
                    inner.save(node, 0, self.id);
                }
            }
            node
        });
        let (a, b) = (
            &inner.records[self.id as usize],
            &inner.records[other.id as usize],
        );
        let layout = layout.unwrap_or_else(|| Layout::elementwise(&[&a.layout, &b.layout]));
        let dtype = promote(a.dtype, &a.layout, b.dtype, &b.layout);
        let out = inner.alloc(layout, dtype, op);
        inner.made_by(out, node);
        self.beside(out)
    }
}

/// The dtype of a binary result: tensors without dimensions do not raise the type of those with some.
pub(crate) fn promote(a: Dtype, a_layout: &Layout, b: Dtype, b_layout: &Layout) -> Dtype {
    match (a_layout.shape().is_empty(), b_layout.shape().is_empty()) {
        (true, false) => b,
        (false, true) => a,
        _ => a.promote(b),
    }
}
