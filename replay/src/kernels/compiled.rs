//! What compiled code does on the tape: it allocates and drops buffers by itself, below autograd
//! (`torch/_inductor/codegen/wrapper.py`), so that programs of it are written out forward and backward.

use crate::category::Category;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::ops::attention::{Shape, flash_splits, round_up, rounded_head_dim};
use crate::ops::embedding;
use crate::script::Step;
use crate::tape::{Inner, NONE, Sink, Tape, Tensor};

impl Tape {
    /// Runs `f` as the backward pass runs it: on autograd's thread, under this name.
    pub fn as_backward<T>(&self, name: &'static str, f: impl FnOnce() -> T) -> T {
        let before = self.inner.borrow_mut().running.replace(name);
        let out = f();
        self.inner.borrow_mut().running = before;
        out
    }

    /// Runs `f` as a layer that is run again: on autograd's thread, its results for this layer's backward alone.
    pub fn as_recomputation<T>(&self, f: impl FnOnce() -> T) -> T {
        let before = std::mem::replace(&mut self.inner.borrow_mut().in_recompute, true);
        let out = f();
        self.inner.borrow_mut().in_recompute = before;
        out
    }

    /// The flash kernel below autograd: output, log-sum-exp, seed and offset.
    pub fn flash(&self, s: Shape) -> [Tensor<'_>; 4] {
        const OP: &str = "_scaled_dot_product_flash_attention";
        let mut inner = self.inner.borrow_mut();
        let shape = [s.batch, s.seq, s.heads, s.value_dim];
        let out = inner.alloc(Layout::contiguous(&shape), s.dtype, OP);
        let lse = inner.alloc(Layout::contiguous(&[s.batch, s.heads, s.seq]), Dtype::F32, OP);
        let splits = flash_splits(&s, inner.device);
        let (mut lse_accum, mut out_accum) = (NONE, NONE);
        if splits > 1 {
            let rows = splits * s.batch * s.heads * s.seq;
            lse_accum = inner.scratch(rows * 4, OP);
            out_accum = inner.scratch(rows * rounded_head_dim(s.head_dim) * 4, OP);
        }
        let seed = inner.alloc(Layout::contiguous(&[2]), Dtype::I64, OP);
        let offset = inner.alloc(Layout::contiguous(&[1]), Dtype::I64, OP);
        inner.free_scratch(lse_accum);
        inner.free_scratch(out_accum);
        [out, lse, seed, offset].map(|id| Tensor { tape: self, id })
    }

    /// Its gradients of queries, keys and values.
    pub fn flash_backward(&self, s: Shape) -> [Tensor<'_>; 3] {
        const OP: &str = "_scaled_dot_product_flash_attention_backward";
        let mut inner = self.inner.borrow_mut();
        let gradients = [s.heads, s.kv_heads, s.kv_heads].map(|heads| {
            let layout = Layout::contiguous(&[s.batch, s.seq, heads, s.head_dim]);
            inner.alloc(layout, s.dtype, OP)
        });
        let rows = s.batch * s.heads * round_up(s.seq, 128);
        let softmax_d = inner.scratch(rows * 4, OP);
        let dq_accum = inner.scratch(rows * rounded_head_dim(s.head_dim) * 4, OP);
        let (mut dk, mut dv) = (NONE, NONE);
        if s.kv_heads != s.heads {
            let all = s.batch * s.seq * s.heads * s.dtype.size();
            dk = inner.scratch(all * s.head_dim, OP);
            dv = inner.scratch(all * s.value_dim, OP);
        }
        for scratch in [dv, dk, dq_accum, softmax_d] {
            inner.free_scratch(scratch);
        }
        gradients.map(|id| Tensor { tape: self, id })
    }
}

impl Tape {
    /// Do kernels run for the first time? Inductor then tries several forms of each, clearing the card's cache between two
    /// tries by a buffer as large as that (`torch/_inductor/runtime/benchmarking.py: InductorBenchmarker.benchmark_gpu`).
    pub fn kernels_are_new(&self, are: bool) {
        let mut inner = self.inner.borrow_mut();
        inner.tuner = if are { inner.device.cache_bytes() } else { 0 };
    }

    /// A kernel of generated code runs, its operands and results alive.
    pub fn generated_kernel(&self) {
        self.inner.borrow_mut().generated_kernel();
    }
}

