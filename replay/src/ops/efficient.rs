//! SDPA's memory-efficient kernel and the scratch it takes
//! (`aten/src/ATen/native/transformers/cuda/{attention,attention_backward}.cu`, `mem_eff_attention/kernel_backward.h`).

use super::attention::{Device, Shape, round_up};
use crate::autograd::grad::Gradient;
use crate::autograd::graph::MAX_EDGES;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::{Inner, NONE, Tape, Tensor};

/// Rows of the log-sum-exp are padded to this (`kAlignLSE`).
const LSE_ALIGNMENT: u64 = 32;
/// With so many heads of all sequences, keys are no longer split for the sake of more of them (`cutlassB` launches,
/// `num_splits_key`).
const MOST_JOBS: u64 = 200;
/// Heads up to this width are kept in registers by the forward kernel (`kernel_forward.h: kSingleValueIteration`).
const FORWARD_REGISTER_WIDTH: u64 = 128;

/// A compiled backward kernel, as far as its workspace depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Backward {
    /// Queries of a block (`kBlockSizeI`).
    queries: u64,
    /// Keys of a block (`kBlockSizeJ`).
    keys: u64,
    /// The gradients of keys and values do not stay in registers: they are summed in the workspace
    /// (`kNeedsAccumGradK`).
    sums_in_memory: bool,
}

impl Backward {
    /// The first kernel of the list that takes heads of this width and whose tiles fit in shared memory
    /// (`mem_eff_attention/kernels/cutlassB.h`).
    fn choose(s: &Shape, device: Device) -> Self {
        let width = s.head_dim.max(s.value_dim);
        let (major, minor) = device.capability;
        // 163 KiB and more a block; other cards have 64 to 99 KiB.
        let roomy = matches!((major, minor), (8, 0 | 7) | (9..=11, _));
        let kernel = |queries, keys, sums_in_memory| Backward {
            queries,
            keys,
            sums_in_memory,
        };
        if s.dtype == Dtype::F32 {
            let queries = if roomy && width > 64 { 128 } else { 64 };
            return kernel(queries, 64, false);
        }
        match width {
            0..=64 => kernel(64, 64, false),
            65..=128 if major < 8 => kernel(128, 64, false),
            65..=128 if roomy => kernel(128, 128, false),
            65..=96 if matches!((major, minor), (8, 6 | 9)) => kernel(128, 64, false),
            65..=128 => kernel(64, 64, true),
            _ => kernel(128, 64, true),
        }
    }

    /// Are there so few jobs that their number decides how keys are split?
    fn splits_by_jobs(self, s: &Shape) -> bool {
        self.sums_in_memory && MOST_JOBS / s.batch.saturating_mul(s.heads).max(1) > 1
    }

    /// `Params::workspace_size`, after the choice of `num_splits_key`.
    fn workspace_bytes(self, s: &Shape) -> u64 {
        let jobs = s.batch.saturating_mul(s.heads).max(1);
        let mut splits = s.seq.div_ceil(self.keys);
        if jobs >= 256 && s.seq <= 2 * self.keys {
            splits = 1;
        }
        let mut sums = 0;
        if self.sums_in_memory {
            splits = splits.min(MOST_JOBS / jobs).max(1);
            let widths = round_up(s.head_dim, self.queries) + round_up(s.value_dim, self.queries);
            sums = splits * self.keys * widths;
        }
        // GradQTempStorage: a tile of fp32 and four words beside it.
        let tiles = s.seq.div_ceil(self.queries) * s.head_dim.div_ceil(self.keys);
        let queries = tiles.saturating_mul(self.queries * self.keys + 4);
        jobs.saturating_mul(round_up(sums.saturating_add(queries), 4))
            .saturating_mul(4)
    }
}

impl<'t> Tensor<'t> {
    /// SDPA by the memory-efficient kernel: `self`, `key` and `value` are batch x heads x sequence x width, with as many
    /// heads each; `mask` is the additive mask, when there is one.
    pub fn sdpa_efficient(
        &self,
        key: &Tensor<'t>,
        value: &Tensor<'t>,
        mask: Option<&Tensor<'t>>,
        shape: Shape,
    ) -> Tensor<'t> {
        const OP: &str = "scaled_dot_product_attention";
        let mut inner = self.tape.inner.borrow_mut();
        let ids = [self.id, key.id, value.id];
        let grad = inner.records_grad(&ids);
        let node = grad.then(|| {
            let node = inner.node(
                Gradient::Efficient(shape),
                "ScaledDotProductEfficientAttentionBackward0",
                &ids,
            );
            if let Some(mask) = mask {
                inner.save(node, 3, mask.id);
            }
            for (slot, id) in ids.into_iter().enumerate() {
                inner.save(node, slot, id);
            }
            node
        });
        let Shape {
            batch,
            heads,
            seq,
            value_dim,
            dtype,
            ..
        } = shape;
        let out = Layout::contiguous(&[batch, seq, heads, value_dim]).transposed(1, 2);
        let out = inner.alloc(out, dtype, OP);
        // The log-sum-exp is computed only when a gradient follows.
        let lse = if grad {
            let rows = round_up(seq, LSE_ALIGNMENT);
            inner.alloc(Layout::contiguous(&[batch, heads, rows]), Dtype::F32, OP)
        } else {
            NONE
        };
        if dtype != Dtype::F32 && shape.head_dim.max(value_dim) > FORWARD_REGISTER_WIDTH {
            let elements = batch.saturating_mul(seq).saturating_mul(heads * value_dim);
            let sums = inner.scratch(elements.saturating_mul(4), OP);
            inner.free_scratch(sums);
        }
        if let Some(node) = node {
            inner.set_node(out, node, 0);
            inner.save(node, 4, out);
            inner.save(node, 5, lse);
        }
        if lse != NONE {
            inner.release(lse);
        }
        self.beside(out)
    }
}

