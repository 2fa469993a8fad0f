//! Head and loss: `ForCausalLMLoss` (`transformers/loss/loss_utils.py`).

use super::cache::Cache;
use super::forward::Batch;
use super::model::Model;
use crate::plan::Plan;
use crate::replay::{Dtype, Tape, Tensor};
use std::rc::Rc;

/// What a forward pass returns.
#[derive(Debug)]
pub struct Output<'t> {
    /// The loss.
    pub loss: Tensor<'t>,
    /// The logits, for as long as the output object lives; Liger makes none.
    pub logits: Option<Tensor<'t>>,
    /// What the graph of loss and logits holds after the backward pass.
    pub graph: Vec<Tensor<'t>>,
    /// `past_key_values`, as long.
    pub cache: Option<Rc<Cache<'t>>>,
}

impl<'t> Model<'t> {
    /// `LlamaForCausalLM.forward` with labels. `items` is Trainer's `num_items_in_batch`.
    pub fn forward(
        &self,
        tape: &'t Tape,
        plan: &Plan,
        batch: &Batch<'t>,
        items: Option<&Tensor<'t>>,
    ) -> Output<'t> {
        let (hidden, graph, cache) = self.hidden_states(tape, plan, batch);
        if plan.liger {
            let loss = tape.within("loss", || self.liger_loss(tape, plan, &hidden, items.is_some()));
            return Output {
                loss,
                logits: None,
                graph,
                cache,
            };
        }
        let mut logits = tape.within("lm_head", || {
            hidden.linear(self.head_weight(), self.head_bias.as_ref())
        });
        if plan.arch.family.has_fp32_logits() {
            logits = logits.to(Dtype::F32);
        }
        if plan.arch.family.multiplies_logits() {
            logits = logits.scale();
        }
        if plan.arch.caps_logits {
            logits = logits.scale();
            logits = logits.squash("tanh");
            logits = logits.scale();
        }
        let loss = tape.within("loss", || {
            let tokens = plan.batch * plan.seq;
            let mut scores = logits.to(Dtype::F32);
            if plan.shifts_logits {
                return shifted_loss(tape, plan, &scores, items.is_some());
            }
            let (padded, labels) = shifted_labels(tape, plan);
            scores = scores.reshape(&[tokens, plan.arch.vocab]);
            let mut loss = scores.cross_entropy(&labels);
            if items.is_some() {
                loss = loss.scale();
            }
            drop(padded);
            loss
        });
        Output {
            loss,
            logits: Some(logits),
            graph,
            cache,
        }
    }

    /// `LigerForCausalLMLoss` (`liger_kernel/transformers/model/loss_utils.py`).
    #[inline(never)]
    fn liger_loss(&self, tape: &'t Tape, plan: &Plan, hidden: &Tensor<'t>, counted: bool) -> Tensor<'t> {
        let tokens = plan.batch * plan.seq;
        let rows = hidden.reshape(&[tokens, plan.arch.hidden]);
        let _labels = shifted_labels(tape, plan);
        let mut loss = rows.liger_cross_entropy(self.head_weight());
        if counted {
            loss = loss.scale();
        }
        loss
    }
}

/// `ForCausalLMLoss` up to transformers 4.48: `logits[..., :-1, :].contiguous()`, which is a view of a single row.
#[inline(never)]
fn shifted_loss<'t>(tape: &'t Tape, plan: &Plan, scores: &Tensor<'t>, counted: bool) -> Tensor<'t> {
    let kept = plan.seq.saturating_sub(1);
    let shifted = scores.narrow(1, kept).contiguous();
    let labels = tape.temporary(&[plan.batch, kept], Dtype::I64, "contiguous");
    let rows = shifted.reshape(&[plan.batch.saturating_mul(kept), plan.arch.vocab]);
    let loss = rows.cross_entropy(&labels);
    match counted {
        true => loss.scale(),
        false => loss,
    }
}

/// `nn.functional.pad(labels, (0, 1))[..., 1:].contiguous()`: the padded labels, and the shifted ones, which are a view of
/// them where there is one row.
fn shifted_labels<'t>(tape: &'t Tape, plan: &Plan) -> (Tensor<'t>, Tensor<'t>) {
    let padded = tape.temporary(&[plan.batch, plan.seq + 1], Dtype::I64, "pad");
    let shifted = match plan.batch {
        1 => padded.clone(),
        rows => tape.temporary(&[rows, plan.seq], Dtype::I64, "contiguous"),
    };
    (padded, shifted)
}
