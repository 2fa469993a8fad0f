//! The sizes that a compiled layer's buffers follow from.

use crate::model::Family;
use crate::plan::Plan;
use crate::replay::{AttentionShape, Dtype, Tape, Tensor};
use crate::stack::hf::linear::{Base, Linear};

/// A buffer of compiled code.
pub type Buffer<'t> = Tensor<'t>;

/// Sizes of one decoder layer, and the tape its buffers live on.
#[derive(Clone, Copy, Debug)]
pub struct Sizes<'t> {
    /// Where buffers live.
    pub tape: &'t Tape,
    /// Tokens of the micro-batch.
    pub tokens: u64,
    /// Width of the residual stream.
    pub hidden: u64,
    /// Width of the MLP.
    pub mlp: u64,
    /// Width of all queries.
    pub queries: u64,
    /// Width of all keys; values are as wide.
    pub keys: u64,
    /// The call of attention.
    pub attention: AttentionShape,
    /// Are queries and keys normed?
    pub query_norm: bool,
    /// Is there a norm behind attention and MLP too, and attention by flex attention (Gemma 3)?
    pub sandwich: bool,
    /// Have queries, keys and values a bias?
    pub biases: bool,
    /// The dtype that is computed in.
    pub dtype: Dtype,
    multiprocessors: u64,
}

impl<'t> Sizes<'t> {
    /// The sizes of a plan's layers.
    pub fn of(tape: &'t Tape, plan: &Plan) -> Self {
        let a = &plan.arch.attention;
        let rows = plan.row_length();
        Sizes {
            tape,
            tokens: plan.tokens(),
            hidden: plan.arch.hidden,
            mlp: plan.arch.mlp.width,
            queries: a.heads.saturating_mul(a.head_dim),
            keys: a.kv_heads.saturating_mul(a.head_dim),
            attention: AttentionShape {
                batch: plan.tokens() / rows.max(1),
                heads: a.heads,
                kv_heads: a.kv_heads,
                seq: rows,
                head_dim: a.head_dim,
                value_dim: a.head_dim,
                dropout: false,
                dtype: plan.dtype,
            },
            query_norm: a.query_norm.is_some(),
            sandwich: plan.arch.family == Family::Gemma3,
            biases: a.qkv_bias,
            dtype: plan.dtype,
            multiprocessors: plan.device.multiprocessors,
        }
    }

    /// Is what overflows fp16 forced into fp32 (`UNSLOTH_FORCE_FLOAT32`, `unsloth/models/loader.py`), as in Gemma 3 on cards
    /// without bf16?
    pub fn is_forced(&self) -> bool {
        self.sandwich && self.dtype == Dtype::F16
    }

    /// Workspaces of a layer's products: cuBLAS's, and cuBLASLt's where a bias is added.
    pub fn touch_workspaces(&self) {
        self.tape.touch_workspace();
        if self.biases {
            self.tape.touch_lt_workspace();
        }
    }

    /// A buffer of `elements`.
    pub fn buffer(&self, elements: u64, dtype: Dtype) -> Buffer<'t> {
        self.tape.temporary(&[elements], dtype, "empty_strided")
    }

    /// A buffer of `width` columns for every token.
    pub fn rows(&self, width: u64) -> Buffer<'t> {
        self.buffer(self.tokens.saturating_mul(width), self.dtype)
    }

    /// As [`Sizes::buffer`], in the memory of a buffer that is no longer read, when there is one of that size.
    pub fn buffer_in(&self, spare: Option<Buffer<'t>>, elements: u64) -> Buffer<'t> {
        match spare {
            Some(buffer) => buffer.again(elements, self.dtype),
            None => self.buffer(elements, self.dtype),
        }
    }

    /// As [`Sizes::rows`], in the memory of another.
    pub fn rows_in(&self, spare: Option<Buffer<'t>>, width: u64) -> Buffer<'t> {
        self.buffer_in(spare, self.tokens.saturating_mul(width))
    }

    /// A number in fp32 for every token and head.
    pub fn scalars(&self, heads: u64) -> Buffer<'t> {
        self.buffer(self.tokens.saturating_mul(heads), Dtype::F32)
    }

    /// Sums over all tokens are taken in this many parts
    /// (`torch/_inductor/choices.py: reduction_split_factor`, outer reductions).
    pub fn parts(&self, width: u64) -> u64 {
        const LEAST: u64 = 32;
        const MOST: u64 = 512;
        const THREADS: u64 = 2048;
        const VALUES: u64 = 4;
        let device = self.multiprocessors.saturating_mul(THREADS);
        let work = self.tokens.saturating_mul(width);
        let split = if work < LEAST.saturating_mul(device) {
            LEAST
        } else if work < MOST.saturating_mul(device) {
            let blocks = (device / 256).div_ceil(width.div_ceil(128).max(1));
            self.tokens.div_ceil(VALUES.saturating_mul(blocks.max(1)))
        } else {
            MOST
        };
        self.tokens.div_ceil(VALUES.saturating_mul(split.max(1))).max(1)
    }
}

/// A linear layer as compiled code sees it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arm {
    /// Columns in.
    pub inputs: u64,
    /// Columns out.
    pub outputs: u64,
    /// Rank of its adapter; none: no adapter.
    pub rank: Option<u64>,
    /// Is its weight unpacked for every product?
    pub packed: bool,
    /// Are values of its adapter's input dropped?
    pub drops: bool,
}

impl Arm {
    /// A linear layer of the model.
    pub fn of(linear: &Linear<'_>) -> Self {
        Arm {
            inputs: linear.inputs,
            outputs: linear.outputs,
            rank: linear
                .lora
                .as_ref()
                .and_then(|adapters| adapters.a.layout().shape().first().copied()),
            packed: !matches!(linear.base, Base::Plain(_)),
            drops: linear.dropout && linear.lora.is_some(),
        }
    }

    /// Does its adapter's backward pass read the input as it is?
    pub fn reads_input(&self) -> bool {
        self.rank.is_some() && !self.drops
    }

    /// Elements of its weight.
    pub fn elements(&self) -> u64 {
        self.inputs.saturating_mul(self.outputs)
    }
}
