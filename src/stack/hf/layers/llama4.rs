//! Llama 4 (`transformers/models/llama4/modeling_llama4.py`): chunked attention, norms without weights over rotated
//! heads, layers without positions whose queries are scaled, and experts that all see every token.

use super::super::model::Layer;
use super::super::norm::l2_norm;
use super::super::rotary::Shared;
use super::Attended;
use super::experts::{rows, unrows};
use crate::model::Experts;
use crate::plan::Plan;
use crate::replay::{Dtype, Tensor};

/// `Llama4TextDecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let mut residual = x;
    let mut hidden = layer.norm(plan, "input_layernorm", &residual);
    // Both keep their names until the layer ends.
    let (attention_states, mut _returned) = attention(layer, plan, &hidden, shared);
    hidden = residual.add(&attention_states);
    residual = hidden;
    hidden = layer.norm(plan, "post_attention_layernorm", &residual);
    hidden = match plan.arch.experts_of(layer.index.into()) {
        Some(experts) => {
            let (out, logits) = mixture(layer, plan, experts, &hidden);
            _returned = logits;
            unrows(plan, &out)
        }
        None => layer.gated_mlp_of(
            plan,
            &hidden,
            [
                "feed_forward.gate_proj",
                "feed_forward.up_proj",
                "feed_forward.down_proj",
            ],
        ),
    };
    residual.add(&hidden)
}

/// `Llama4TextAttention.forward`.
fn attention<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>, shared: &Shared<'t>) -> Attended<'t> {
    let a = &plan.arch.attention;
    let heads = |path, n| {
        let shape = [plan.batch, plan.seq, n, a.head_dim];
        layer.linear(path, x).reshape(&shape)
    };
    let mut q = heads("self_attn.q_proj", a.heads);
    let mut k = heads("self_attn.k_proj", a.kv_heads);
    let v = heads("self_attn.v_proj", a.kv_heads).transpose(1, 2);
    let _scales;
    if plan.arch.rotates(layer.index.into()) {
        (q, k) = x.tape().within("self_attn", || rotated(&q, &k, shared));
        if a.norms_rotated {
            let norm = |x: &Tensor<'t>| x.tape().within("self_attn.qk_norm", || l2_norm(x));
            q = norm(&q);
            k = norm(&k);
        }
    } else {
        let scales = temperature(plan, x);
        q = x.tape().within("self_attn", || q.mul(&scales.1).to(q.dtype()));
        _scales = scales;
    }
    q = q.transpose(1, 2);
    k = k.transpose(1, 2);
    layer.attend(plan, q, k, v, shared)
}

/// `apply_rotary_emb`: neighbours are complex numbers, turned by a complex table.
fn rotated<'t>(q: &Tensor<'t>, k: &Tensor<'t>, shared: &Shared<'t>) -> (Tensor<'t>, Tensor<'t>) {
    let (q_complex, k_complex) = (q.to(Dtype::F32), k.to(Dtype::F32));
    let (q_out, k_out) = (q_complex.turn(&shared.cos), k_complex.turn(&shared.cos));
    (q_out.to(q.dtype()), k_out.to(k.dtype()))
}

/// `attn_temperature_tuning`: positions, and what queries are multiplied by.
fn temperature<'t>(plan: &Plan, x: &Tensor<'t>) -> (Tensor<'t>, Tensor<'t>) {
    let tape = x.tape();
    tape.within("self_attn", || {
        let step = |dtype, op| tape.temporary(&[1, plan.seq, 1, 1], dtype, op);
        let positions = {
            let _range = step(Dtype::I64, "arange");
            step(Dtype::I64, "add")
        };
        let mut scales = step(Dtype::F32, "float");
        for op in ["add", "div", "floor", "log1p", "mul", "add"] {
            scales = step(Dtype::F32, op);
        }
        (positions, scales)
    })
}

/// `Llama4TextMoe.forward`: the tokens, once for each expert, weighted, through all experts. Beside the result, the
/// router's logits.
fn mixture<'t>(layer: &Layer<'t>, plan: &Plan, experts: &Experts, x: &Tensor<'t>) -> Attended<'t> {
    let tape = x.tape();
    let hidden = rows(plan, x);
    let tokens = plan.tokens();
    let Some((scores, logits)) = tape.within("feed_forward.router", || route(layer, experts, &hidden)) else {
        return (hidden, None);
    };
    let mut routed_in = hidden.repeat_rows(experts.count);
    routed_in = {
        let weights = scores.transpose(0, 1).reshape(&[experts.count * tokens, 1]);
        routed_in.mul(&weights)
    };
    let Some(routed_out) = tape.within("feed_forward.experts", || {
        expert_products(layer, plan, experts, &routed_in)
    }) else {
        return (hidden, None);
    };
    let mut out = layer.gated_mlp_of(
        plan,
        &hidden,
        [
            "feed_forward.shared_expert.gate_proj",
            "feed_forward.shared_expert.up_proj",
            "feed_forward.shared_expert.down_proj",
        ],
    );
    out = tape.within("feed_forward", || {
        let all = routed_out.reshape(&[experts.count, tokens, plan.arch.hidden]);
        out.add_in_place(&all.sum(0, false))
    });
    (out, Some(logits))
}

/// `Llama4Router.forward`: scores and logits.
fn route<'t>(layer: &Layer<'t>, experts: &Experts, x: &Tensor<'t>) -> Option<(Tensor<'t>, Tensor<'t>)> {
    let logits = x.linear(layer.weight("feed_forward.router.weight")?, None);
    let (values, places) = logits.top_k(experts.per_token);
    // torch.full_like(router_logits, float("-inf")).scatter_(1, router_indices, router_top_value)
    let mut scores = values.scatter_last(&places, experts.count);
    scores = {
        let squashed = scores.to(Dtype::F32).squash("sigmoid");
        squashed.to(scores.dtype())
    };
    Some((scores, logits))
}

/// `Llama4TextExperts.forward`.
fn expert_products<'t>(
    layer: &Layer<'t>,
    plan: &Plan,
    experts: &Experts,
    x: &Tensor<'t>,
) -> Option<Tensor<'t>> {
    let [gate_up, down] = plan.arch.family.expert_paths();
    let (gate_up, down) = (layer.weight(gate_up)?, layer.weight(down)?);
    let hidden = x.reshape(&[experts.count, plan.tokens(), plan.arch.hidden]);
    let both = hidden.bmm(gate_up);
    let (gate, up) = both.halves_last();
    let out = {
        let product = up.mul(&gate.activation(plan.arch.mlp.activation));
        product.bmm(down)
    };
    Some(out.reshape(&[experts.count * plan.tokens(), plan.arch.hidden]))
}
