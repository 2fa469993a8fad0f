//! A decoder layer of GPT-OSS: attention with sinks by flex attention, then experts
//! (`unsloth_zoo/temporary_patches/gpt_oss.py`). Functions are compiled one by one, so that what each makes is a buffer of
//! its own. Of experts in nf4 the sum is fp32, and with it the residual stream from the second layer on.

use super::grouped_experts::{self, Gradients, Records, Shape};
use super::native_experts;
use super::sizes::{Arm, Buffer, Sizes};
use crate::replay::{Dtype, Tensor};

/// What a layer is made of.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// Projections of queries, keys, values and output.
    pub arms: [Arm; 4],
    /// The experts.
    pub experts: Shape,
    /// How many there are, and how many a token is sent to.
    pub routed: [u64; 2],
    /// The dtype of the residual stream that comes in.
    pub stream: Dtype,
    /// Do the experts stay in MXFP4?
    pub native: bool,
}

/// What experts keep.
enum Experts<'t> {
    Unpacked(grouped_experts::Kept<'t>),
    Native(native_experts::Kept<'t>),
}

/// The experts' sum, and what they keep.
fn experts<'t>(s: &Sizes<'t>, parts: &Parts, records: Records) -> (Experts<'t>, Tensor<'t>) {
    if parts.native {
        let (kept, sum) = native_experts::forward(s, &parts.experts, records);
        return (Experts::Native(kept), sum);
    }
    let (kept, sum) = grouped_experts::forward(s, &parts.experts, parts.stream, records);
    (Experts::Unpacked(kept), sum)
}

/// What a layer keeps.
pub struct Kept<'t> {
    first_rstd: Buffer<'t>,
    /// Of each projection of attention: copies of adapters and input, and the product between.
    projections: [Vec<Buffer<'t>>; 4],
    attention: Vec<Buffer<'t>>,
    middle: Buffer<'t>,
    second_rstd: Buffer<'t>,
    router: Vec<Buffer<'t>>,
    experts: Experts<'t>,
}

/// Gradients of the adapters: of attention's projections, then of the experts' stacks.
pub type AllGradients<'t> = ([Gradients<'t>; 4], [Gradients<'t>; 2]);

/// Columns that a scale of nf4 stands for.
const BLOCK: u64 = 64;

impl<'t> Sizes<'t> {
    fn stream(&self, dtype: Dtype, width: u64) -> Buffer<'t> {
        self.buffer(self.tokens.saturating_mul(width), dtype)
    }

    /// Is what follows an fp32 residual stream fp32 too? On cards without bf16, where fp16 would overflow.
    fn forces_single(&self, stream: Dtype) -> bool {
        self.dtype == Dtype::F16 && stream == Dtype::F32
    }

    /// A weight unpacked by bitsandbytes, with the fp32 scales that are unpacked first.
    fn unpacked_4bit(&self, arm: &Arm) -> Option<Buffer<'t>> {
        arm.packed.then(|| {
            let _scales = [(); 2].map(|()| self.buffer(arm.elements() / BLOCK, Dtype::F32));
            self.buffer(arm.elements(), self.dtype)
        })
    }

    /// `unsloth_forward` of a 4-bit linear layer with its adapter, on an input of `stream`.
    fn projected(&self, arm: &Arm, stream: Dtype) -> (Vec<Buffer<'t>>, Buffer<'t>) {
        let half = self.dtype;
        let narrow = (stream != half).then(|| self.rows(arm.inputs));
        let weight = self.unpacked_4bit(arm);
        let mut base = self.rows(arm.outputs);
        self.tape.touch_workspace();
        drop(weight);
        if stream != half {
            let wide = self.stream(stream, arm.outputs);
            drop(base);
            base = wide;
        }
        drop(narrow);
        let Some(rank) = arm.rank else {
            return (Vec::new(), base);
        };
        let mut kept = vec![self.buffer(rank.saturating_mul(arm.inputs), half)];
        if stream != half {
            kept.push(self.rows(arm.inputs));
        }
        if self.forces_single(stream) {
            // `COMPILED_LORA_FORWARD_forced_float32`: the second product is fp32.
            let inner = self.rows(rank);
            kept.push(self.stream(stream, rank));
            let out = self.stream(stream, arm.outputs);
            drop((inner, base));
            return (kept, out);
        }
        kept.push(self.rows(rank));
        kept.push(self.buffer(rank.saturating_mul(arm.outputs), half));
        let narrow = (stream != half).then(|| self.rows(arm.outputs));
        let mut out = self.rows(arm.outputs);
        drop(narrow);
        if stream != half {
            let wide = self.stream(stream, arm.outputs);
            drop(out);
            out = wide;
        }
        drop(base);
        (kept, out)
    }

    /// Its backward pass: the gradient of the input in the dtype of the stream.
    fn through(&self, arm: &Arm, kept: Vec<Buffer<'t>>, incoming: Buffer<'t>) -> (Buffer<'t>, Gradients<'t>) {
        let stream = incoming.dtype();
        let narrow = (stream != self.dtype).then(|| self.rows(arm.outputs));
        let widened = |narrow: Buffer<'t>| match stream != self.dtype {
            true => {
                let wide = self.stream(stream, arm.inputs);
                drop(narrow);
                wide
            }
            false => narrow,
        };
        let mut gradients = None;
        let mut by_adapter = None;
        if let Some(rank) = arm.rank {
            let inner = self.rows(rank);
            let [inputs, outputs] = [arm.inputs, arm.outputs].map(|width| width.saturating_mul(rank));
            let second = self.buffer(outputs, Dtype::F32);
            let through = self.rows(arm.inputs);
            drop(inner);
            drop(kept);
            by_adapter = Some(widened(through));
            gradients = Some([self.buffer(inputs, Dtype::F32), second]);
        }
        drop(narrow);
        let narrow = (stream != self.dtype).then(|| self.rows(arm.outputs));
        let weight = self.unpacked_4bit(arm);
        let through = self.rows(arm.inputs);
        drop(weight);
        drop(narrow);
        let through = widened(through);
        drop(incoming);
        let sum = match by_adapter {
            Some(other) => {
                let sum = self.stream(stream, arm.inputs);
                drop(other);
                sum
            }
            None => return (through, gradients),
        };
        drop(through);
        (sum, gradients)
    }
}

