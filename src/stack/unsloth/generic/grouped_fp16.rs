//! Grouped experts on cards without bf16: products in fp16, summed in fp32
//! (`unsloth_zoo/temporary_patches/gpt_oss_grouped_qlora.py: _grouped_qlora_forward_fp16`, `moe_grouped_fp16.py`).

use super::grouped_experts::{Gradients, Kept1, Projection, Rows};
use super::sizes::Buffer;
use crate::replay::Dtype;

/// Most bytes of the experts that are unpacked at once where each has a product of its own
/// (`UNSLOTH_GPTOSS_FP16_CUBLAS_STACK_MB`).
const WINDOW_BYTES: u64 = 256 << 20;

impl<'t> Rows<'_, 't> {
    /// The window of experts whose weights are unpacked at once (`_expert_window`): there are no grouped products below
    /// capability 8, so that nothing is gained from a whole stack.
    fn window(&self, p: Projection) -> Buffer<'t> {
        let expert = p
            .inputs
            .saturating_mul(p.outputs)
            .saturating_mul(self.s.dtype.size());
        let fits = (WINDOW_BYTES / expert.max(1)).clamp(1, self.shape.count);
        self.s
            .buffer(fits.saturating_mul(expert) / self.s.dtype.size(), self.s.dtype)
    }

    /// A projection of an input in `x`, whose frozen product is made in `made`, summed in `dtype`.
    pub(super) fn forward_fp16(
        &self,
        p: Projection,
        [x, made, dtype]: [Dtype; 3],
    ) -> (Kept1<'t>, Buffer<'t>) {
        let half = self.s.dtype;
        let narrow = (x != half && made == half).then(|| self.half(p.inputs));
        let mut out = self.of(p.outputs, made);
        drop(self.window(p));
        drop(narrow);
        if made != dtype {
            let wide = self.of(p.outputs, dtype);
            drop(out);
            out = wide;
        }
        let mut adapter = Vec::new();
        if let Some(rank) = p.rank {
            adapter.push(self.adapters(p.inputs, rank, half));
            if dtype == half {
                adapter.push(self.adapters(p.outputs, rank, half));
            }
            if x != half {
                adapter.push(self.half(p.inputs));
            }
            let inner = self.half(rank);
            if dtype != half {
                adapter.push(self.of(rank, dtype));
            } else {
                adapter.push(inner);
            }
            let delta = self.single(p.outputs);
            let wide = (dtype == half).then(|| self.single(p.outputs));
            let scaled = self.single(p.outputs);
            let sum = self.single(p.outputs);
            drop((delta, scaled, wide));
            let sum = match dtype == half {
                true => {
                    let narrow = self.half(p.outputs);
                    drop(sum);
                    narrow
                }
                false => sum,
            };
            drop(out);
            out = sum;
        }
        (Kept1 { stack: None, adapter }, out)
    }

    /// The gradient of a projection's input, in the dtype of that, and of its adapters.
    pub(super) fn backward_fp16(
        &self,
        p: Projection,
        kept: Kept1<'t>,
        incoming: Buffer<'t>,
        [x, made, dtype]: [Dtype; 3],
    ) -> (Buffer<'t>, Gradients<'t>) {
        let half = self.s.dtype;
        let mut gradients = None;
        let mut through = None;
        if let Some(rank) = p.rank {
            let scaled = self.single(p.outputs);
            let d_inner = self.of(rank, dtype);
            let d_second = self.adapters(p.outputs, rank, Dtype::F32);
            drop(scaled);
            let narrow = (dtype != half).then(|| self.half(rank));
            let mut dx = self.half(p.inputs);
            let d_first = self.adapters(p.inputs, rank, Dtype::F32);
            drop((narrow, d_inner));
            drop(kept.adapter);
            if x != half {
                let wide = self.of(p.inputs, x);
                drop(dx);
                dx = wide;
            }
            through = Some(dx);
            gradients = Some([d_first, d_second]);
        }
        let incoming = match made == dtype {
            true => incoming,
            false => {
                let narrow = self.of(p.outputs, made);
                drop(incoming);
                narrow
            }
        };
        let own = if made == half { half } else { x };
        let mut dx = self.of(p.inputs, own);
        drop(self.window(p));
        drop(incoming);
        if own != x {
            let wide = self.of(p.inputs, x);
            drop(dx);
            dx = wide;
        }
        drop(through);
        (dx, gradients)
    }
}
