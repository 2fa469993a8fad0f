//! One layer of Gemma 3 on cards without bf16: the residual stream and attention are fp32, what is between in fp16
//! (`unsloth_zoo/temporary_patches/gemma.py`, `UNSLOTH_FORCE_FLOAT32`). The layer is not compiled as a whole: its norms,
//! what comes before attention, and the MLP are, each with buffers of its own.

use super::adapter::Gradients;
use super::sizes::{Arm, Buffer, Sizes};
use crate::replay::{AttentionShape, Dtype, Tensor};

/// The linear layers of a layer: query, key, value, output, gate, up, down.
pub type Arms = [Arm; 7];

/// Copies of an adapter's matrices in fp16 and the product between.
struct Adapter<'t> {
    first: Buffer<'t>,
    inner: Buffer<'t>,
    second: Buffer<'t>,
}

/// What a layer keeps for its backward pass.
pub struct Kept<'t> {
    rstds: [Buffer<'t>; 4],
    first_norm: Buffer<'t>,
    adapters: [Option<Adapter<'t>>; 7],
    /// Queries and keys before their norms, values.
    plain: [Buffer<'t>; 3],
    reciprocals: [Buffer<'t>; 2],
    /// In fp32: queries, keys, values.
    single: [Buffer<'t>; 3],
    bias: Option<Buffer<'t>>,
    attended: [Buffer<'t>; 2],
    narrow: Buffer<'t>,
    output: Buffer<'t>,
    middle: Buffer<'t>,
    second_norm: Buffer<'t>,
    gate: Buffer<'t>,
    up: Buffer<'t>,
    product: Buffer<'t>,
    down: Buffer<'t>,
}

/// Columns that a scale of nf4 stands for.
const BLOCK: u64 = 64;
/// The memory-efficient kernel reads masks whose rows are a multiple of this wide
/// (`aten/src/ATen/native/transformers/attention.cpp: pad_bias`).
const MASK_ALIGNMENT: u64 = 16;
/// Rows of its log-sum-exp are rounded up to this.
const LSE_ALIGNMENT: u64 = 32;

impl<'t> Sizes<'t> {
    fn single(&self, width: u64) -> Buffer<'t> {
        self.buffer(self.tokens.saturating_mul(width), Dtype::F32)
    }

    fn single_attention(&self) -> AttentionShape {
        AttentionShape {
            dtype: Dtype::F32,
            kv_heads: self.attention.heads,
            ..self.attention
        }
    }

    fn scales(&self, arm: &Arm) -> Option<Buffer<'t>> {
        arm.packed
            .then(|| self.buffer(arm.elements() / BLOCK, Dtype::F32))
    }

    /// `_dequant_linear` in `into`, or in new memory, and the adapter's part. The product's memory is left over.
    fn linear(&self, arm: &Arm) -> (Option<Adapter<'t>>, Buffer<'t>, Option<Buffer<'t>>) {
        let scales = (self.scales(arm), self.scales(arm));
        let weight = self.unpacked(arm);
        let base = self.rows(arm.outputs);
        self.tape.touch_workspace();
        drop(scales);
        drop(weight);
        let Some(rank) = arm.rank else {
            return (None, base, None);
        };
        let adapter = Adapter {
            first: self.buffer(rank.saturating_mul(arm.inputs), self.dtype),
            inner: self.rows(rank),
            second: self.buffer(rank.saturating_mul(arm.outputs), self.dtype),
        };
        (Some(adapter), self.rows(arm.outputs), Some(base))
    }

    /// The gradients of an adapter's matrices, and what flows through it to its input. `input` is given where nothing
    /// else reads it afterwards.
    fn through_adapter(
        &self,
        arm: &Arm,
        adapter: Option<Adapter<'t>>,
        input: Option<Buffer<'t>>,
    ) -> (Gradients<'t>, Option<Buffer<'t>>) {
        let (Some(adapter), Some(rank)) = (adapter, arm.rank) else {
            return (None, None);
        };
        let [inputs, outputs] = [arm.inputs, arm.outputs].map(|width| width.saturating_mul(rank));
        let inner = self.rows(rank);
        drop(adapter.second);
        let narrow = self.buffer(outputs, self.dtype);
        drop(adapter.inner);
        let second = self.buffer(outputs, Dtype::F32);
        drop(narrow);
        let narrow = self.buffer(inputs, self.dtype);
        drop(input);
        let through = self.rows(arm.inputs);
        drop((inner, adapter.first));
        let first = self.buffer(inputs, Dtype::F32);
        drop(narrow);
        (Some([first, second]), Some(through))
    }

    /// What flows through the frozen weight to its input.
    fn through_weight(&self, arm: &Arm) -> Buffer<'t> {
        let scales = self.scales(arm);
        let weight = self.unpacked(arm);
        drop(scales);
        let through = self.rows(arm.inputs);
        drop(weight);
        through
    }

    /// The mask, copied where its rows are not aligned.
    fn aligned_mask(&self) -> Option<Buffer<'t>> {
        let seq = self.attention.seq;
        let rows = self.attention.batch.saturating_mul(seq);
        let width = seq.next_multiple_of(MASK_ALIGNMENT);
        (width != seq).then(|| self.buffer(rows.saturating_mul(width), Dtype::F32))
    }
}

/// Forward without gradients.
pub fn forward_only<'t>(s: &Sizes<'t>, arms: &Arms) -> Tensor<'t> {
    let normed = s.rows(s.hidden);
    let [query, key, value] = [&arms[0], &arms[1], &arms[2]].map(|arm| s.linear(arm).1);
    let single = [s.single(s.queries), s.single(s.keys), s.single(s.keys)];
    let mask = s.aligned_mask();
    let attended = s.single(s.queries);
    drop(mask);
    let narrow = s.rows(s.queries);
    let (_, output, _) = s.linear(&arms[3]);
    drop((query, key, value, single, attended, narrow, normed));
    let normed = s.rows(s.hidden);
    drop(output);
    let middle = s.single(s.hidden);
    drop(normed);
    let normed = s.rows(s.hidden);
    let (_, gate, _) = s.linear(&arms[4]);
    let (_, up, _) = s.linear(&arms[5]);
    drop(up);
    // The product is written over the gate.
    let (_, down, _) = s.linear(&arms[6]);
    drop((gate, normed));
    let normed = s.rows(s.hidden);
    drop(down);
    let out = s.single(s.hidden);
    drop((normed, middle));
    out
}