/// Attention between its projections: what it keeps beside queries, keys and values, and its output.
fn flex<'t>(s: &Sizes<'t>, stream: Dtype) -> (Vec<Buffer<'t>>, Buffer<'t>) {
    let heads = s.attention.heads;
    let mut kept = Vec::new();
    let mut inner = stream;
    if stream != s.dtype && !s.forces_single(stream) {
        kept.extend([s.rows(s.queries), s.rows(s.keys), s.rows(s.keys)]);
        inner = s.dtype;
    }
    kept.extend([s.scalars(heads), s.scalars(heads), s.stream(inner, s.queries)]);
    // Sinks: the share of the softmax that is none of a key's.
    kept.push(s.scalars(heads));
    kept.push(s.stream(inner, heads));
    let scaled = s.stream(inner, s.queries);
    let dense = s.stream(inner, s.queries);
    drop(scaled);
    (kept, dense)
}

/// Attention: what its projections and itself keep, and its output.
fn attention<'t>(s: &Sizes<'t>, parts: &Parts) -> ([Vec<Buffer<'t>>; 4], Vec<Buffer<'t>>, Buffer<'t>) {
    let [query, key, value, output] = &parts.arms;
    let stream = parts.stream;
    let (kept_q, q) = s.projected(query, stream);
    let (kept_k, k) = s.projected(key, stream);
    let (kept_v, v) = s.projected(value, stream);
    let rotated = (s.stream(stream, s.queries), s.stream(stream, s.keys));
    drop((q, k));
    let (mut kept, dense) = flex(s, stream);
    let (kept_o, out) = s.projected(output, dense.dtype());
    if stream == s.dtype || s.forces_single(stream) {
        let (q, k) = rotated;
        kept.extend([q, k, v]);
    } else {
        drop((rotated, v));
    }
    if stream == dense.dtype() && stream != s.dtype {
        // The adapter keeps a copy in 16 bit.
        drop(dense);
    } else {
        kept.push(dense);
    }
    ([kept_q, kept_k, kept_v, kept_o], kept, out)
}

/// The layer with all that it keeps.
pub fn forward<'t>(s: &Sizes<'t>, parts: &Parts, records: Records) -> (Kept<'t>, Tensor<'t>) {
    let stream = parts.stream;
    let first_rstd = s.scalars(1);
    let normed = s.stream(stream, s.hidden);
    let (projections, mut attention, attended) = attention(s, parts);
    if stream == s.dtype {
        // The projections' adapters keep their input itself.
        attention.push(normed);
    } else {
        drop(normed);
    }
    let middle = s.stream(stream, s.hidden);
    drop(attended);
    let second_rstd = s.scalars(1);
    let normed = s.stream(stream, s.hidden);
    let router = router(s, parts);
    let (experts, sum) = experts(s, parts, records);
    drop(normed);
    let out = s.stream(sum.dtype(), s.hidden);
    drop(sum);
    let kept = Kept {
        first_rstd,
        projections,
        attention,
        middle,
        second_rstd,
        router,
        experts,
    };
    (kept, out)
}

