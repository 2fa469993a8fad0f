//! Attention as transformers calls it: SDPA by one of PyTorch's kernels, or its own products.

use super::rotary::Shared;
use crate::plan::{AttentionKernel, Plan};
use crate::replay::{AttentionShape, Dtype, Tensor};

/// SDPA's math kernel (`aten/src/ATen/native/transformers/attention.cpp: _scaled_dot_product_attention_math`): in fp32,
/// with a causal mask of its own.
fn math_attention<'t>(plan: &Plan, q: &Tensor<'t>, k: &Tensor<'t>, v: &Tensor<'t>) -> Tensor<'t> {
    let (tape, dtype, s) = (q.tape(), q.dtype(), plan.seq);
    let times = plan.arch.attention.heads / plan.arch.attention.kv_heads;
    let (q, k, v) = (q.to(Dtype::F32), k.to(Dtype::F32), v.to(Dtype::F32));
    let q = q.scale();
    let mask = {
        let ones = tape.temporary(&[s, s], Dtype::Bool, "ones");
        let _lower = tape.temporary(&[s, s], Dtype::Bool, "tril");
        drop(ones);
        let _scalars = (
            tape.temporary(&[], Dtype::F32, "scalar"),
            tape.temporary(&[], Dtype::F32, "scalar"),
        );
        tape.temporary(&[s, s], Dtype::F32, "where")
    };
    let (k, v) = (k.repeat_heads(times), v.repeat_heads(times));
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
    let a = &plan.arch.attention;
    let times = a.heads / a.kv_heads;
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
    weights = weights.softmax(Dtype::F32).to(q.dtype());
    let mut out = weights.matmul_heads(&v);
    out = out.transpose(1, 2).contiguous();
    (out, weights)
}

/// `attention_interface(...)`: queries, keys and values of batch x heads x sequence x width; the result has heads and
/// sequence exchanged, and is contiguous. Eager attention returns its weights beside it, which the caller holds.
pub fn attend<'t>(
    plan: &Plan,
    q: &Tensor<'t>,
    k: &Tensor<'t>,
    v: &Tensor<'t>,
    shared: &Shared<'t>,
) -> (Tensor<'t>, Option<Tensor<'t>>) {
    let sdpa_operands = || {
        // Autocast casts the arguments of the call from the last to the first.
        let dtype = q.tape().autocast();
        let cast = |t: &Tensor<'t>| dtype.map_or_else(|| t.clone(), |dtype| t.to(dtype));
        let (v, k, q) = (cast(v), cast(k), cast(q));
        (q, k, v)
    };
    let out = match plan.attention {
        AttentionKernel::Flash => {
            let (q, k, v) = sdpa_operands();
            let a = &plan.arch.attention;
            let shape = AttentionShape {
                batch: plan.batch,
                heads: a.heads,
                kv_heads: a.kv_heads,
                seq: plan.seq,
                head_dim: a.head_dim,
                value_dim: a.head_dim,
                dtype: q.dtype(),
            };
            q.sdpa_flash(&k, &v, shape, plan.device)
        }
        AttentionKernel::Math => {
            let (q, k, v) = sdpa_operands();
            math_attention(plan, &q, &k, &v)
        }
        AttentionKernel::Eager => {
            let (out, weights) = plain_attention(plan, q, k, v, shared);
            return (out, Some(weights));
        }
    };
    (out.transpose(1, 2).contiguous(), None)
}
