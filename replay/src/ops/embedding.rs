//! Rows of an embedding and their gradient.

use crate::autograd::grad::Gradient;
use crate::autograd::graph::NODE_BITS;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::{Inner, Tensor};

/// Up to this many indices one kernel adds the rows; above, they are sorted first
/// (`aten/src/ATen/native/cuda/Embedding.cu: embedding_dense_backward_cuda`).
const SORT_ABOVE: u64 = 3072;
/// Rows that one thread sums in the sorted kernel (`EmbeddingBackwardKernel.cu: NROWS_PER_THREAD`).
const ROWS_PER_THREAD: u64 = 10;

/// Scratch of a scan over the segments.
const SCAN_BYTES: u64 = 1279;

impl<'t> Tensor<'t> {
    /// `torch.nn.functional.embedding(ids, self)`: `ids` is batch x sequence.
    pub fn embedding(&self, ids: &Tensor<'t>) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let weight = &inner.records[self.id as usize];
        let (width, dtype) = (weight.layout.last(), weight.dtype);
        let ids_layout = inner.records[ids.id as usize].layout;
        let mut shape = ids_layout.shape().to_vec();
        shape.push(width);
        let node = inner.records_grad(&[self.id]).then(|| {
            let op = Gradient::Embedding {
                tokens: ids_layout.numel(),
            };
            let node = inner.node(op, "EmbeddingBackward0", &[self.id]);
            inner.save(node, 0, ids.id);
            node
        });
        let out = inner.alloc(Layout::contiguous(&shape), dtype, "embedding");
        if let Some(node) = node {
            debug_assert!(node < 1 << NODE_BITS);
            inner.set_node(out, node, 0);
        }
        self.beside(out)
    }
}

/// The weight's gradient, with the scratch of the sorted path.
pub(crate) fn backward(inner: &mut Inner, tokens: u64, weight: Layout, dtype: Dtype) -> u32 {
    const OP: &str = "embedding_dense_backward";
    if tokens <= SORT_ABOVE {
        return inner.alloc(weight, dtype, OP);
    }
    let (rows, width) = (weight.shape().first().copied().unwrap_or(0), weight.last());
    let sorted = inner.scratch(tokens * 8, OP);
    let original = inner.scratch(tokens * 8, OP);
    let range = inner.scratch(tokens * 8, OP);
    // The radix sort's scratch; its exact size does not matter, the sums below are larger.
    let sort = inner.scratch(tokens * 16 + 17_919, OP);
    inner.free_scratch(sort);
    inner.free_scratch(range);
    let out = inner.alloc(weight, dtype, OP);
    let segment_offsets = inner.scratch(tokens * 8, OP);
    let segments = inner.scratch(8, OP);
    let max_segments = tokens.min(rows);
    let (marks, scan) = (inner.scratch(tokens * 8, OP), inner.scratch(SCAN_BYTES, OP));
    inner.free_scratch(scan);
    inner.free_scratch(marks);
    let per_segment = inner.scratch(max_segments * 8, OP);
    let per_segment_offsets = inner.scratch(max_segments * 8, OP);
    let scan = inner.scratch(SCAN_BYTES, OP);
    inner.free_scratch(scan);
    let partials = inner.scratch(8, OP);
    if !tokens.is_multiple_of(ROWS_PER_THREAD) {
        inner.moves_in_steps();
    }
    let max_partials = tokens / ROWS_PER_THREAD + max_segments;
    let partial_offsets = inner.scratch(max_partials * 8, OP);
    // Partial sums in fp32, the width rounded to a warp.
    let sums = inner.scratch(
        max_partials
            .saturating_mul(width.div_ceil(32) * 32)
            .saturating_mul(4),
        OP,
    );
    for s in [
        sums,
        partial_offsets,
        partials,
        per_segment_offsets,
        per_segment,
        segments,
        segment_offsets,
        original,
        sorted,
    ] {
        inner.free_scratch(s);
    }
    out
}
