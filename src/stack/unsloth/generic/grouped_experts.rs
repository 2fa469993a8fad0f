//! Experts of GPT-OSS in 4 bit: all of a layer's unpacked into one stack, products over rows grouped by expert
//! (`unsloth_zoo/temporary_patches/gpt_oss_grouped_qlora.py: grouped_qlora_forward`, on cards without bf16
//! `_grouped_qlora_forward_fp16`).

use super::sizes::{Buffer, Sizes};
use crate::plan::Plan;
use crate::replay::{Dtype, Tensor};

/// The sizes of a layer's experts.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// How many there are.
    pub(super) count: u64,
    /// Rows of all tokens, each once for every expert it is sent to.
    rows: u64,
    width: u64,
    /// Rank of the adapters on both stacks, where there are any.
    rank: [Option<u64>; 2],
}

/// One of the two projections: columns in and out of an expert.
#[derive(Clone, Copy)]
pub(super) struct Projection {
    pub inputs: u64,
    pub outputs: u64,
    pub rank: Option<u64>,
}

impl Shape {
    /// The sizes of a plan's experts.
    pub fn of(plan: &Plan, rank: [Option<u64>; 2]) -> Option<Self> {
        let experts = plan.arch.experts.as_ref()?;
        Some(Shape {
            count: experts.count,
            rows: plan.tokens().saturating_mul(experts.per_token),
            width: experts.width,
            rank,
        })
    }

    pub(super) fn projections(&self, hidden: u64) -> [Projection; 2] {
        let twice = self.width.saturating_mul(2);
        let of = |inputs, outputs, rank| Projection {
            inputs,
            outputs,
            rank,
        };
        [
            of(hidden, twice, self.rank[0]),
            of(self.width, hidden, self.rank[1]),
        ]
    }
}

/// What a projection keeps: the unpacked stack, and of its adapter the matrices in 16 bit, the input and the product
/// between.
pub(super) struct Kept1<'t> {
    pub stack: Option<Buffer<'t>>,
    pub adapter: Vec<Buffer<'t>>,
}

/// What the experts keep for their backward pass.
pub struct Kept<'t> {
    order: [Buffer<'t>; 3],
    gathered: Option<Buffer<'t>>,
    first: Kept1<'t>,
    gate_up: Buffer<'t>,
    gated: Option<Buffer<'t>>,
    second: Kept1<'t>,
    out: Buffer<'t>,
    weights: Buffer<'t>,
}

/// Gradients of the adapters' stacks: of the first and second matrix.
pub type Gradients<'t> = Option<[Buffer<'t>; 2]>;

/// Buffers by rows of the grouped products.
pub(super) struct Rows<'a, 't> {
    pub s: &'a Sizes<'t>,
    pub shape: &'a Shape,
}

