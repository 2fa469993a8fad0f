//! What releases of Unsloth before 2026 do otherwise: norms of heads, head and loss.

use super::batch::Batch;
use crate::plan::Plan;
use crate::replay::{Dtype, Tape, Tensor};
use crate::scenario::Release;
use crate::stack::hf::model::Layer;

/// Up to this many tokens the releases of 2025 make all logits too (`unsloth/models/llama.py: CausalLM_fast_forward`,
/// "< 1024 Normal Unsloth uses less VRAM!").
const FEW_TOKENS: u64 = 1024;

/// Queries and keys (batch x sequence x heads x width) normed by head, where they are. Rotation happens in place
/// (`rope_embedding.py: Fast_RoPE_Embedding`).
pub fn head_norms<'t>(layer: &Layer<'t>, q: Tensor<'t>, k: Tensor<'t>) -> (Tensor<'t>, Tensor<'t>) {
    let norm = |path, x: Tensor<'t>| match layer.weight(path) {
        Some(weight) => x.fast_rms_norm(weight, true),
        None => x,
    };
    (norm("self_attn.q_norm", q), norm("self_attn.k_norm", k))
}

/// Are all logits made?
fn makes_logits(plan: &Plan) -> bool {
    plan.release == Release::AllLogits || plan.tokens() <= FEW_TOKENS
}

/// `CausalLM_fast_forward` behind the hidden states. What the model's output holds goes to `held`.
pub fn loss<'t>(
    tape: &'t Tape,
    plan: &Plan,
    hidden: Tensor<'t>,
    head: &Tensor<'t>,
    batch: &Batch<'t>,
    held: &mut Vec<Tensor<'t>>,
) -> Tensor<'t> {
    let labels = tape.temporary(batch.labels.layout().shape(), Dtype::I64, "hstack");
    if !makes_logits(plan) {
        return hidden.cut_cross_entropy(head, &labels).scale();
    }
    let logits = hidden.linear(head, None);
    drop(hidden);
    let losses = {
        let rows = logits.reshape(&[plan.tokens(), plan.arch.vocab]);
        rows.fast_cross_entropy(&labels)
    };
    let loss = {
        let sum = losses.sum(0, false);
        drop(losses);
        sum.scale()
    };
    // `accelerate.utils.operations: convert_outputs_to_fp32` around `model.forward` in mixed precision.
    if plan.autocast.is_some() {
        held.push(logits.to(Dtype::F32));
    }
    held.push(logits);
    loss
}
