//! Rotary position embeddings, and what every layer receives beside the hidden states.

use super::cache::Cache;
use crate::plan::Plan;
use crate::replay::{Dtype, Tape, Tensor};
use std::rc::Rc;

/// What every layer receives beside the hidden states.
#[derive(Debug, Clone)]
pub struct Shared<'t> {
    /// Rotary tables: 1 x 1 x sequence x width of a head.
    pub cos: Tensor<'t>,
    /// As `cos`.
    pub sin: Tensor<'t>,
    /// `position_ids`.
    pub positions: Tensor<'t>,
    /// Mask: batch x 1 x sequence x sequence, additive for eager attention, of booleans for fused kernels.
    pub mask: Option<Tensor<'t>>,
    /// The layer's part of the embedding that every layer has of its own.
    pub per_layer: Option<Tensor<'t>>,
    /// The key-value cache, without checkpointing.
    pub cache: Option<Rc<Cache<'t>>>,
}

impl<'t> Shared<'t> {
    /// The tensors, as a checkpointed call holds them.
    pub fn tensors(&self) -> Vec<&Tensor<'t>> {
        [&self.cos, &self.sin, &self.positions]
            .into_iter()
            .chain(&self.mask)
            .collect()
    }

    /// What a layer that is run again receives: the tensors above, and its part of the embedding of layers.
    pub fn from_tensors(plan: &Plan, mut tensors: Vec<Tensor<'t>>) -> Option<Self> {
        let per_layer = plan.arch.per_layer.and_then(|_| tensors.pop());
        let mut tensors = tensors.into_iter();
        Some(Shared {
            cos: tensors.next()?,
            sin: tensors.next()?,
            positions: tensors.next()?,
            mask: tensors.next(),
            per_layer,
            cache: None,
        })
    }
}

/// `rotate_half`.
fn rotate_half<'t>(x: &Tensor<'t>) -> Tensor<'t> {
    let half = x.layout().last() / 2;
    let (x1, x2) = (x.narrow_last(half), x.narrow_last(half));
    x2.neg().cat_last(&x1)
}

/// One tensor of `apply_rotary_pos_emb`.
pub fn rotate<'t>(x: &Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    rotate_by(x, &shared.cos, &shared.sin)
}

/// As [`rotate`], by these tables.
pub fn rotate_by<'t>(x: &Tensor<'t>, cos: &Tensor<'t>, sin: &Tensor<'t>) -> Tensor<'t> {
    let straight = x.mul(cos);
    let turned = rotate_half(x).mul(sin);
    straight.add(&turned)
}

/// `Olmo2`'s `apply_rotary_pos_emb`: rotated by tables in fp32, then back in the dtype of the queries.
pub fn rotate_in_fp32<'t>(q: &Tensor<'t>, k: &Tensor<'t>, shared: &Shared<'t>) -> (Tensor<'t>, Tensor<'t>) {
    let (q_embed, k_embed) = (rotate(q, shared), rotate(k, shared));
    (q_embed.to(q.dtype()), k_embed.to(k.dtype()))
}

/// GPT-OSS's `_apply_rotary_emb`: the halves are turned apart.
pub fn rotate_halves<'t>(x: &Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let (first_half, second_half) = x.halves_last();
    let first = first_half.mul(&shared.cos).sub(&second_half.mul(&shared.sin));
    let second = second_half.mul(&shared.cos).add(&first_half.mul(&shared.sin));
    first.cat_last(&second)
}

/// `apply_rotary_pos_emb_interleave`: neighbours are turned by the tables' first halves.
pub fn rotate_pairs<'t>(q: &Tensor<'t>, k: &Tensor<'t>, shared: &Shared<'t>) -> (Tensor<'t>, Tensor<'t>) {
    let half = shared.cos.layout().last() / 2;
    let (cos, sin) = (shared.cos.narrow_last(half), shared.sin.narrow_last(half));
    let pair = |x: &Tensor<'t>| (x.every_second_last(), x.every_second_last());
    let (q, k) = (pair(q), pair(k));
    let turned = |(x1, x2): &(Tensor<'t>, Tensor<'t>)| {
        let first = x1.mul(&cos).sub(&x2.mul(&sin));
        let second = x2.mul(&cos).add(&x1.mul(&sin));
        first.cat_last(&second)
    };
    (turned(&q), turned(&k))
}

