//! One compiled layer of a mixture of experts (Qwen3-MoE): attention as in other layers, then products over rows grouped
//! by expert. A stack of experts in 4 bit is unpacked whole for one product, and again for its backward pass
//! (`unsloth_zoo/temporary_patches/moe_utils.py: forward_native_grouped_mm, _GroupedMMRecompute`,
//! `moe_utils_bnb4bit.py: forward_moe_backend_bnb4bit`).

use super::adapter::Gradients;
use super::attended::{self, Attended};
use super::sizes::{Buffer, Sizes};
use crate::plan::Plan;
use crate::replay::{Dtype, Tensor};

/// What a layer is made of.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// Projections of queries, keys, values and output.
    pub arms: attended::Arms,
    /// How many experts there are.
    count: u64,
    /// How many a token is sent to.
    chosen: u64,
    /// Width of an expert.
    width: u64,
    /// Rank of the adapters on both stacks, where there are any.
    rank: [Option<u64>; 2],
    /// Are the stacks unpacked for every product?
    packed: bool,
}

/// The copies of a stack's adapter in 16 bit and the product between.
struct Adapter<'t> {
    first: Buffer<'t>,
    inner: Buffer<'t>,
    second: Buffer<'t>,
}

/// What a layer keeps for its backward pass.
pub struct Kept<'t> {
    attended: Attended<'t>,
    /// Probabilities, places of the chosen, their weights.
    router: [Buffer<'t>; 3],
    /// Rows in the order of experts, and the tokens they are of.
    order: [Buffer<'t>; 2],
    gathered: Option<Buffer<'t>>,
    gate_up: Buffer<'t>,
    gated: Option<Buffer<'t>>,
    adapters: [Option<Adapter<'t>>; 2],
}

impl Parts {
    /// The parts of a plan's layers.
    pub fn of(plan: &Plan, arms: attended::Arms, rank: [Option<u64>; 2]) -> Option<Self> {
        let experts = plan.arch.experts.as_ref()?;
        Some(Parts {
            arms,
            count: experts.count,
            chosen: experts.per_token,
            width: experts.width,
            rank,
            packed: plan.packs_experts(),
        })
    }
}

/// Buffers by rows of the grouped products, and stacks.
struct Rows<'a, 't> {
    s: &'a Sizes<'t>,
    parts: &'a Parts,
}

impl<'t> Rows<'_, 't> {
    fn count(&self) -> u64 {
        self.s.tokens.saturating_mul(self.parts.chosen)
    }

    fn of(&self, columns: u64) -> Buffer<'t> {
        self.s.buffer(self.count().saturating_mul(columns), self.s.dtype)
    }

    fn indices(&self) -> Buffer<'t> {
        self.s.buffer(self.count(), Dtype::I64)
    }

    fn stack(&self, a: u64, b: u64, dtype: Dtype) -> Buffer<'t> {
        let elements = self.parts.count.saturating_mul(a.saturating_mul(b));
        self.s.buffer(elements, dtype)
    }

    fn half(&self, a: u64, b: u64) -> Buffer<'t> {
        self.stack(a, b, self.s.dtype)
    }

    /// A stack of weights as products take it: unpacked where it is packed.
    fn unpacked(&self, a: u64, b: u64) -> Option<Buffer<'t>> {
        self.parts.packed.then(|| self.half(a, b))
    }

    /// A number for every token and expert.
    fn scores(&self, dtype: Dtype) -> Buffer<'t> {
        self.s
            .buffer(self.s.tokens.saturating_mul(self.parts.count), dtype)
    }

    /// A stable sort of indices: results and scratch.
    fn sort(&self) {
        let range = self.indices();
        let sorted = (self.indices(), self.indices());
        self.s.tape.scratch(self.count().saturating_mul(16), "argsort");
        drop((range, sorted));
    }

    /// A projection of rows, `inputs` to `outputs` columns wide: the product and what its adapter keeps.
    fn forward(&self, inputs: u64, outputs: u64, rank: Option<u64>) -> (Buffer<'t>, Option<Adapter<'t>>) {
        let stack = self.unpacked(inputs, outputs);
        let out = self.of(outputs);
        self.s.tape.touch_workspace();
        drop(stack);
        let adapter = rank.map(|rank| {
            let first = self.half(inputs, rank);
            let inner = self.of(rank);
            let second = self.half(rank, outputs);
            // Scaled and added in the product's memory.
            drop(self.of(outputs));
            Adapter { first, inner, second }
        });
        (out, adapter)
    }

    /// What flows through a projection's adapter to its input, and the gradients of both matrices in 16 bit. `scaled` are
    /// the incoming gradients that it reads; `input` is given where nothing else reads it.
    fn through(
        &self,
        [inputs, outputs]: [u64; 2],
        adapter: Option<Adapter<'t>>,
        scaled: Option<[Buffer<'t>; 2]>,
        input: Option<Buffer<'t>>,
    ) -> Option<(Buffer<'t>, [Buffer<'t>; 2], Option<Buffer<'t>>)> {
        let adapter = adapter?;
        let rank = self.rank_of(&adapter)?;
        let [own, other] = match scaled {
            Some([own, other]) => [Some(own), Some(other)],
            None => [None, None],
        };
        let inner = self.of(rank);
        drop((own, adapter.second));
        let second = self.half(rank, outputs);
        drop((other, adapter.inner));
        let through = self.of(inputs);
        drop(adapter.first);
        let first = self.half(inputs, rank);
        drop(inner);
        Some((through, [first, second], input))
    }

    fn rank_of(&self, adapter: &Adapter<'t>) -> Option<u64> {
        adapter.inner.layout().numel().checked_div(self.count())
    }

    /// Gradients in fp32, in the order of the adapters' own matrices.
    fn widened(&self, narrow: [Buffer<'t>; 2], [inputs, outputs]: [u64; 2], rank: u64) -> Gradients<'t> {
        let [first, second] = narrow;
        let wide_second = self.stack(rank, outputs, Dtype::F32);
        drop(second);
        let wide_first = self.stack(inputs, rank, Dtype::F32);
        drop(first);
        Some([wide_first, wide_second])
    }
}

/// Forward without gradients: Inductor packs what it needs into a few pools.
pub fn forward_only<'t>(s: &Sizes<'t>, parts: &Parts) -> Tensor<'t> {
    let rows = Rows { s, parts };
    let (hidden, twice) = (s.hidden, parts.width.saturating_mul(2));
    let sums = rows.of(twice);
    let stack = rows.unpacked(hidden, twice);
    let middle = s.rows(hidden);
    let out = s.rows(hidden);
    let logits = rows.scores(s.dtype);
    s.tape.touch_workspace();
    drop(s.tape.flash(s.attention));
    let places = (rows.indices(), rows.indices());
    drop((middle, logits));
    let gathered = rows.of(hidden);
    let inner = parts.rank[0].map(|rank| rows.of(rank));
    drop(stack);
    let delta = parts.rank[0].map(|_| rows.of(twice));
    drop((inner, gathered, delta));
    let down = rows.of(hidden);
    let inner = parts.rank[1].map(|rank| rows.of(rank));
    let delta = parts.rank[1].map(|_| rows.of(hidden));
    drop((inner, delta, places, down, sums));
    out
}

