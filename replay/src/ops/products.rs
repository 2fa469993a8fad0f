//! Matrix products, and how autocast casts what goes into them.

use crate::autograd::grad::{Gradient, LinearGrad};
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::{Inner, NONE, Tensor};

impl<'t> Tensor<'t> {
    /// `torch.bmm(self, other)`.
    pub fn bmm(&self, other: &Tensor<'t>) -> Tensor<'t> {
        let other = other.in_autocast();
        self.in_autocast().bmm_plain(&other)
    }

    /// Batched product: batch x heads (x chunks) x rows x inner by batch x heads (x chunks) x inner x columns.
    /// An operand whose strides do not flatten to three dimensions is copied first.
    pub fn matmul_heads(&self, other: &Tensor<'t>) -> Tensor<'t> {
        let flat = |t: &Tensor<'t>| {
            let layout = t.layout();
            let (matrices, s) = layout.shape().split_at(layout.shape().len() - 2);
            t.reshape(&[matrices.iter().product(), s[0], s[1]])
        };
        // Autocast casts the arguments of the call from the last to the first.
        let other = other.in_autocast();
        let this = self.in_autocast();
        let (a, b) = (flat(&this), flat(&other));
        let product = self.layout().with_last(other.layout().last());
        let out = a.bmm_plain(&b);
        out.viewed("UnsafeViewBackward0", Gradient::View, product)
    }

    fn bmm_plain(&self, other: &Tensor<'t>) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let ids = [self.id, other.id];
        let node = inner.records_grad(&ids).then(|| {
            let node = inner.node(Gradient::Bmm, "BmmBackward0", &ids);
            if inner.needs_grad(ids[0]) {
                inner.save(node, 1, ids[1]);
            }
            if inner.needs_grad(ids[1]) {
                inner.save(node, 0, ids[0]);
            }
            node
        });
        let [left, right] = ids.map(|id| &inner.records[id as usize]);
        let (left_shape, dtype) = (left.layout.shape(), left.dtype);
        let shape = [left_shape[0], left_shape[1], right.layout.last()];
        let out = inner.alloc(Layout::contiguous(&shape), dtype, "matmul");
        inner.touch_workspace();
        inner.made_by(out, node);
        self.beside(out)
    }

    /// The cast that autocast makes of an operand: leaves that need gradients are cast once and kept until it ends.
    pub(crate) fn autocast_operand(&self, dtype: Dtype) -> Tensor<'t> {
        if self.dtype() == dtype || !matches!(self.dtype(), Dtype::F32 | Dtype::Bf16 | Dtype::F16) {
            return self.clone();
        }
        let cached = {
            let mut inner = self.tape.inner.borrow_mut();
            // Were it a leaf, as for the first layer, its cast would be kept.
            inner.differ |= self.id == inner.entry;
            let r = &inner.records[self.id as usize];
            let cacheable = r.requires_grad && r.node == NONE && !r.view && r.dtype == Dtype::F32;
            if cacheable && r.cast != NONE {
                let id = r.cast;
                inner.retain(id);
                return Tensor { tape: self.tape, id };
            }
            cacheable && !inner.stopped
        };
        let cast = self.to(dtype);
        if cached {
            let mut inner = self.tape.inner.borrow_mut();
            inner.retain(cast.id);
            inner.records[self.id as usize].cast = cast.id;
            let group = inner.group;
            inner.casts.push((self.id, group));
        }
        cast
    }

    /// As an operation that autocast casts takes it.
    pub fn in_autocast(&self) -> Tensor<'t> {
        match self.tape.autocast() {
            Some(dtype) => self.autocast_operand(dtype),
            None => self.clone(),
        }
    }

    /// `torch.nn.functional.linear(self, weight, bias)`.
    pub fn linear(&self, weight: &Tensor<'t>, bias: Option<&Tensor<'t>>) -> Tensor<'t> {
        match self.tape.autocast() {
            None => self.linear_plain(weight, bias),
            Some(dtype) => {
                // The arguments of the call are cast from the last to the first.
                let bias = bias.map(|b| b.autocast_operand(dtype));
                let weight = weight.autocast_operand(dtype);
                let input = self.autocast_operand(dtype);
                input.linear_plain(&weight, bias.as_ref())
            }
        }
    }

    fn linear_plain(&self, weight: &Tensor<'t>, bias: Option<&Tensor<'t>>) -> Tensor<'t> {
        let input = self.contiguous();
        let mut inner = self.tape.inner.borrow_mut();
        let layout = inner.records[input.id as usize].layout;
        let w = inner.records[weight.id as usize].layout;
        let (outputs, inputs) = (w.shape()[0], w.last());
        let rows = layout.numel() / inputs.max(1);
        let ids = [input.id, weight.id, bias.map_or(NONE, |b| b.id)];
        let node = inner.records_grad(&ids).then(|| {
            let op = LinearGrad {
                rows,
                inputs,
                outputs,
                bias: bias.is_some(),
                flattened: layout.shape().len() > 2,
            };
            let name = if bias.is_some() {
                "AddmmBackward0"
            } else {
                "MmBackward0"
            };
            let node = inner.node(Gradient::Linear(op), name, &ids);
            if inner.needs_grad(input.id) {
                inner.save(node, 0, weight.id);
            }
            if inner.needs_grad(weight.id) {
                inner.save(node, 1, input.id);
            }
            node
        });
        let dtype = inner.records[input.id as usize].dtype;
        let out = inner.alloc(layout.with_last(outputs), dtype, "linear");
        if bias.is_some() {
            inner.touch_lt_workspace();
        } else {
            inner.touch_workspace();
        }
        inner.made_by(out, node);
        drop(inner);
        self.beside(out)
    }
}

impl Inner {
    /// Gradients of a batched product: `mat2` first, then `self` (`BmmBackward0`).
    pub(crate) fn bmm_gradients(
        &mut self,
        node: u32,
        g: u32,
        out: &mut [u32; crate::autograd::graph::MAX_EDGES],
    ) {
        let dtype = self.records[g as usize].dtype;
        for i in [1, 0] {
            if let Some(input) = self.input(self.nodes[node as usize].inputs[i]) {
                out[i] = self.alloc(input.layout.dense(), dtype, "bmm");
                self.touch_workspace();
            }
        }
    }
}