/// DeepSeek V2's `apply_rotary_emb`: neighbours are complex numbers, turned by a complex table.
pub fn rotate_complex<'t>(q: &Tensor<'t>, k: &Tensor<'t>, shared: &Shared<'t>) -> (Tensor<'t>, Tensor<'t>) {
    let (q_complex, k_complex) = (q.to(Dtype::F32), k.to(Dtype::F32));
    let q_out = q_complex.turn(&shared.cos).to(q.dtype());
    let k_out = k_complex.turn(&shared.cos).to(k.dtype());
    (q_out, k_out)
}

/// `DeepseekV2RotaryEmbedding.forward`: a complex number for each position and frequency.
#[inline(never)]
fn complex_table<'t>(tape: &'t Tape, plan: &Plan) -> Tensor<'t> {
    let (s, d) = (plan.seq, plan.arch.attention.rotary_dim);
    tape.within("rotary_emb", || {
        let _positions = tape.temporary(&[1, 1, s], Dtype::F32, "float");
        let _frequencies = tape.temporary(&[1, d / 2, s], Dtype::F32, "matmul");
        tape.touch_workspace();
        let polar = {
            let _ones = tape.temporary(&[1, s, d / 2], Dtype::F32, "ones_like");
            tape.temporary(&[1, 1, s, d], Dtype::F32, "polar")
        };
        let table = tape.temporary(&[1, 1, s, d], Dtype::F32, "mul");
        drop(polar);
        table
    })
}

/// `Qwen3_5TextRotaryEmbedding.forward`: tables for each sequence, from those of three kinds of positions.
#[inline(never)]
fn section_tables<'t>(tape: &'t Tape, plan: &Plan, dtype: Dtype) -> (Tensor<'t>, Tensor<'t>) {
    let (b, s, d) = (plan.batch, plan.seq, plan.arch.attention.rotary_dim);
    tape.within("rotary_emb", || {
        let _positions = tape.temporary(&[3, b, 1, s], Dtype::F32, "float");
        let _frequencies = tape.temporary(&[3, b, d / 2, s], Dtype::F32, "matmul");
        tape.touch_workspace();
        let scaled = |op| {
            let _raw = tape.temporary(&[3, b, s, d / 2], Dtype::F32, op);
            tape.temporary(&[3, b, s, d / 2], Dtype::F32, "mul")
        };
        let (cos, sin) = (scaled("cos"), scaled("sin"));
        let whole = |parts: Tensor<'t>| {
            let whole = tape.temporary(&[b, 1, s, d], Dtype::F32, "cat");
            drop(parts);
            whole
        };
        let sin = whole(sin);
        let cos = whole(cos);
        (cos.to(dtype), sin.to(dtype))
    })
}

/// `LlamaRotaryEmbedding.forward`: cosine and sine in fp32, then in the dtype of the hidden states, for heads that are
/// rotated in this width.
pub fn rotary_tables<'t>(tape: &'t Tape, plan: &Plan, d: u64, dtype: Dtype) -> (Tensor<'t>, Tensor<'t>) {
    let s = plan.seq;
    if plan.arch.family.has_complex_tables() {
        let table = complex_table(tape, plan);
        return (table.clone(), table);
    }
    if plan.arch.family.rotates_by_sections() {
        return section_tables(tape, plan, dtype);
    }
    let half = plan.arch.family.has_half_tables();
    let width = if half { d / 2 } else { d };
    let table = |op| tape.temporary(&[1, 1, s, width], Dtype::F32, op);
    tape.within("rotary_emb", || {
        let _positions = tape.temporary(&[1, 1, s], Dtype::F32, "float");
        let _frequencies = tape.temporary(&[1, d / 2, s], Dtype::F32, "matmul");
        tape.touch_workspace();
        let _angles = (!half).then(|| table("cat"));
        let scaled = |op| {
            let _raw = table(op);
            table("mul")
        };
        let (cos, sin) = (scaled("cos"), scaled("sin"));
        if plan.arch.family.has_fp32_tables() {
            return (cos, sin);
        }
        (cos.to(dtype), sin.to(dtype))
    })
}
