//! Experts of GPT-OSS that stay in MXFP4: a stack is decoded whole for one product, and pinned where the layer is run again
//! (`unsloth_zoo/mxfp4_dequant.py`, `temporary_patches/moe_utils.py: forward_native_grouped_mm`). All is in the dtype of the
//! layer; biases alone are fp32.

use super::adapter::Gradients;
use super::grouped_experts::{Projection, Records, Rows, Shape};
use super::sizes::{Buffer, Sizes};
use crate::replay::{Dtype, Tensor};

/// What a projection keeps: the decoded stack, both matrices of the adapter in 16 bit and the product between.
struct Kept1<'t> {
    stack: Option<Buffer<'t>>,
    adapter: Option<[Buffer<'t>; 3]>,
}

/// What the experts keep for their backward pass.
pub struct Kept<'t> {
    gathered: Option<Buffer<'t>>,
    first: Kept1<'t>,
    sums: Buffer<'t>,
    gated: Option<Buffer<'t>>,
    second: Kept1<'t>,
    out: Buffer<'t>,
}

/// What stays bound to a name until the next projection takes it: the adapter's product, the biases of the rows.
type Bound<'t> = (Option<Buffer<'t>>, Option<Buffer<'t>>);

impl<'t> Rows<'_, 't> {
    /// A projection: what it keeps and its result.
    fn native(&self, p: Projection, records: Records, bound: &mut Bound<'t>) -> (Kept1<'t>, Buffer<'t>) {
        let stack = self.stack(p);
        let mut out = self.half(p.outputs);
        self.s.tape.touch_workspace();
        let stack = Some(stack).filter(|_| records == Records::Again);
        let adapter = p.rank.map(|rank| {
            let first = self.adapters(p.inputs, rank, self.s.dtype);
            let second = self.adapters(p.outputs, rank, self.s.dtype);
            let inner = self.half(rank);
            bound.0 = Some(self.half(p.outputs));
            let scaled = self.half(p.outputs);
            let sum = self.half(p.outputs);
            drop(scaled);
            drop(std::mem::replace(&mut out, sum));
            [first, second, inner]
        });
        bound.1 = Some(self.single(p.outputs));
        let narrow = self.half(p.outputs);
        let sum = self.half(p.outputs);
        drop(narrow);
        drop(out);
        (Kept1 { stack, adapter }, sum)
    }

    /// The gradient of a projection's input, and of its adapters in the order and dtype of the canonical matrices.
    fn native_backward(
        &self,
        p: Projection,
        kept: Kept1<'t>,
        input: Option<Buffer<'t>>,
        incoming: Buffer<'t>,
    ) -> (Buffer<'t>, Gradients<'t>) {
        let (mut through, mut gradients) = (None, None);
        if let (Some([first, second, inner]), Some(rank)) = (kept.adapter, p.rank) {
            let scaled = self.half(p.outputs);
            let d_second = self.adapters(p.outputs, rank, self.s.dtype);
            let d_inner = self.half(rank);
            drop((scaled, second, inner));
            let d_first = self.adapters(p.inputs, rank, self.s.dtype);
            through = Some(self.half(p.inputs));
            drop((d_inner, first, input));
            let wide = |narrow: Buffer<'t>, columns| {
                let wide = self.adapters(columns, rank, Dtype::F32);
                drop(narrow);
                wide
            };
            let second = wide(d_second, p.outputs);
            gradients = Some([wide(d_first, p.inputs), second]);
        }
        let stack = kept.stack.unwrap_or_else(|| self.stack(p));
        let by_stack = self.half(p.inputs);
        drop((incoming, stack));
        // The sum is made in place.
        (through.unwrap_or(by_stack), gradients)
    }

    /// The adapters' own matrices as products take them: copies in fp32.
    fn canonical(&self, p: Projection) -> Option<[Buffer<'t>; 2]> {
        p.rank
            .map(|rank| [p.inputs, p.outputs].map(|columns| self.adapters(columns, rank, Dtype::F32)))
    }
}

/// The experts' sum for every token.
pub fn forward<'t>(s: &Sizes<'t>, shape: &Shape, records: Records) -> (Kept<'t>, Tensor<'t>) {
    let rows = Rows { s, shape };
    let [gate_up, down] = shape.projections(s.hidden);
    let _canonical = [gate_up, down].map(|p| rows.canonical(p));
    let mut bound = (None, None);
    let gathered = rows.half(s.hidden);
    let (first, sums) = rows.native(gate_up, records, &mut bound);
    let gated = rows.half(down.inputs);
    let (second, out) = rows.native(down, records, &mut bound);
    let result = s.rows(s.hidden);
    let kept = Kept {
        gathered: Some(gathered).filter(|_| gate_up.rank.is_some()),
        first,
        sums,
        gated: Some(gated).filter(|_| down.rank.is_some()),
        second,
        out,
    };
    (kept, result)
}

/// The gradient of the experts' input, and of their adapters.
pub fn backward<'t>(s: &Sizes<'t>, shape: &Shape, kept: Kept<'t>) -> (Tensor<'t>, [Gradients<'t>; 2]) {
    let rows = Rows { s, shape };
    let [gate_up, down] = shape.projections(s.hidden);
    let for_out = rows.half(s.hidden);
    drop(kept.out);
    let (for_gated, second) = rows.native_backward(down, kept.second, kept.gated, for_out);
    let for_sums = rows.half(gate_up.outputs);
    drop((for_gated, kept.sums));
    let (for_rows, first) = rows.native_backward(gate_up, kept.first, kept.gathered, for_sums);
    let gradient = s.rows(s.hidden);
    drop(for_rows);
    // Back in the layout of the adapters' own matrices.
    let own = |canonical: Gradients<'t>| {
        canonical.map(|pair| {
            pair.map(|buffer| {
                let copy = s.buffer(buffer.layout().numel(), Dtype::F32);
                drop(buffer);
                copy
            })
        })
    };
    (gradient, [own(first), own(second)])
}
