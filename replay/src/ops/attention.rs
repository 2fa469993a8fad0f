//! Scaled dot-product attention: PyTorch's fused kernels and the scratch they take
//! (`aten/src/ATen/native/transformers/cuda/{attention,attention_backward}.cu`, `flash_attn/flash_api.cpp`).

use crate::autograd::grad::Gradient;
use crate::autograd::graph::MAX_EDGES;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::{Inner, NONE, Tensor};

/// Sizes of one attention call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Sequences.
    pub batch: u64,
    /// Query heads.
    pub heads: u64,
    /// Key and value heads.
    pub kv_heads: u64,
    /// Tokens of a sequence.
    pub seq: u64,
    /// Width of a query or key head.
    pub head_dim: u64,
    /// Width of a value head.
    pub value_dim: u64,
    /// Type of queries, keys and values.
    pub dtype: Dtype,
    /// Is there dropout on the weights?
    pub dropout: bool,
}

/// The card as far as kernels look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Major and minor compute capability.
    pub capability: (u32, u32),
    /// Streaming multiprocessors.
    pub multiprocessors: u64,
}

impl Device {
    /// Bytes of the second-level cache of the largest common card of this capability (public specifications: T4 4 MiB,
    /// A100 40, RTX 3090 6, RTX 4090 72, H100 50, B200 126, RTX 5090 96).
    pub fn cache_bytes(&self) -> u64 {
        let mebibytes = match self.capability {
            (7, 5) => 4,
            (8, 0) => 40,
            (8, 9) => 72,
            (8, _) => 6,
            (9, _) => 50,
            (10 | 11, _) => 126,
            (12.., _) => 96,
            _ => 6,
        };
        mebibytes << 20
    }
}

/// `at::empty_like`: dense, the dimensions in the order of the strides.
fn empty_like(inner: &Inner, id: u32) -> Layout {
    Layout::elementwise(&[&inner.records[id as usize].layout])
}

pub(crate) fn round_up(n: u64, to: u64) -> u64 {
    n.div_ceil(to) * to
}

/// `head_size_rounded` of the flash kernels.
pub(crate) fn rounded_head_dim(d: u64) -> u64 {
    round_up(d, if d <= 128 { 32 } else { 64 })
}

/// Blocks of threads that take one part of the queries each.
fn jobs(s: &Shape) -> u64 {
    s.batch.saturating_mul(s.heads).saturating_mul(s.seq.div_ceil(64))
}

/// Are there so few jobs that their number decides [`flash_splits`]?
fn may_split(s: &Shape, device: Device) -> bool {
    !s.dropout && (jobs(s) as f64) < 0.8 * (device.multiprocessors * 2) as f64
}

/// `num_splits_heuristic` of flash attention's forward: small batches split the keys over several blocks.
pub(crate) fn flash_splits(s: &Shape, device: Device) -> u64 {
    let block_n = if s.head_dim <= 64 {
        256
    } else if s.head_dim <= 128 {
        128
    } else {
        64
    };
    if !may_split(s, device) {
        return 1;
    }
    let n_blocks = s.seq.div_ceil(block_n);
    let (jobs, processors) = (jobs(s), device.multiprocessors * 2);
    let most = 128.min(processors).min(n_blocks);
    let eligible = |splits: u64| splits == 1 || n_blocks.div_ceil(splits) != n_blocks.div_ceil(splits - 1);
    let efficiency = |splits: u64| {
        let waves = (jobs * splits) as f64 / processors as f64;
        waves / waves.ceil()
    };
    let best = (1..=most)
        .filter(|&n| eligible(n))
        .map(efficiency)
        .fold(0.0, f64::max);
    (1..=most)
        .find(|&n| eligible(n) && efficiency(n) >= 0.85 * best)
        .unwrap_or(1)
}

