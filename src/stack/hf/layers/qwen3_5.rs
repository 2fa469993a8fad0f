//! Qwen3-Next, Qwen3.5 and its successors, with experts and without (`transformers/models/qwen3_5/modeling_qwen3_5.py`,
//! `qwen3_5_moe`, `qwen3_next`): most layers attend linearly, by the gated delta rule; the others' attention is gated.

use super::super::model::Layer;
use super::super::rotary::Shared;
use super::delta_rule::{Inputs, chunk_gated_delta_rule};
use super::{Attended, convolution, llama, qwen2_moe};
use crate::model::{DeltaNet, Mixer};
use crate::plan::Plan;
use crate::replay::{Dtype, Tensor};

/// `Qwen3_5DecoderLayer.forward`.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    llama::with_modules(
        layer,
        plan,
        x,
        |x| mixer(layer, plan, x, shared),
        |x| match plan.arch.experts_of(layer.index.into()) {
            Some(experts) => qwen2_moe::sparse_block(layer, plan, experts, x),
            None => layer.gated_mlp(plan, x),
        },
    )
}

/// What mixes the tokens of a layer.
fn mixer<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>, shared: &Shared<'t>) -> Attended<'t> {
    match plan.arch.mixer_of(layer.index.into()) {
        Some(Mixer::DeltaNet(net)) => (delta_net(layer, plan, net, x, shared), None),
        _ => attention(layer, plan, x, shared),
    }
}

/// `Qwen3_5Attention.forward`.
fn attention<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>, shared: &Shared<'t>) -> Attended<'t> {
    let a = &plan.arch.attention;
    let (b, s) = (plan.batch, plan.seq);
    let (mut q, mut gate) = {
        let both = layer.linear("self_attn.q_proj", x);
        both.reshape(&[b, s, a.heads, 2 * a.head_dim]).halves_last()
    };
    gate = gate.reshape(&[b, s, a.heads * a.head_dim]);
    q = layer.norm(plan, "self_attn.q_norm", &q).transpose(1, 2);
    let mut k = layer
        .linear("self_attn.k_proj", x)
        .reshape(&[b, s, a.kv_heads, a.head_dim]);
    k = layer.norm(plan, "self_attn.k_norm", &k).transpose(1, 2);
    let mut v = layer.heads(plan, "self_attn.v_proj", x, a.kv_heads);
    (q, k) = layer.rotated_in_part(&q, &k, shared);
    let (mut out, weights) = layer.attended(plan, &q, &mut k, &mut v, shared);
    out = x.tape().within("self_attn", || out.mul(&gate.squash("sigmoid")));
    (layer.linear("self_attn.o_proj", &out), weights)
}

/// `Qwen3_5GatedDeltaNet.forward`.
fn delta_net<'t>(
    layer: &Layer<'t>,
    plan: &Plan,
    net: DeltaNet,
    x: &Tensor<'t>,
    shared: &Shared<'t>,
) -> Tensor<'t> {
    let tape = x.tape();
    let (batch, seq) = (plan.batch, plan.seq);
    let x = &convolution::unpadded(x, shared);
    let Projected {
        mut mixed,
        mut z,
        b,
        a,
        parts,
        _whole,
    } = match net.fused {
        true => fused(layer, plan, net, x),
        false => apart(layer, plan, net, x),
    };
    // All names live until the function returns.
    let (mut out, _names) = tape.within("linear_attn", || {
        mixed = convolution::causal(layer, "linear_attn.conv1d.weight", &mixed, Some("silu"));
        mixed = mixed.transpose(1, 2);
        let [query, key, value] = mixed.three_parts_last([net.keys(), net.keys(), net.values()]);
        drop(parts);
        let heads = |t: Tensor<'t>, heads, width| t.reshape(&[batch, seq, heads, width]);
        let mut query = heads(query, net.key_heads, net.key_dim);
        let mut key = heads(key, net.key_heads, net.key_dim);
        let value = heads(value, net.value_heads, net.value_dim);
        let beta = b.squash("sigmoid");
        let decay = decay(layer, &a);
        let shares = net.value_heads / net.key_heads;
        if shares > 1 {
            query = query.repeat_interleave(shares, 2);
            key = key.repeat_interleave(shares, 2);
        }
        let inputs = Inputs {
            query: &query,
            key: &key,
            value: &value,
            decay: &decay,
            beta: &beta,
        };
        let mut out = chunk_gated_delta_rule(tape, &inputs);
        out = out.reshape(&[batch * seq * net.value_heads, net.value_dim]);
        z = z.reshape(&[batch * seq * net.value_heads, net.value_dim]);
        out = gated_norm(layer, &out, &z);
        out = out.reshape(&[batch, seq, net.values()]);
        (out, (query, key, value, beta, decay))
    });
    out = layer.linear("linear_attn.out_proj", &out);
    out
}

