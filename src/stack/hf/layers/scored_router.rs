//! Routers that score each expert by a sigmoid, corrected by a buffer, and choose groups of experts first
//! (`DeepseekV3TopkRouter`, `Glm4MoeTopkRouter`).

use super::super::weight_adapter::Wrapped;
use super::experts::{Routing, rows};
use crate::model::{Correction, Experts};
use crate::plan::Plan;
use crate::replay::{Dtype, Tensor};

/// `forward(hidden_states)`, in fp32.
pub fn route<'t>(plan: &Plan, experts: &Experts, x: &Tensor<'t>, router: &Wrapped<'t>) -> Routing<'t> {
    let x = rows(plan, x);
    let logits = {
        let (x, weight) = (x.to(Dtype::F32), router.get().to(Dtype::F32));
        x.linear(&weight, None)
    };
    let scores = logits.squash("sigmoid");
    chosen(plan, experts, logits, &scores)
}

/// The experts of the highest scores, and their weights.
pub fn chosen<'t>(plan: &Plan, experts: &Experts, logits: Tensor<'t>, scores: &Tensor<'t>) -> Routing<'t> {
    let chosen = Choice::new(plan, experts, scores);
    let mut weights = scores.gather_last(&chosen.places);
    let _denominator = if experts.normalize {
        let sum = weights.sum(1, true);
        let denominator = sum.add_number();
        drop(sum);
        weights = weights.divide_in_place(&denominator);
        Some(denominator)
    } else {
        None
    };
    weights = weights.scale();
    Routing {
        _logits: logits,
        weights,
        _experts: chosen.places.clone(),
    }
}

/// How experts are chosen. No gradient comes back through it; what its graph would save lives until the router returns.
struct Choice<'t> {
    places: Tensor<'t>,
    _held: [Option<Tensor<'t>>; 7],
}

impl<'t> Choice<'t> {
    fn new(plan: &Plan, experts: &Experts, scores: &Tensor<'t>) -> Self {
        let tape = scores.tape();
        let tokens = plan.batch * plan.seq;
        let (groups, chosen) = experts.groups.map_or((1, 1), |g| (g.count, g.chosen));
        let correction = match experts.groups.and_then(|groups| groups.correction) {
            Some(Correction::Fp32) => Some(Dtype::F32),
            Some(Correction::AsWeights) => Some(plan.dtype),
            None => None,
        };
        let choice = correction.map_or(scores.dtype(), |dtype| scores.dtype().promote(dtype));
        // Autocast sums in fp32.
        let summed = tape.autocast().map_or(choice, |_| Dtype::F32);
        let new = |shape: &[u64], dtype, op| tape.temporary(shape, dtype, op);
        let all = |dtype, op| new(&[tokens, experts.count], dtype, op);
        let holds_graph = tape.holds_graph() && scores.requires_grad();

        let mut for_choice = correction.map(|_| all(choice, "add"));
        let best = new(&[tokens, groups, 2], choice, "topk");
        let best_places = Some(new(&[tokens, groups, 2], Dtype::I64, "topk")).filter(|_| holds_graph);
        let group_scores = new(&[tokens, groups], summed, "sum");
        drop(best);
        let values = new(&[tokens, chosen], summed, "topk");
        let group_places = new(&[tokens, chosen], Dtype::I64, "topk");
        drop(values);
        let group_mask = new(&[tokens, groups], summed, "zeros_like");
        // One group is expanded without a copy.
        let score_mask = (groups > 1).then(|| all(summed, "reshape"));
        let left_out = {
            let _kept = all(Dtype::Bool, "bool");
            all(Dtype::Bool, "__invert__")
        };
        for_choice = {
            let masked = all(choice, "masked_fill");
            drop(for_choice);
            Some(masked)
        };
        let left_out = Some(left_out).filter(|_| holds_graph);
        let values = new(&[tokens, experts.per_token], choice, "topk");
        let places = new(&[tokens, experts.per_token], Dtype::I64, "topk");
        drop(values);
        Choice {
            places,
            _held: [
                for_choice,
                best_places,
                Some(group_scores),
                Some(group_places),
                Some(group_mask),
                score_mask,
                left_out,
            ],
        }
    }
}