/// Forward with what backward needs; the second result is the layer's output.
pub fn forward<'t>(s: &Sizes<'t>, arms: &Arms) -> (Kept<'t>, Tensor<'t>) {
    let first_rstd = s.scalars(1);
    let first_norm = s.rows(s.hidden);
    let projected = |arm: &Arm| {
        let (adapter, out, base) = s.linear(arm);
        drop(base);
        (adapter, out)
    };
    let (query_adapter, query) = projected(&arms[0]);
    let (key_adapter, key) = projected(&arms[1]);
    let (value_adapter, value) = projected(&arms[2]);
    let value_single = s.single(s.keys);
    let of_query = {
        let _mean = s.scalars(s.attention.heads);
        s.scalars(s.attention.heads)
    };
    let of_key = s.scalars(s.attention.kv_heads);
    let key_single = s.single(s.keys);
    let query_single = {
        let _normed = s.single(s.queries);
        s.single(s.queries)
    };
    let bias = s.aligned_mask();
    let attended = s.single(s.queries);
    let rows = s.attention.seq.next_multiple_of(LSE_ALIGNMENT);
    let heads = s.attention.batch.saturating_mul(s.attention.heads);
    let lse = s.buffer(heads.saturating_mul(rows), Dtype::F32);
    let narrow = s.rows(s.queries);
    let (output_adapter, output) = projected(&arms[3]);
    let second_rstd = s.scalars(1);
    let normed = s.rows(s.hidden);
    let middle = s.single(s.hidden);
    drop(normed);
    let third_rstd = s.scalars(1);
    let second_norm = s.rows(s.hidden);
    let (gate_adapter, gate) = projected(&arms[4]);
    let (up_adapter, up, base) = s.linear(&arms[5]);
    // The product takes the memory of what `up` was before its adapter's part.
    let product = base.unwrap_or_else(|| s.rows(s.mlp));
    let (down_adapter, down) = projected(&arms[6]);
    let fourth_rstd = s.scalars(1);
    let normed = s.rows(s.hidden);
    let out = s.single(s.hidden);
    drop(normed);
    let kept = Kept {
        rstds: [first_rstd, second_rstd, third_rstd, fourth_rstd],
        first_norm,
        adapters: [
            query_adapter,
            key_adapter,
            value_adapter,
            output_adapter,
            gate_adapter,
            up_adapter,
            down_adapter,
        ],
        plain: [query, key, value],
        reciprocals: [of_query, of_key],
        single: [query_single, key_single, value_single],
        bias,
        attended: [attended, lse],
        narrow,
        output,
        middle,
        second_norm,
        gate,
        up,
        product,
        down,
    };
    (kept, out)
}

