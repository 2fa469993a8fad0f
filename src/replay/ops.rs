//! Tensor operations, named and behaving as in PyTorch: what they allocate, what they save, which views they make.

use super::autograd::NODE_BITS;
use super::dtype::Dtype;
use super::grad::{Gradient, LinearGrad};
use super::layout::Layout;
use super::tape::{Inner, NONE, Tensor};

impl<'t> Tensor<'t> {
    pub(super) fn unary(
        &self,
        op: &'static str,
        name: &'static str,
        gradient: Gradient,
        save: Save,
        dtype: Dtype,
        layout: Layout,
    ) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let node = inner
            .records_grad(&[self.id])
            .then(|| inner.node(gradient, name, &[self.id]));
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
        Tensor {
            tape: self.tape,
            id: out,
        }
    }

    pub(super) fn like(&self) -> (Dtype, Layout) {
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

    /// `self.repeat_interleave(times, dim)`: a copy.
    pub fn repeat_interleave(&self, times: u64, dim: usize) -> Tensor<'t> {
        let one = self.unsqueeze(dim + 1);
        let layout = one.layout().expanded(dim + 1, times, false);
        let many = one.viewed("ExpandBackward0", Gradient::Expand, layout);
        let copy = many.unary(
            "repeat_interleave",
            "CloneBackward0",
            Gradient::Pass,
            Save::Nothing,
            self.dtype(),
            layout.dense(),
        );
        let mut shape = self.layout().shape().to_vec();
        shape[dim] = shape[dim].saturating_mul(times);
        copy.reshape(&shape)
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

    /// `self.contiguous()`.
    pub fn contiguous(&self) -> Tensor<'t> {
        let layout = self.layout();
        if layout.is_contiguous() {
            return self.clone();
        }
        let dense = layout.dense();
        self.unary(
            "contiguous",
            "CloneBackward0",
            Gradient::Pass,
            Save::Nothing,
            self.dtype(),
            dense,
        )
    }

    pub(super) fn viewed(&self, name: &'static str, gradient: Gradient, layout: Layout) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let node = inner
            .records_grad(&[self.id])
            .then(|| inner.node(gradient, name, &[self.id]));
        let out = inner.alias(self.id, layout, true);
        if let Some(node) = node {
            inner.set_node(out, node, 0);
        }
        Tensor {
            tape: self.tape,
            id: out,
        }
    }

    /// `self.reshape(shape)`: a view where the strides allow one, else a copy.
    pub fn reshape(&self, shape: &[u64]) -> Tensor<'t> {
        match self.layout().viewed(shape) {
            Some(view) => self.viewed("ViewBackward0", Gradient::View, view),
            None => {
                let copy = self.unary(
                    "reshape",
                    "CloneBackward0",
                    Gradient::Pass,
                    Save::Nothing,
                    self.dtype(),
                    self.layout().dense(),
                );
                copy.viewed("UnsafeViewBackward0", Gradient::View, Layout::contiguous(shape))
            }
        }
    }

    /// `self.transpose(a, b)`.
    pub fn transpose(&self, a: usize, b: usize) -> Tensor<'t> {
        let layout = self.layout().transposed(a, b);
        self.viewed("TransposeBackward0", Gradient::Transpose(a, b), layout)
    }

    /// A slice of the last dimension, `size` wide. The whole of it is an alias with a node of its own
    /// (`torch/csrc/autograd/python_variable_indexing.cpp: THPVariable_getitem`).
    pub fn narrow_last(&self, size: u64) -> Tensor<'t> {
        if size == self.layout().last() {
            return self.viewed("AliasBackward0", Gradient::View, self.layout());
        }
        let layout = self.layout().narrowed_last(size);
        self.viewed("SliceBackward0", Gradient::Narrow, layout)
    }

    /// The first `size` elements of a dimension: `self[..., :size, :]`. The whole of it is an alias, as in `narrow_last`.
    pub fn narrow(&self, dim: usize, size: u64) -> Tensor<'t> {
        let layout = self.layout();
        match size == layout.shape()[dim] {
            true => self.viewed("AliasBackward0", Gradient::View, layout),
            false => self.viewed("SliceBackward0", Gradient::Narrow, layout.narrowed(dim, size)),
        }
    }

    /// An element of a dimension, the others whole.
    pub fn one_of(&self, dim: usize) -> Tensor<'t> {
        let layout = self.layout().selected(dim);
        self.viewed("SelectBackward0", Gradient::Narrow, layout)
    }

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
        let node = inner
            .records_grad(&ids)
            .then(|| inner.node(Gradient::Cat, "CatBackward0", &ids));
        let width = ids
            .iter()
            .map(|&id| inner.records[id as usize].layout.last())
            .fold(0, u64::saturating_add);
        let (layout, dtype) = (
            inner.records[self.id as usize].layout,
            inner.records[self.id as usize].dtype,
        );
        let out = inner.alloc(layout.with_last(width), dtype, "cat");
        if let Some(node) = node {
            inner.set_node(out, node, 0);
        }
        Tensor {
            tape: self.tape,
            id: out,
        }
    }

    /// `torch.cat([empty, self], dim=-2)`: a copy that is contiguous.
    pub fn cat_with_nothing(&self) -> Tensor<'t> {
        let layout = Layout::contiguous(self.layout().shape());
        self.unary(
            "cat",
            "CatBackward0",
            Gradient::Cat,
            Save::Nothing,
            self.dtype(),
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
        let node = inner
            .records_grad(&[self.id])
            .then(|| inner.node(Gradient::Mul, "MulBackward0", &[self.id]));
        if let Some(node) = node {
            inner.save(node, 1, other.id);
        }
        let layout = inner.records[self.id as usize].layout;
        let out = inner.alias(self.id, layout, false);
        if let Some(node) = node {
            inner.set_node(out, node, 0);
        }
        Tensor {
            tape: self.tape,
            id: out,
        }
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
        if let Some(node) = node {
            inner.set_node(out, node, 0);
        }
        Tensor {
            tape: self.tape,
            id: out,
        }
    }

    /// Keys and values of grouped heads, repeated for every query head (`repeat_kv`): expand, then reshape, which copies
    /// unless there is but one head.
    pub fn repeat_heads(&self, times: u64) -> Tensor<'t> {
        if times == 1 {
            return self.clone();
        }
        match self.layout().repeated_head(times) {
            Some(view) => self.viewed("ExpandBackward0", Gradient::Expand, view),
            None => self.copy_heads(times),
        }
    }

    /// As `repeat_interleave(times, dim=1)`: always a copy.
    pub fn copy_heads(&self, times: u64) -> Tensor<'t> {
        if times == 1 {
            return self.clone();
        }
        let layout = self.layout();
        let s = layout.shape();
        let shape = [s[0], s[1] * times, s[2], s[3]];
        self.unary(
            "reshape",
            "ExpandBackward0",
            Gradient::Expand,
            Save::Nothing,
            self.dtype(),
            Layout::contiguous(&shape),
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
        let node = inner
            .records_grad(&[self.id])
            .then(|| inner.node(Gradient::Pointwise, "NativeDropoutBackward0", &[self.id]));
        let mask = inner.alloc(layout, Dtype::Bool, "dropout");
        let out = inner.alloc(layout, dtype, "dropout");
        if let Some(node) = node {
            inner.set_node(out, node, 0);
            inner.save(node, 0, mask);
        }
        inner.release(mask);
        Tensor {
            tape: self.tape,
            id: out,
        }
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

    /// `torch.bmm(self, other)`.
    pub fn bmm(&self, other: &Tensor<'t>) -> Tensor<'t> {
        let other = other.in_autocast();
        self.in_autocast().bmm_plain(&other)
    }

    /// `self.repeat(times, 1)`.
    pub fn repeat_rows(&self, times: u64) -> Tensor<'t> {
        let layout = self.layout();
        let shape = [layout.shape()[0] * times, layout.last()];
        self.unary(
            "repeat",
            "RepeatBackward0",
            Gradient::Repeat,
            Save::Nothing,
            self.dtype(),
            Layout::contiguous(&shape),
        )
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
        if let Some(node) = node {
            inner.set_node(out, node, 0);
        }
        Tensor {
            tape: self.tape,
            id: out,
        }
    }

    /// The cast that autocast makes of an operand: leaves that need gradients are cast once and kept until it ends.
    pub(super) fn autocast_operand(&self, dtype: Dtype) -> Tensor<'t> {
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
        if let Some(node) = node {
            inner.set_node(out, node, 0);
        }
        drop(inner);
        Tensor {
            tape: self.tape,
            id: out,
        }
    }
}

/// What a unary operation keeps for backward.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Save {
    Nothing,
    Input,
    Output,
    Both,
}

/// The dtype of a binary result: tensors without dimensions do not raise the type of those with some.
pub(super) fn promote(a: Dtype, a_layout: &Layout, b: Dtype, b_layout: &Layout) -> Dtype {
    match (a_layout.shape().is_empty(), b_layout.shape().is_empty()) {
        (true, false) => b,
        (false, true) => a,
        _ => a.promote(b),
    }
}

impl Inner {
    /// Gradients of a batched product: `mat2` first, then `self` (`BmmBackward0`).
    pub(super) fn bmm_gradients(&mut self, node: u32, g: u32, out: &mut [u32; super::autograd::MAX_EDGES]) {
        let dtype = self.records[g as usize].dtype;
        for i in [1, 0] {
            if let Some(input) = self.input(self.nodes[node as usize].inputs[i]) {
                out[i] = self.alloc(input.layout.dense(), dtype, "bmm");
                self.touch_workspace();
            }
        }
    }
}