/// The layer without a graph.
pub fn forward_only<'t>(s: &Sizes<'t>, parts: &Parts) -> Tensor<'t> {
    let stream = parts.stream;
    let normed = s.stream(stream, s.hidden);
    let (projections, kept, attended) = attention(s, parts);
    drop((projections, kept));
    drop(normed);
    let middle = s.stream(stream, s.hidden);
    drop(attended);
    let normed = s.stream(stream, s.hidden);
    let router = router(s, parts);
    let (kept, sum) = experts(s, parts, Records::No);
    drop(kept);
    drop(normed);
    let out = s.stream(sum.dtype(), s.hidden);
    drop((sum, middle, router));
    out
}

/// `GptOssTopKRouter`: scores, the highest of them and their places, spread over all experts again.
fn router<'t>(s: &Sizes<'t>, parts: &Parts) -> Vec<Buffer<'t>> {
    let [experts, chosen] = parts.routed;
    let narrow = (parts.stream != s.dtype).then(|| s.rows(s.hidden));
    let scores = s.rows(experts);
    drop(narrow);
    let highest = s.rows(chosen);
    let places = s.stream(Dtype::I64, chosen);
    let shares = s.rows(chosen);
    drop(highest);
    vec![scores, places, shares, s.rows(experts), s.rows(experts)]
}

/// The gradient of the layer's input, and of its adapters. The incoming gradient is the caller's.
pub fn backward<'t>(s: &Sizes<'t>, parts: &Parts, kept: Kept<'t>) -> (Tensor<'t>, AllGradients<'t>) {
    let stream = parts.stream;
    let wide = || s.stream(stream, s.hidden);
    let widened = |narrow: Buffer<'t>| match stream != s.dtype {
        true => {
            let wide = wide();
            drop(narrow);
            wide
        }
        false => narrow,
    };
    let (dx, for_experts) = match kept.experts {
        Experts::Unpacked(kept) => grouped_experts::backward(s, &parts.experts, stream, kept),
        Experts::Native(kept) => native_experts::backward(s, &parts.experts, kept),
    };
    let for_normed = if dx.dtype() == stream { dx } else { widened(dx) };
    let by_router = widened(s.rows(s.hidden));
    drop(kept.router);
    let sum = wide();
    drop((for_normed, by_router));
    let by_norm = wide();
    drop(sum);
    drop(kept.second_rstd);
    drop(kept.middle);
    let for_middle = wide();
    drop(by_norm);
    let [kept_q, kept_k, kept_v, kept_o] = kept.projections;
    let [query, key, value, output] = &parts.arms;
    let inner = if s.forces_single(stream) { stream } else { s.dtype };
    let (for_dense, for_o) = s.through(output, kept_o, s.stream(inner, s.hidden));
    let copied = {
        let copied = s.stream(inner, s.queries);
        drop(for_dense);
        let _by_sinks = s.stream(inner, s.queries);
        copied
    };
    let for_query = s.stream(inner, s.queries);
    let for_keys = [s.stream(inner, s.keys), s.stream(inner, s.keys)];
    drop(copied);
    drop(kept.attention);
    let rotated_back = |narrow: Buffer<'t>, width| {
        let out = s.stream(stream, width);
        drop(narrow);
        out
    };
    let for_query = rotated_back(for_query, s.queries);
    let [for_key, for_value] = for_keys.map(|narrow| rotated_back(narrow, s.keys));
    let (by_value, for_v) = s.through(value, kept_v, for_value);
    let (by_key, for_k) = s.through(key, kept_k, for_key);
    let sum = wide();
    drop((by_value, by_key));
    let (by_query, for_q) = s.through(query, kept_q, for_query);
    let total = wide();
    drop((sum, by_query));
    let by_norm = wide();
    drop(total);
    drop(kept.first_rstd);
    let out = wide();
    drop((by_norm, for_middle));
    (out, ([for_q, for_k, for_v, for_o], for_experts))
}