/// Backward: the gradient of the input, and those of the adapters. `incoming` is given where nothing else holds it.
pub fn backward<'t>(
    s: &Sizes<'t>,
    arms: &Arms,
    kept: Kept<'t>,
    incoming: Option<Tensor<'t>>,
) -> (Tensor<'t>, [Gradients<'t>; 7]) {
    let [
        query_arm,
        key_arm,
        value_arm,
        output_arm,
        gate_arm,
        up_arm,
        down_arm,
    ] = arms;
    let [of_query, of_key, of_value, of_output, of_gate, of_up, of_down] = kept.adapters;
    let [first_rstd, second_rstd, third_rstd, fourth_rstd] = kept.rstds;
    let [query, key, value] = kept.plain;
    drop(value);

    // MLP
    let through_norm = {
        let _narrow = s.rows(s.hidden);
        let through = s.rows(s.hidden);
        drop((kept.down, fourth_rstd));
        through
    };
    let (down, by_adapter) = s.through_adapter(down_arm, of_down, Some(kept.product));
    let for_product = s.through_weight(down_arm);
    s.tape.touch_workspace();
    let for_up = s.rows(s.mlp);
    let for_gate = s.rows(s.mlp);
    drop((kept.gate, kept.up, for_product, by_adapter));
    let (up, sum) = s.through_adapter(up_arm, of_up, None);
    let by_up = s.through_weight(up_arm);
    drop(for_up);
    let (gate, by_adapter) = s.through_adapter(gate_arm, of_gate, Some(kept.second_norm));
    let by_gate = s.through_weight(gate_arm);
    drop(for_gate);
    drop((by_adapter, by_gate, through_norm));
    let sum = match sum {
        Some(sum) => {
            drop(by_up);
            sum
        }
        None => by_up,
    };
    let by_norm = s.single(s.hidden);
    drop((kept.middle, third_rstd, sum));
    let total = s.single(s.hidden);
    drop(by_norm);

    // Attention
    let through_norm = {
        let _narrow = s.rows(s.hidden);
        let through = s.rows(s.hidden);
        drop((kept.output, second_rstd));
        through
    };
    let (output, by_adapter) = s.through_adapter(output_arm, of_output, Some(kept.narrow));
    let by_weight = s.through_weight(output_arm);
    drop(through_norm);
    let sum = s.rows(s.queries);
    drop((by_adapter, by_weight));
    let for_attended = s.single(s.queries);
    drop(sum);
    let [for_query, for_keys, for_values] = s.tape.efficient_backward(s.single_attention());
    drop((for_attended, kept.bias, kept.single, kept.attended));
    let for_value = s.single(s.keys);
    drop(for_values);
    let for_key = s.single(s.keys);
    drop(for_keys);
    let turned = s.single(s.queries);
    let narrow_key = s.rows(s.keys);
    drop(key);
    let narrow_query = {
        let _unturned = s.single(s.queries);
        s.rows(s.queries)
    };
    drop((kept.reciprocals, turned, query));
    let narrow_value = s.rows(s.keys);
    let for_query_16 = s.rows(s.queries);
    drop((narrow_query, for_query, for_key, for_value));
    let through = |arm: &Arm, adapter, input, incoming: Buffer<'t>| {
        let (gradients, by_adapter) = s.through_adapter(arm, adapter, input);
        let by_weight = s.through_weight(arm);
        drop(incoming);
        (gradients, by_adapter, by_weight)
    };
    let (value, by_adapter, by_weight) = through(value_arm, of_value, None, narrow_value);
    let sum = s.rows(s.hidden);
    drop((by_adapter, by_weight));
    let (key, by_adapter, by_weight) = through(key_arm, of_key, None, narrow_key);
    drop((by_adapter, by_weight));
    let (query, by_adapter, by_weight) = through(query_arm, of_query, Some(kept.first_norm), for_query_16);
    drop((by_adapter, by_weight));
    let by_norm = s.single(s.hidden);
    drop((first_rstd, sum));
    drop((by_norm, incoming));
    (total, [query, key, value, output, gate, up, down])
}
