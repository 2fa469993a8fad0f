//! Attention. Over packed documents without a kernel for variable lengths: SDPA over the documents of one length at a
//! time (`unsloth/utils/attention_dispatch.py: _sdpa_packed_segments`).

use crate::plan::{AttentionKernel, Plan};
use crate::replay::{AttentionShape, Tensor};

/// The result, as one row of tokens x heads x width.
pub fn packed<'t>(plan: &Plan, q: &Tensor<'t>, k: &Tensor<'t>, v: &Tensor<'t>) -> Tensor<'t> {
    let a = &plan.arch.attention;
    // Documents of unequal lengths are counted as one: what is kept of them is as large.
    let documents = if plan.lengths.is_some() {
        1
    } else {
        plan.documents()
    };
    let length = plan.row_length() / documents.max(1);
    // Heads in fp32, as DoRA makes them, are repeated (`_sdpa_flash_takes_gqa`); autocast then narrows them.
    let narrow = q.dtype() != plan.dtype;
    let grouped = plan.attention == AttentionKernel::Flash && !narrow;
    let times = if grouped { 1 } else { a.heads / a.kv_heads.max(1) };
    // `x[0, :, start:end].unflatten(1, (n, length)).transpose(0, 1)`
    let split = |x: &Tensor<'t>| {
        let heads = x.layout().shape().get(1).copied().unwrap_or(1);
        x.select_first()
            .reshape(&[heads, documents, length, a.head_dim])
            .transpose(0, 1)
    };
    let q_run = split(q);
    let (k, v) = (k.copy_heads(times), v.copy_heads(times));
    let (mut k_run, mut v_run) = (split(&k), split(&v));
    let mut q_run = q_run;
    if narrow {
        [q_run, k_run, v_run] = [q_run, k_run, v_run].map(|x| x.to(plan.dtype));
    }
    let shape = AttentionShape {
        batch: documents,
        heads: a.heads,
        kv_heads: if grouped { a.kv_heads } else { a.heads },
        seq: length,
        head_dim: a.head_dim,
        value_dim: a.head_dim,
        dtype: plan.dtype,
        dropout: false,
    };
    let out = match plan.attention {
        AttentionKernel::Flash => q_run.sdpa_flash(&k_run, &v_run, shape, plan.device),
        _ => q_run.sdpa_efficient(&k_run, &v_run, None, shape),
    };
    let rows = out
        .transpose(1, 2)
        .reshape(&[plan.row_length(), a.heads, a.head_dim]);
    // `torch.cat(outs)` copies.
    rows.cat_with_nothing(rows.dtype())
}

/// The result of padded rows, as before 2026: flash-attn where it runs, else xformers on repeated heads
/// (`unsloth/models/llama.py: LlamaAttention_fast_forward` of 2024.5).
pub fn padded<'t>(plan: &Plan, q: &Tensor<'t>, k: &Tensor<'t>, v: &Tensor<'t>) -> Tensor<'t> {
    let a = &plan.arch.attention;
    let [batch, seq] = plan.rows();
    let grouped = plan.attention == AttentionKernel::Flash;
    let shape = AttentionShape {
        batch,
        heads: a.heads,
        kv_heads: if grouped { a.kv_heads } else { a.heads },
        seq,
        head_dim: a.head_dim,
        value_dim: a.head_dim,
        dtype: q.dtype(),
        dropout: false,
    };
    let out = if grouped {
        q.sdpa_flash(k, v, shape, plan.device)
    } else {
        let times = a.heads / a.kv_heads.max(1);
        let (k, v) = (k.copy_heads(times), v.copy_heads(times));
        q.sdpa_efficient(&k, &v, None, shape)
    };
    out.transpose(1, 2)
}