impl<'t> Rows<'_, 't> {
    pub(super) fn of(&self, columns: u64, dtype: Dtype) -> Buffer<'t> {
        self.s.buffer(self.shape.rows.saturating_mul(columns), dtype)
    }

    pub(super) fn half(&self, columns: u64) -> Buffer<'t> {
        self.of(columns, self.s.dtype)
    }

    pub(super) fn single(&self, columns: u64) -> Buffer<'t> {
        self.of(columns, Dtype::F32)
    }

    fn indices(&self) -> Buffer<'t> {
        self.of(1, Dtype::I64)
    }

    pub(super) fn stack(&self, p: Projection) -> Buffer<'t> {
        let elements = p.inputs.saturating_mul(p.outputs);
        self.s
            .buffer(self.shape.count.saturating_mul(elements), self.s.dtype)
    }

    pub(super) fn adapters(&self, columns: u64, rank: u64, dtype: Dtype) -> Buffer<'t> {
        let elements = columns.saturating_mul(rank);
        self.s.buffer(self.shape.count.saturating_mul(elements), dtype)
    }

    /// A sort of indices: results and scratch.
    fn sort(&self) -> Buffer<'t> {
        let range = self.indices();
        let order = self.indices();
        let sorted = self.indices();
        self.s.tape.scratch(self.shape.rows.saturating_mul(16), "argsort");
        drop((range, sorted));
        order
    }

    /// `accumulated + addend` in `dtype`, where the addend is made in 16 bit.
    fn add(&self, sum: Buffer<'t>, addend: Buffer<'t>, columns: u64, dtype: Dtype) -> Buffer<'t> {
        let wide = match dtype == self.s.dtype {
            true => addend,
            false => {
                let wide = self.of(columns, dtype);
                drop(addend);
                wide
            }
        };
        let out = self.of(columns, dtype);
        drop(wide);
        drop(sum);
        out
    }

    /// Base, bias and adapter of a projection, summed in `dtype`.
    fn forward(&self, p: Projection, dtype: Dtype, records: Records) -> (Kept1<'t>, Buffer<'t>) {
        let stack = self.stack(p);
        let base = self.half(p.outputs);
        // Pinned where the layer is run again for its backward pass; else rebuilt there (`_moe_recompute_default`).
        let stack = Some(stack).filter(|_| records == Records::Again);
        let mut out = base;
        if dtype != self.s.dtype {
            let wide = self.of(p.outputs, dtype);
            drop(out);
            out = wide;
        }
        let bias = self.half(p.outputs);
        out = self.add(out, bias, p.outputs, dtype);
        let Some(rank) = p.rank else {
            let adapter = Vec::new();
            return (Kept1 { stack, adapter }, out);
        };
        let (first, second) = {
            let casts = (
                self.adapters(p.inputs, rank, self.s.dtype),
                self.adapters(p.outputs, rank, self.s.dtype),
            );
            let dense = (
                self.adapters(p.inputs, rank, self.s.dtype),
                self.adapters(p.outputs, rank, self.s.dtype),
            );
            drop(casts);
            dense
        };
        let inner = self.half(rank);
        let product = self.half(p.outputs);
        let scaled = self.half(p.outputs);
        drop(product);
        let adapter = match records {
            Records::No => Vec::new(),
            _ => vec![first, inner, second],
        };
        out = self.add(out, scaled, p.outputs, dtype);
        (Kept1 { stack, adapter }, out)
    }

    /// The gradient of a projection's input in 16 bit, and of its adapters. `incoming` is dropped on the way.
    fn backward(
        &self,
        p: Projection,
        kept: Kept1<'t>,
        input: Option<Buffer<'t>>,
        incoming: Buffer<'t>,
        dtype: Dtype,
    ) -> (Buffer<'t>, Gradients<'t>) {
        let narrow = |columns| (dtype != self.s.dtype).then(|| self.half(columns));
        let mut gradients = None;
        let mut through = None;
        if let Some(rank) = p.rank {
            let scaled = {
                let _cast = narrow(p.outputs);
                self.half(p.outputs)
            };
            let d_inner = self.half(rank);
            let d_second = self.adapters(p.outputs, rank, self.s.dtype);
            drop(scaled);
            drop(kept.adapter);
            through = Some(self.half(p.inputs));
            let d_first = self.adapters(p.inputs, rank, self.s.dtype);
            drop(d_inner);
            let wide = |narrow: Buffer<'t>, columns| {
                let cast = self.adapters(columns, rank, Dtype::F32);
                drop(narrow);
                let dense = self.adapters(columns, rank, Dtype::F32);
                drop(cast);
                dense
            };
            let d_second = wide(d_second, p.outputs);
            gradients = Some([wide(d_first, p.inputs), d_second]);
        }
        drop(input);
        let cast = narrow(p.outputs);
        let incoming = match cast {
            Some(cast) => {
                drop(incoming);
                cast
            }
            None => incoming,
        };
        let stack = kept.stack.unwrap_or_else(|| self.stack(p));
        let dx = self.half(p.inputs);
        drop(incoming);
        drop(stack);
        // Two gradients of one tensor are summed in place.
        drop(through);
        (dx, gradients)
    }
}

/// Is a graph recorded, and in the first forward pass or in the one for the backward pass?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Records {
    /// No graph.
    No,
    /// In the only forward pass.
    Once,
    /// In a checkpoint's second one.
    Again,
}

