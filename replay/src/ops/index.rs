//! Rows picked by an index, and elements masked out.

use crate::autograd::grad::Gradient;
use crate::autograd::graph::MAX_EDGES;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::{Inner, Tensor};

/// Above this many rows and from this many columns on, blocks of threads work on a row step by step
/// (`aten/src/ATen/native/cuda/TensorTopK.cu: should_use_mbtopk`).
const MANY_ROWS: u64 = 4000;
const MANY_COLUMNS: u64 = 400;
/// Values of a digit (`RADIX_DIGITS`).
const DIGITS: u64 = 256;
/// Scratch of CUB's scan by key, of up to 65,536 rows.
const SCAN_BYTES: u64 = 1279;

impl<'t> Tensor<'t> {
    /// `self[index]`: rows, in the order and the shape of the index.
    pub fn pick_rows(&self, index: &Tensor<'t>) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let (layout, dtype) = (
            inner.records[self.id as usize].layout,
            inner.records[self.id as usize].dtype,
        );
        let node = inner.node_over(Gradient::Index, "IndexBackward0", &[self.id]);
        if let Some(node) = node {
            inner.save(node, 0, index.id);
        }
        let picked = layout.picked(&inner.records[index.id as usize].layout);
        let out = inner.alloc(picked, dtype, "index");
        inner.made_by(out, node);
        self.beside(out)
    }

    /// `self.gather(-1, index)`.
    pub fn gather_last(&self, index: &Tensor<'t>) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let node = inner.node_over(Gradient::Select, "GatherBackward0", &[self.id]);
        if let Some(node) = node {
            inner.save(node, 0, index.id);
            inner.save(node, 1, self.id);
        }
        let dtype = inner.records[self.id as usize].dtype;
        let layout = inner.records[index.id as usize].layout.dense();
        let out = inner.alloc(layout, dtype, "gather");
        inner.made_by(out, node);
        self.beside(out)
    }

    /// `torch.full_like(..., number).scatter_(-1, index, self)`: elements put in their places among `columns`.
    pub fn scatter_last(&self, index: &Tensor<'t>, columns: u64) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let node = inner.node_over(Gradient::Gather, "ScatterBackward0", &[self.id]);
        if let Some(node) = node {
            inner.save(node, 0, index.id);
        }
        let record = &inner.records[self.id as usize];
        let (layout, dtype) = (record.layout.with_last(columns), record.dtype);
        let out = inner.alloc(layout, dtype, "full_like");
        inner.made_by(out, node);
        self.beside(out)
    }

    /// `self.masked_fill(mask, 0.0)`.
    pub fn masked_fill(&self, mask: &Tensor<'t>) -> Tensor<'t> {
        self.masked(mask, false)
    }

    /// `self.masked_fill_(mask, 0.0)`.
    pub fn masked_fill_in_place(&self, mask: &Tensor<'t>) -> Tensor<'t> {
        self.masked(mask, true)
    }

    fn masked(&self, mask: &Tensor<'t>, in_place: bool) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let node = inner.node_over(Gradient::Pointwise, "MaskedFillBackward0", &[self.id]);
        if let Some(node) = node {
            inner.save(node, 0, mask.id);
        }
        let (layout, dtype) = (
            inner.records[self.id as usize].layout,
            inner.records[self.id as usize].dtype,
        );
        let out = if in_place {
            inner.alias(self.id, layout, false)
        } else {
            inner.alloc(layout, dtype, "masked_fill")
        };
        inner.made_by(out, node);
        self.beside(out)
    }

    /// `torch.topk(self, k, dim=-1)`: values and their indices, of less than 800 columns.
    pub fn top_k(&self, k: u64) -> (Tensor<'t>, Tensor<'t>) {
        let (layout, dtype) = (self.layout(), self.dtype());
        let picked = self.pick("topk", "TopkBackward0", k);
        let rows = layout.numel() / layout.last().max(1);
        if rows > MANY_ROWS && layout.last() >= MANY_COLUMNS {
            self.tape.inner.borrow_mut().top_k_scratch(rows, dtype);
        }
        picked
    }

    /// `self.max(dim=-1, keepdim=True)`: values and their indices.
    pub fn max_last(&self) -> (Tensor<'t>, Tensor<'t>) {
        self.pick("max", "MaxBackward0", 1)
    }

    fn pick(&self, op: &'static str, name: &'static str, columns: u64) -> (Tensor<'t>, Tensor<'t>) {
        let mut inner = self.tape.inner.borrow_mut();
        let dtype = inner.records[self.id as usize].dtype;
        let layout = inner.records[self.id as usize].layout.with_last(columns);
        let node = inner.node_over(Gradient::Select, name, &[self.id]);
        let values = inner.alloc(layout, dtype, op);
        let indices = inner.alloc(layout, Dtype::I64, op);
        if let Some(node) = node {
            inner.set_node(values, node, 0);
            inner.save(node, 0, indices);
        }
        let tensor = |id| Tensor { tape: self.tape, id };
        (tensor(values), tensor(indices))
    }
}

impl Inner {
    /// `mbtopk::launch`, one block a row: the values sought, their ranks and digits so far, counts of digits, and two scans.
    fn top_k_scratch(&mut self, rows: u64, dtype: Dtype) {
        const OP: &str = "topk";
        let bytes = [dtype.size(), 8, 8, 2 * DIGITS, 4 * DIGITS, 4, 4];
        let held = bytes.map(|bytes| self.scratch(rows.saturating_mul(bytes), OP));
        for _ in 0..2 {
            let scan = self.scratch(SCAN_BYTES, OP);
            self.free_scratch(scan);
        }
        for scratch in held.into_iter().rev() {
            self.free_scratch(scratch);
        }
    }

    /// `index_backward`: zeros, to which the gradient's rows are added.
    pub(crate) fn index_gradient(&mut self, node: u32, g: u32, out: &mut [u32; MAX_EDGES]) {
        let index = self.saved(node, 0);
        let count = self.records[index as usize].layout.numel();
        let dtype = self.records[g as usize].dtype;
        if let Some(input) = self.input(self.nodes[node as usize].inputs[0]) {
            let shape = Layout::contiguous(input.layout.shape());
            out[0] = self.alloc(shape, dtype, "index_backward");
            self.scatter_scratch(count, shape.shape().first().copied().unwrap_or(0));
        }
    }
}
