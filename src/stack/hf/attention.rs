//! Attention as transformers calls it: SDPA by one of PyTorch's kernels, or its own products.

use super::rotary::Shared;
use crate::plan::{AttentionKernel, Plan};
use crate::replay::{AttentionShape, Dtype, Tape, Tensor};

/// SDPA's math kernel (`aten/src/ATen/native/transformers/attention.cpp: _scaled_dot_product_attention_math`): in fp32,
/// with the additive mask of the call or a causal one of its own.
fn math_attention<'t>(
    plan: &Plan,
    q: &Tensor<'t>,
    k: &Tensor<'t>,
    v: &Tensor<'t>,
    additive: Option<&Tensor<'t>>,
) -> Tensor<'t> {
    let (tape, dtype, s) = (q.tape(), q.dtype(), plan.seq);
    let times = heads_of(q) / heads_of(k);
    let (q, k, v) = (q.to(Dtype::F32), k.to(Dtype::F32), v.to(Dtype::F32));
    let q = q.scale();
    let mask = additive.is_none().then(|| {
        let ones = tape.temporary(&[s, s], Dtype::Bool, "ones");
        let _lower = tape.temporary(&[s, s], Dtype::Bool, "tril");
        drop(ones);
        let _scalars = (
            tape.temporary(&[], Dtype::F32, "scalar"),
            tape.temporary(&[], Dtype::F32, "scalar"),
        );
        tape.temporary(&[s, s], Dtype::F32, "where")
    });
    let (k, v) = (k.copy_heads(times), v.copy_heads(times));
    let weights = {
        // The mask is added in place.
        let scores = q.matmul_heads(&k.transpose(2, 3).scale());
        scores.safe_softmax()
    };
    let _returned = (dtype != Dtype::F32).then(|| tape.no_grad(|| weights.to(dtype)));
    let out = weights.matmul_heads(&v).to(dtype);
    drop(mask);
    out
}

/// Transformers' eager attention (`eager_attention_forward`): the result and the weights, which are returned.
fn plain_attention<'t>(
    plan: &Plan,
    q: &Tensor<'t>,
    k: &Tensor<'t>,
    v: &Tensor<'t>,
    shared: &Shared<'t>,
) -> (Tensor<'t>, Tensor<'t>) {
    let times = heads_of(q) / heads_of(k);
    let (k, v) = (k.repeat_heads(times), v.repeat_heads(times));
    let mut weights = q.matmul_heads(&k.transpose(2, 3)).scale();
    if plan.arch.family.caps_scores() {
        weights = weights.scale();
        weights = weights.squash("tanh");
        weights = weights.scale();
    }
    if let Some(mask) = &shared.mask {
        weights = weights.add(mask);
    }
    weights = match plan.arch.family.keeps_scores_dtype() {
        // Autocast takes it in fp32 all the same.
        true => weights.softmax(q.tape().autocast().map_or(weights.dtype(), |_| Dtype::F32)),
        false => weights.softmax(Dtype::F32).to(q.dtype()),
    };
    if plan.arch.family.has_dropout() {
        weights = weights.dropout();
    }
    let mut out = weights.matmul_heads(&v);
    out = out.transpose(1, 2).contiguous();
    (out, weights)
}

/// Heads of a tensor of batch x heads x sequence x width.
fn heads_of(t: &Tensor<'_>) -> u64 {
    t.layout().shape().get(1).copied().unwrap_or(1).max(1)
}

/// The width of a head.
fn width_of(t: &Tensor<'_>) -> u64 {
    t.layout().last()
}

/// Columns that the efficient kernel wants masks to be a multiple of (`attention.cpp: preprocess_mask`).
const MASK_ALIGNMENT: u64 = 8;

/// `convert_boolean_attn_mask`: zero where the mask is true, else minus infinity; for the efficient kernel, rows that are
/// not aligned are padded (`pad_bias`).
#[inline(never)]
fn additive_mask<'t>(plan: &Plan, dtype: Dtype, tape: &'t Tape, padded: bool) -> Tensor<'t> {
    const OP: &str = "scaled_dot_product_attention";
    let (b, s) = (plan.batch, plan.seq);
    let mask = {
        let _scalars = (tape.temporary(&[], dtype, OP), tape.temporary(&[], dtype, OP));
        tape.temporary(&[b, 1, s, s], dtype, OP)
    };
    match padded && s % MASK_ALIGNMENT != 0 {
        true => tape.temporary(&[b, 1, s, s.div_ceil(MASK_ALIGNMENT) * MASK_ALIGNMENT], dtype, OP),
        false => mask,
    }
}