impl Tape {
    /// As [`Tape::generated_kernel`], of a layer that is run again.
    pub fn kernel_of_recomputation(&self) {
        let mut inner = self.inner.borrow_mut();
        if inner.in_recompute {
            inner.generated_kernel();
        }
    }

    /// As [`Tape::generated_kernel`], of a kernel that writes over an operand of this many bytes. Forms are tried on a copy
    /// of it, which is made on the card when that does not raise the highest point so far, else on the host
    /// (`torch/_inductor/runtime/triton_heuristics.py: CachingAutotuner.copy_args_to_cpu_if_needed, maybe_clone_args`).
    pub fn kernel_in_place(&self, over: &Tensor<'_>) {
        let bytes = over.layout().numel().saturating_mul(over.dtype().size());
        self.inner.borrow_mut().kernel_in_place(bytes);
    }

    /// Was there room for such a copy, once that is known?
    pub fn copies(&self) -> Option<bool> {
        self.inner.borrow().copies
    }

    /// Settles whether there is room for such a copy. By itself only a tape that folds knows.
    pub fn set_copies(&self, copies: bool) {
        self.inner.borrow_mut().copies = Some(copies);
    }
}

impl Inner {
    /// See [`Tape::kernel_in_place`].
    pub(crate) fn kernel_in_place(&mut self, bytes: u64) {
        if self.tuner == 0 {
            return;
        }
        if let (None, Sink::Fold(fold)) = (self.copies, &self.sink) {
            self.copies = Some(bytes <= fold.below_highest());
        }
        let copy = match self.copies {
            Some(true) => self.scratch(bytes, "clone_preserve_strides"),
            _ => NONE,
        };
        self.generated_kernel();
        self.free_scratch(copy);
    }

    /// See [`Tape::generated_kernel`].
    pub(crate) fn generated_kernel(&mut self) {
        if self.tuner == 0 {
            return;
        }
        // Folded steps find every workspace there from the beginning; autograd's thread has none when the loss is computed.
        if let (Sink::Fold(fold), 0) = (&mut self.sink, self.group.id) {
            fold.pass(self.tuner);
            return self.write(Step::Pass(self.tuner));
        }
        let buffer = self.scratch(self.tuner, "benchmark_gpu");
        self.free_scratch(buffer);
    }
}

impl Tape {
    /// The dense gradient of an embedding of which these many rows were looked up.
    pub fn embedding_gradient<'t>(&'t self, tokens: u64, weight: &Tensor<'t>) -> Tensor<'t> {
        let (layout, dtype) = (weight.layout(), weight.dtype());
        let id = embedding::backward(&mut self.inner.borrow_mut(), tokens, layout, dtype);
        Tensor { tape: self, id }
    }
}

impl<'t> Tensor<'t> {
    /// The same memory as a leaf that collects a gradient.
    pub fn viewed_as_leaf(self) -> Tensor<'t> {
        self.set_requires_grad(true);
        self
    }

    /// Takes the gradient away from a leaf.
    pub fn leave_grad(&self) -> Option<Tensor<'t>> {
        let grad = std::mem::replace(
            &mut self.tape.inner.borrow_mut().records[self.id as usize].grad,
            NONE,
        );
        (grad != NONE).then_some(Tensor {
            tape: self.tape,
            id: grad,
        })
    }

    /// Makes `grad` the gradient of this leaf, or adds it to the one that it has.
    pub fn take_grad(&self, grad: Tensor<'t>) {
        if self.has_grad() {
            return;
        }
        grad.set_category(Category::Gradients);
        let mut inner = self.tape.inner.borrow_mut();
        inner.records[self.id as usize].grad = inner.retain(grad.id);
    }

    /// The memory of this buffer for another of `elements` when it has exactly that size, else memory of its own after
    /// this one is dropped (`torch/_inductor/codegen/wrapper.py: AllocateLine.plan`).
    pub fn again(self, elements: u64, dtype: Dtype) -> Tensor<'t> {
        let bytes = |n: u64, dtype: Dtype| n.saturating_mul(dtype.size());
        if bytes(self.layout().numel(), self.dtype()) == bytes(elements, dtype) {
            return self;
        }
        let tape = self.tape;
        drop(self);
        tape.temporary(&[elements], dtype, "empty_strided")
    }
}