/// The experts' sum for every token, fp32. `stream` is the dtype of the residual stream.
pub fn forward<'t>(s: &Sizes<'t>, shape: &Shape, stream: Dtype, records: Records) -> (Kept<'t>, Tensor<'t>) {
    let rows = Rows { s, shape };
    let [gate_up, down] = shape.projections(s.hidden);
    let fp16 = s.dtype == Dtype::F16;
    let narrow = (stream != s.dtype && !fp16).then(|| s.rows(s.hidden));
    let tokens = {
        let _range = s.buffer(s.tokens, Dtype::I64);
        rows.indices()
    };
    let order = rows.sort();
    let (sorted, experts) = (rows.indices(), rows.indices());
    let biases = [gate_up, down].map(|p| s.buffer(shape.count.saturating_mul(p.outputs), s.dtype));
    let gathered = rows.of(s.hidden, if fp16 { stream } else { s.dtype });
    let (first, sums) = match fp16 {
        true => rows.forward_fp16(gate_up, [stream, s.dtype, stream]),
        false => rows.forward(gate_up, stream, records),
    };
    let gated = match fp16 {
        true => rows.single(shape.width),
        false => {
            let _wide = rows.single(shape.width);
            rows.half(shape.width)
        }
    };
    let (second, out) = match fp16 {
        true => rows.forward_fp16(down, [Dtype::F32; 3]),
        false => rows.forward(down, Dtype::F32, records),
    };
    let weights = {
        let _picked = rows.half(1);
        rows.single(1)
    };
    let weighted = rows.single(s.hidden);
    let inverse = rows.indices();
    let gathered_back = rows.single(s.hidden);
    let result = s.buffer(s.tokens.saturating_mul(s.hidden), Dtype::F32);
    drop(gathered_back);
    drop((narrow, tokens, inverse, biases, weighted));
    // fp16: what adapters keep of inputs are narrow copies, where those are not narrow themselves.
    let (gathered, gated) = match fp16 {
        true => (Some(gathered).filter(|_| stream == s.dtype), None),
        false => (Some(gathered), Some(gated)),
    };
    let kept = Kept {
        order: [order, sorted, experts],
        gathered,
        first,
        gate_up: sums,
        gated,
        second,
        out,
        weights,
    };
    (kept, result)
}

/// The gradient of the experts' input in 16 bit, and of their adapters.
pub fn backward<'t>(
    s: &Sizes<'t>,
    shape: &Shape,
    stream: Dtype,
    kept: Kept<'t>,
) -> (Tensor<'t>, [Gradients<'t>; 2]) {
    let rows = Rows { s, shape };
    let [gate_up, down] = shape.projections(s.hidden);
    let gathered = {
        let _spread = rows.single(s.hidden);
        rows.single(s.hidden)
    };
    let for_out = rows.single(s.hidden);
    {
        let _for_weights = rows.single(s.hidden);
        drop(rows.single(1));
    }
    drop(gathered);
    drop((kept.weights, kept.out));
    let fp16 = s.dtype == Dtype::F16;
    let (for_gated, second) = match fp16 {
        true => rows.backward_fp16(down, kept.second, for_out, [Dtype::F32; 3]),
        false => rows.backward(down, kept.second, kept.gated, for_out, Dtype::F32),
    };
    let wide = match fp16 {
        true => for_gated,
        false => {
            let wide = rows.single(shape.width);
            drop(for_gated);
            wide
        }
    };
    let for_sums = rows.of(2 * shape.width, stream);
    drop(kept.gate_up);
    drop(wide);
    let (for_rows, first) = match fp16 {
        true => rows.backward_fp16(gate_up, kept.first, for_sums, [stream, s.dtype, stream]),
        false => rows.backward(gate_up, kept.first, kept.gathered, for_sums, stream),
    };
    let dx = s.buffer(s.tokens.saturating_mul(s.hidden), for_rows.dtype());
    drop(rows.sort());
    drop(for_rows);
    drop(kept.order);
    (dx, [first, second])
}