/// What the input is projected to: queries, keys and values in channels, a gate, rates and decays.
struct Projected<'t> {
    mixed: Tensor<'t>,
    z: Tensor<'t>,
    b: Tensor<'t>,
    a: Tensor<'t>,
    /// Queries, keys and values that `mixed` was put together from; they keep their names until others take them.
    parts: Vec<Tensor<'t>>,
    /// Results that keep their names until the function returns.
    _whole: Vec<Tensor<'t>>,
}

/// By four projections.
fn apart<'t>(layer: &Layer<'t>, plan: &Plan, net: DeltaNet, x: &Tensor<'t>) -> Projected<'t> {
    let shape = [plan.batch, plan.seq, net.value_heads, net.value_dim];
    Projected {
        mixed: layer.linear("linear_attn.in_proj_qkv", x).transpose(1, 2),
        z: layer.linear("linear_attn.in_proj_z", x).reshape(&shape),
        b: layer.linear("linear_attn.in_proj_b", x),
        a: layer.linear("linear_attn.in_proj_a", x),
        parts: Vec::new(),
        _whole: Vec::new(),
    }
}

/// By two projections, whose columns are ordered by key heads (`Qwen3NextGatedDeltaNet.fix_query_key_value_ordering`).
fn fused<'t>(layer: &Layer<'t>, plan: &Plan, net: DeltaNet, x: &Tensor<'t>) -> Projected<'t> {
    let qkvz = layer.linear("linear_attn.in_proj_qkvz", x);
    let ba = layer.linear("linear_attn.in_proj_ba", x);
    x.tape().within("linear_attn", || {
        let (batch, seq, groups) = (plan.batch, plan.seq, net.key_heads);
        let shares = net.value_heads / net.key_heads;
        let values = shares * net.value_dim;
        let [query, key, mut value, mut z] = qkvz
            .reshape(&[batch, seq, groups, 2 * (net.key_dim + values)])
            .four_parts_last([net.key_dim, net.key_dim, values, values]);
        let (mut b, mut a) = ba
            .reshape(&[batch, seq, groups, 2 * shares])
            .parts_last(shares, shares);
        value = value.reshape(&[batch, seq, net.value_heads, net.value_dim]);
        z = z.reshape(&[batch, seq, net.value_heads, net.value_dim]);
        b = b.reshape(&[batch, seq, net.value_heads]);
        a = a.reshape(&[batch, seq, net.value_heads]);
        let [query, key, value] = {
            let rows = |t: Tensor<'t>, width| t.reshape(&[batch, seq, width]);
            [
                rows(query, net.keys()),
                rows(key, net.keys()),
                rows(value, net.values()),
            ]
        };
        let mixed = query.cat_last_with(&key, &value).transpose(1, 2);
        Projected {
            mixed,
            z,
            b,
            a,
            parts: vec![query, key, value],
            _whole: vec![qkvz, ba],
        }
    })
}

/// `-self.A_log.float().exp() * F.softplus(a.float() + self.dt_bias)`.
fn decay<'t>(layer: &Layer<'t>, a: &Tensor<'t>) -> Tensor<'t> {
    let (Some(log), Some(bias)) = (
        layer.weight("linear_attn.A_log"),
        layer.weight("linear_attn.dt_bias"),
    ) else {
        return a.clone();
    };
    let mut rate = log.to(Dtype::F32);
    rate = rate.exp();
    rate = rate.neg();
    let mut step = a.to(Dtype::F32);
    step = step.add(bias);
    step = step.activation("softplus");
    rate.mul(&step)
}

/// `Qwen3_5RMSNormGated.forward`.
fn gated_norm<'t>(layer: &Layer<'t>, x: &Tensor<'t>, gate: &Tensor<'t>) -> Tensor<'t> {
    let dtype = x.dtype();
    let Some(weight) = layer.weight("linear_attn.norm") else {
        return x.clone();
    };
    x.tape().within("linear_attn.norm", || {
        let mut hidden = x.to(Dtype::F32);
        let variance = hidden.square().mean_last();
        hidden = {
            let scale = variance.add_number().rsqrt();
            hidden.mul(&scale)
        };
        hidden = weight.mul(&hidden.to(dtype));
        hidden = {
            let mut gate = gate.to(Dtype::F32);
            gate = gate.activation("silu");
            hidden.mul(&gate)
        };
        hidden.to(dtype)
    })
}