impl<'t> Tensor<'t> {
    /// SDPA by the flash kernel. `self`, `key`, `value` are batch x heads x sequence x width; keys and values may have
    /// fewer heads.
    pub fn sdpa_flash(
        &self,
        key: &Tensor<'t>,
        value: &Tensor<'t>,
        shape: Shape,
        device: Device,
    ) -> Tensor<'t> {
        const OP: &str = "scaled_dot_product_attention";
        let mut inner = self.tape.inner.borrow_mut();
        let ids = [self.id, key.id, value.id];
        let node = inner.records_grad(&ids).then(|| {
            let node = inner.node(
                Gradient::Flash(shape),
                "ScaledDotProductFlashAttentionBackward0",
                &ids,
            );
            for (slot, id) in ids.into_iter().enumerate() {
                inner.save(node, slot, id);
            }
            node
        });
        let Shape {
            batch,
            heads,
            seq,
            dtype,
            ..
        } = shape;
        let out = empty_like(&inner, self.id);
        let out = inner.alloc(out, dtype, OP);
        let lse = inner.alloc(Layout::contiguous(&[batch, heads, seq]), Dtype::F32, OP);
        let splits = flash_splits(&shape, device);
        if may_split(&shape, device) {
            inner.moves_in_steps();
        }
        let (mut lse_accum, mut out_accum) = (NONE, NONE);
        if splits > 1 {
            let rows = splits * batch * heads * seq;
            lse_accum = inner.scratch(rows * 4, OP);
            out_accum = inner.scratch(rows * rounded_head_dim(shape.head_dim) * 4, OP);
        }
        let rng = inner.alloc(Layout::contiguous(&[2]), Dtype::I64, OP);
        let unused = inner.alloc(Layout::contiguous(&[1]), Dtype::I64, OP);
        if shape.dropout {
            // The state of the random numbers.
            let state = inner.scratch(16, OP);
            inner.free_scratch(state);
        }
        inner.free_scratch(lse_accum);
        inner.free_scratch(out_accum);
        if let Some(node) = node {
            inner.set_node(out, node, 0);
            for (slot, id) in [out, lse, rng, unused].into_iter().enumerate() {
                inner.save(node, 3 + slot, id);
            }
        }
        for id in [lse, rng, unused] {
            inner.release(id);
        }
        self.beside(out)
    }
}

impl Inner {
    /// `_flash_attention_backward`: dq, dk, dv, then scratch; grouped keys and values get gradients of all heads first.
    /// The gradient and the output are made contiguous as batch x sequence x heads x width; gradients are laid out as
    /// what they belong to.
    pub(crate) fn flash_gradients(&mut self, node: u32, g: u32, s: Shape, out: &mut [u32; MAX_EDGES]) {
        const OP: &str = "flash_attention_backward";
        let copies = [g, self.saved(node, 3)].map(|t| {
            let layout = self.records[t as usize].layout;
            if layout.transposed(1, 2).is_contiguous() {
                NONE
            } else {
                self.scratch(layout.numel().saturating_mul(s.dtype.size()), OP)
            }
        });
        for (slot, gradient) in out.iter_mut().take(3).enumerate() {
            let layout = empty_like(self, self.saved(node, slot));
            *gradient = self.alloc(layout, s.dtype, OP);
        }
        let rows = s.batch * s.heads * round_up(s.seq, 128);
        let softmax_d = self.scratch(rows * 4, OP);
        let dq_accum = self.scratch(rows * rounded_head_dim(s.head_dim) * 4, OP);
        let (mut dk, mut dv) = (NONE, NONE);
        if s.kv_heads != s.heads {
            let all = s.batch * s.seq * s.heads * s.dtype.size();
            dk = self.scratch(all * s.head_dim, OP);
            dv = self.scratch(all * s.value_dim, OP);
        }
        for scratch in [dv, dk, dq_accum, softmax_d, copies[1], copies[0]] {
            self.free_scratch(scratch);
        }
    }
}