impl Inner {
    /// `_efficient_attention_backward`: dq, dk, dv, the row sums of `grad * out`, the workspace.
    pub(crate) fn efficient_gradients(&mut self, g: u32, s: Shape, out: &mut [u32; MAX_EDGES]) {
        let contiguous = self.records[g as usize].layout.transposed(1, 2).is_contiguous();
        self.efficient_backward(contiguous, s, out);
    }

    /// The gradients of queries, keys and values, with as many heads each.
    pub(crate) fn efficient_input_gradients(&mut self, s: Shape) -> [u32; 3] {
        let mut out = [NONE; MAX_EDGES];
        self.efficient_backward(true, s, &mut out);
        let [queries, keys, values, ..] = out;
        [queries, keys, values]
    }

    fn efficient_backward(&mut self, contiguous: bool, s: Shape, out: &mut [u32; MAX_EDGES]) {
        const OP: &str = "efficient_attention_backward";
        let like =
            |heads: u64, width: u64| Layout::contiguous(&[s.batch, s.seq, heads, width]).transposed(1, 2);
        let bytes = s.dtype.size();
        let elements = s.batch.saturating_mul(s.seq).saturating_mul(s.heads);
        // grad_out.contiguous() of batch x sequence x heads x width
        let copy = if contiguous {
            NONE
        } else {
            self.scratch(elements.saturating_mul(s.value_dim * bytes), OP)
        };
        out[0] = self.alloc(like(s.heads, s.head_dim), s.dtype, OP);
        out[1] = self.alloc(like(s.heads, s.head_dim), s.dtype, OP);
        out[2] = self.alloc(like(s.heads, s.value_dim), s.dtype, OP);
        let delta = if s.dtype == Dtype::F32 {
            // (grad_out.to(at::kFloat) * out.to(at::kFloat)).sum(-1).transpose(-2, -1).contiguous()
            let product = self.scratch(elements.saturating_mul(s.value_dim * 4), OP);
            let sum = self.scratch(elements.saturating_mul(4), OP);
            let delta = self.scratch(elements.saturating_mul(4), OP);
            self.free_scratch(sum);
            self.free_scratch(product);
            delta
        } else {
            self.scratch(elements.saturating_mul(4), OP)
        };
        let kernel = Backward::choose(&s, self.device);
        if kernel.splits_by_jobs(&s) {
            self.moves_in_steps();
        }
        let workspace = self.scratch(kernel.workspace_bytes(&s), OP);
        for scratch in [delta, workspace, copy] {
            self.free_scratch(scratch);
        }
    }
}

impl Tape {
    /// The gradients of queries, keys and values, with as many heads each, where the graph is not the tape's own.
    pub fn efficient_backward(&self, s: Shape) -> [Tensor<'_>; 3] {
        let ids = self.inner.borrow_mut().efficient_input_gradients(s);
        ids.map(|id| Tensor { tape: self, id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspaces_are_those_that_pytorch_asks_for() {
        // Seen with 3 sequences of 300 tokens and 5 heads: capability, dtype, width, bytes of the workspace.
        for (capability, dtype, width, bytes) in [
            ((9, 0), Dtype::Bf16, 64, 1_230_000),
            ((9, 0), Dtype::Bf16, 256, 15_731_520),
            ((9, 0), Dtype::F32, 64, 1_230_000),
        ] {
            let device = Device {
                capability,
                multiprocessors: 132,
            };
            let shape = Shape {
                batch: 3,
                heads: 5,
                kv_heads: 5,
                seq: 300,
                head_dim: width,
                value_dim: width,
                dtype,
                dropout: false,
            };
            let kernel = Backward::choose(&shape, device);
            assert_eq!(kernel.workspace_bytes(&shape), bytes, "{width}");
        }
    }
}
