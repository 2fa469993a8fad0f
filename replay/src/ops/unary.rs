//! Operations on one tensor, named and behaving as in PyTorch: what they allocate, what they save.

use crate::autograd::grad::Gradient;
use crate::autograd::graph::NODE_BITS;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::Tensor;

impl<'t> Tensor<'t> {
    pub(crate) fn unary(
        &self,
        op: &'static str,
        name: &'static str,
        gradient: Gradient,
        save: Save,
        dtype: Dtype,
        layout: Layout,
    ) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let node = inner.node_over(gradient, name, &[self.id]);
        if let (Some(node), Save::Input | Save::Both) = (node, save) {
            inner.save(node, 0, self.id);
        }
        let out = inner.alloc(layout, dtype, op);
        if let Some(node) = node {
            debug_assert!(node < 1 << NODE_BITS);
            inner.set_node(out, node, 0);
            if let Save::Output | Save::Both = save {
                inner.save(node, usize::from(save == Save::Both), out);
            }
        }
        self.beside(out)
    }

    pub(crate) fn like(&self) -> (Dtype, Layout) {
        let inner = self.tape.inner.borrow();
        let record = &inner.records[self.id as usize];
        (record.dtype, record.layout.like())
    }

    /// `self.to(dtype)`: the same tensor when nothing changes.
    pub fn to(&self, dtype: Dtype) -> Tensor<'t> {
        if self.dtype() == dtype {
            return self.clone();
        }
        let layout = self.like().1;
        self.unary(
            "to",
            "ToCopyBackward0",
            Gradient::Cast,
            Save::Nothing,
            dtype,
            layout,
        )
    }

    /// `self.pow(2)`.
    pub fn square(&self) -> Tensor<'t> {
        let (dtype, layout) = self.like();
        self.unary(
            "pow",
            "PowBackward0",
            Gradient::Square,
            Save::Input,
            dtype,
            layout,
        )
    }

    /// `self.mean(-1, keepdim=True)`.
    pub fn mean_last(&self) -> Tensor<'t> {
        let layout = self.layout().with_last(1);
        self.unary(
            "mean",
            "MeanBackward1",
            Gradient::Mean,
            Save::Nothing,
            self.dtype(),
            layout,
        )
    }

    /// `self + number`.
    pub fn add_number(&self) -> Tensor<'t> {
        let (dtype, layout) = self.like();
        self.unary(
            "add",
            "AddBackward0",
            Gradient::Pass,
            Save::Nothing,
            dtype,
            layout,
        )
    }

    /// `self * number` or `self / number`. Numbers are never packed by a checkpoint.
    pub fn scale(&self) -> Tensor<'t> {
        let (dtype, layout) = self.like();
        self.unary(
            "mul",
            "MulBackward0",
            Gradient::Pointwise,
            Save::Nothing,
            dtype,
            layout,
        )
    }

    /// `self *= number`: a node, but no memory.
    pub fn scale_in_place(&self) -> Tensor<'t> {
        self.viewed("MulBackward0", Gradient::Pointwise, self.layout())
    }

    /// `torch.rsqrt(self)`.
    pub fn rsqrt(&self) -> Tensor<'t> {
        let (dtype, layout) = self.like();
        self.unary(
            "rsqrt",
            "RsqrtBackward0",
            Gradient::Rsqrt,
            Save::Output,
            dtype,
            layout,
        )
    }

    /// `-self`.
    pub fn neg(&self) -> Tensor<'t> {
        let (dtype, layout) = self.like();
        self.unary(
            "neg",
            "NegBackward0",
            Gradient::Pointwise,
            Save::Nothing,
            dtype,
            layout,
        )
    }

    /// `silu(self)`, `gelu(self)`, `relu(self)`: they save their input.
    pub fn activation(&self, op: &'static str) -> Tensor<'t> {
        let (dtype, layout) = self.like();
        let name = if op == "silu" {
            "SiluBackward0"
        } else {
            "GeluBackward0"
        };
        self.unary(op, name, Gradient::Pointwise, Save::Input, dtype, layout)
    }

    /// `torch.tanh(self)`, `torch.sigmoid(self)`: they save their output.
    pub fn squash(&self, op: &'static str) -> Tensor<'t> {
        let (dtype, layout) = self.like();
        self.unary(
            op,
            "TanhBackward0",
            Gradient::Pointwise,
            Save::Output,
            dtype,
            layout,
        )
    }

    /// `torch.exp(self)`: it saves its output.
    pub fn exp(&self) -> Tensor<'t> {
        let (dtype, layout) = self.like();
        self.unary(
            "exp",
            "ExpBackward0",
            Gradient::Pointwise,
            Save::Output,
            dtype,
            layout,
        )
    }

    /// `self.to(dtype, memory_format=torch.contiguous_format)`: where the dtype is the same, the tensor itself, whatever
    /// its strides (`aten/src/ATen/native/TensorConversions.cpp: to_will_alias`).
    pub fn to_contiguous(&self, dtype: Dtype) -> Tensor<'t> {
        if self.dtype() == dtype {
            return self.clone();
        }
        let layout = self.layout().dense();
        self.unary(
            "to",
            "ToCopyBackward0",
            Gradient::Cast,
            Save::Nothing,
            dtype,
            layout,
        )
    }

    /// `self.clone()`.
    pub fn copy(&self) -> Tensor<'t> {
        let (dtype, layout) = self.like();
        self.unary(
            "clone",
            "CloneBackward0",
            Gradient::Pass,
            Save::Nothing,
            dtype,
            layout,
        )
    }

    /// `torch.nn.functional.softmax(self, dim=-1, dtype=dtype)`. CUDA kernels read fp16 and write fp32 at once, and back
    /// (`aten/src/ATen/native/SoftMax.cpp: softmax`, `half_to_float`); from bf16 there is a copy in between.
    pub fn softmax(&self, dtype: Dtype) -> Tensor<'t> {
        let half_to_float = self.dtype() == Dtype::F16 && dtype == Dtype::F32;
        let input = if half_to_float {
            self.clone()
        } else {
            self.to(dtype)
        };
        let layout = input.layout().dense();
        input.unary(
            "softmax",
            "SoftmaxBackward0",
            Gradient::Softmax { input: input.dtype() },
            Save::Output,
            dtype,
            layout,
        )
    }

    /// `torch.nn.functional.dropout(self, p, training=True)` for p above zero: a mask of one byte an element is kept.
    pub fn dropout(&self) -> Tensor<'t> {
        let (dtype, layout) = self.like();
        let mut inner = self.tape.inner.borrow_mut();
        let node = inner.node_over(Gradient::Pointwise, "NativeDropoutBackward0", &[self.id]);
        let mask = inner.alloc(layout, Dtype::Bool, "dropout");
        let out = inner.alloc(layout, dtype, "dropout");
        if let Some(node) = node {
            inner.set_node(out, node, 0);
            inner.save(node, 0, mask);
        }
        inner.release(mask);
        self.beside(out)
    }

    /// `torch._safe_softmax(self, dim=-1)`: rows that are masked as a whole are looked for.
    pub fn safe_softmax(&self) -> Tensor<'t> {
        let (dtype, layout) = (self.dtype(), self.layout().dense());
        let out = self.unary(
            "_safe_softmax",
            "SafeSoftmaxBackward0",
            Gradient::Softmax { input: dtype },
            Save::Output,
            dtype,
            layout,
        );
        let mut inner = self.tape.inner.borrow_mut();
        let masked = inner.scratch(layout.numel(), "_safe_softmax");
        let rows = inner.scratch(layout.numel() / layout.last().max(1), "_safe_softmax");
        let zero = inner.scratch(dtype.size(), "_safe_softmax");
        for s in [zero, rows, masked] {
            inner.free_scratch(s);
        }
        drop(inner);
        out
    }
}

/// What a unary operation keeps for backward.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Save {
    Nothing,
    Input,
    Output,
    Both,
}