/// `sdpa_attention_forward` up to transformers 4.48: every head apart, and everything contiguous.
#[inline(never)]
fn sdpa_of_4_48<'t>(
    plan: &Plan,
    q: &Tensor<'t>,
    k: &Tensor<'t>,
    v: &Tensor<'t>,
    kernel: AttentionKernel,
) -> Tensor<'t> {
    let times = heads_of(q) / heads_of(k);
    let (k, v) = (k.repeat_heads(times), v.repeat_heads(times));
    let q = q.contiguous();
    let (k, v) = (k.contiguous(), v.contiguous());
    let out = called(plan, &q, &k, &v, false, kernel);
    out.transpose(1, 2).contiguous()
}

/// `sdpa_attention_forward`.
fn sdpa<'t>(
    plan: &Plan,
    q: &Tensor<'t>,
    k: &Tensor<'t>,
    v: &Tensor<'t>,
    masked: bool,
    kernel: AttentionKernel,
) -> Tensor<'t> {
    let mut times = heads_of(q) / heads_of(k);
    // `use_gqa_in_sdpa`: grouped heads are left to the kernel when there is no mask.
    if !masked && width_of(k) == width_of(v) && width_of(k) <= GROUPED_HEAD_WIDTH {
        times = 1;
    }
    if plan.shifts_logits && !plan.flash_package {
        return sdpa_of_4_48(plan, q, k, v, kernel);
    }
    if plan.repeats_heads {
        let times = heads_of(q) / heads_of(k);
        let out = called(
            plan,
            q,
            &k.repeat_heads(times),
            &v.repeat_heads(times),
            masked,
            kernel,
        );
        return out.transpose(1, 2).contiguous();
    }
    let (k, v) = (k.repeat_heads(times), v.repeat_heads(times));
    // Repeated keys and values keep their names until the result is contiguous.
    let out = called(plan, q, &k, &v, masked, kernel);
    out.transpose(1, 2).contiguous()
}

/// `torch.nn.functional.scaled_dot_product_attention(...)`.
fn called<'t>(
    plan: &Plan,
    q: &Tensor<'t>,
    k: &Tensor<'t>,
    v: &Tensor<'t>,
    masked: bool,
    kernel: AttentionKernel,
) -> Tensor<'t> {
    let tape = q.tape();
    // Autocast casts the arguments of the call from the last to the first.
    let cast = |t: &Tensor<'t>| tape.autocast().map_or_else(|| t.clone(), |dtype| t.to(dtype));
    let (cast_v, cast_k, q) = (cast(v), cast(k), cast(q));
    let shape = AttentionShape {
        batch: plan.batch,
        heads: heads_of(&q),
        kv_heads: heads_of(k),
        seq: plan.seq,
        head_dim: width_of(&q),
        value_dim: width_of(v),
        dtype: q.dtype(),
        dropout: plan.arch.family.has_dropout(),
    };
    let efficient = kernel == AttentionKernel::Efficient;
    let mask = masked.then(|| additive_mask(plan, q.dtype(), tape, efficient));
    match kernel {
        AttentionKernel::Flash => q.sdpa_flash(&cast_k, &cast_v, shape, plan.device),
        AttentionKernel::Efficient => q.sdpa_efficient(&cast_k, &cast_v, mask.as_ref(), shape),
        _ => tape.without_autocast(|| math_attention(plan, &q, &cast_k, &cast_v, mask.as_ref())),
    }
}

/// Widest heads that transformers leaves grouped (`integrations/sdpa_attention.py: use_gqa_in_sdpa`).
pub const GROUPED_HEAD_WIDTH: u64 = 256;

/// `attention_interface(...)`: queries, keys and values of batch x heads x sequence x width; the result has heads and
/// sequence exchanged, and is contiguous. Eager attention returns its weights beside it, which the caller holds.
pub fn attend<'t>(
    plan: &Plan,
    layer: u32,
    q: &Tensor<'t>,
    k: &Tensor<'t>,
    v: &Tensor<'t>,
    shared: &Shared<'t>,
) -> (Tensor<'t>, Option<Tensor<'t>>) {
    let masked = shared.mask.is_some();
    match plan.kernel(layer.into(), masked) {
        AttentionKernel::Eager => {
            let (out, weights) = plain_attention(plan, q, k, v, shared);
            (out, Some(weights))
        }
        kernel => (sdpa(plan, q, k, v, masked, kernel), None),
    }
}