/// Forward with what backward needs; the second result is the layer's output.
pub fn forward<'t>(s: &Sizes<'t>, parts: &Parts) -> (Kept<'t>, Tensor<'t>) {
    let rows = Rows { s, parts };
    let (hidden, width) = (s.hidden, parts.width);
    let twice = width.saturating_mul(2);
    let (attended, second_norm) = attended::forward(s, &parts.arms);
    let probabilities = {
        let _logits = rows.scores(s.dtype);
        rows.scores(Dtype::F32)
    };
    let weights = s.buffer(rows.count(), Dtype::F32);
    let places = rows.indices();
    let (sorted, tokens) = (rows.indices(), rows.indices());
    let gathered = rows.of(hidden);
    let (gate_up, first) = rows.forward(hidden, twice, parts.rank[0]);
    let gated = rows.of(width);
    let (down, second) = rows.forward(width, hidden, parts.rank[1]);
    drop((rows.indices(), rows.indices()));
    drop(down);
    let out = s.rows(hidden);
    drop(second_norm);
    let kept = Kept {
        attended,
        router: [probabilities, places, weights],
        order: [sorted, tokens],
        gathered: Some(gathered).filter(|_| first.is_some()),
        gate_up,
        gated: Some(gated).filter(|_| second.is_some()),
        adapters: [first, second],
    };
    (kept, out)
}

/// Gradients of the adapters: of attention's projections, then of the experts' stacks.
pub type AllGradients<'t> = ([Gradients<'t>; 4], [Gradients<'t>; 2]);

/// Backward: the gradient of the input, and those of the adapters. `incoming` is given where nothing else holds it.
pub fn backward<'t>(
    s: &Sizes<'t>,
    parts: &Parts,
    kept: Kept<'t>,
    incoming: Option<Tensor<'t>>,
) -> (Tensor<'t>, AllGradients<'t>) {
    let rows = Rows { s, parts };
    let (hidden, width) = (s.hidden, parts.width);
    let twice = width.saturating_mul(2);
    let [first, second] = kept.adapters;
    let copies = |adapted: bool, columns| adapted.then(|| [rows.of(columns), rows.of(columns)]);

    // The second projection.
    let for_down = rows.of(hidden);
    let scaled = copies(second.is_some(), hidden);
    let by_adapter = rows.through([width, hidden], second, scaled, kept.gated);
    let stack = rows.unpacked(width, hidden);
    s.tape.touch_workspace();
    let by_stack = rows.of(width);
    drop((stack, for_down));
    rows.sort();
    let (through, narrow_second) = match by_adapter {
        Some((through, narrow, gated)) => {
            drop(gated);
            (Some(through), Some(narrow))
        }
        None => (None, None),
    };

    // Gate and up, and the first projection.
    let for_gate_up = rows.of(twice);
    let scaled = copies(first.is_some(), twice);
    drop((through, by_stack, kept.gate_up));
    let by_adapter = rows.through([hidden, twice], first, scaled, kept.gathered);
    let (through, narrow_first) = match by_adapter {
        Some((through, narrow, gathered)) => {
            drop(gathered);
            (Some(through), Some(narrow))
        }
        None => (None, None),
    };
    let stack = rows.unpacked(hidden, twice);
    let by_stack = rows.of(hidden);
    drop((for_gate_up, stack));
    let for_normed = s.rows(hidden);
    drop(by_stack);
    rows.sort();
    drop((through, kept.order));
    let wide = |narrow: Option<[Buffer<'t>; 2]>, sizes, rank: Option<u64>| {
        narrow
            .zip(rank)
            .and_then(|(narrow, rank)| rows.widened(narrow, sizes, rank))
    };
    let for_first = wide(narrow_first, [hidden, twice], parts.rank[0]);
    let for_second = wide(narrow_second, [width, hidden], parts.rank[1]);
    let for_scores = rows.scores(Dtype::F32);
    let narrow = rows.scores(s.dtype);
    drop((for_scores, kept.router));
    let (gradient, linears) = attended::backward(s, &parts.arms, kept.attended, for_normed);
    drop((narrow, incoming));
    (gradient, (linears, [for_first, for_second]))
}
