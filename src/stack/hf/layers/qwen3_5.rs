//! Qwen3.5 and its successors (`transformers/models/qwen3_5/modeling_qwen3_5.py`): most layers attend linearly, by the
//! gated delta rule; the others' attention is gated.

use super::super::model::Layer;
use super::super::rotary::Shared;
use super::delta_rule::{Inputs, chunk_gated_delta_rule};
use super::{Attended, convolution, llama};
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
        |x| layer.gated_mlp(plan, x),
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
    let mut mixed = layer.linear("linear_attn.in_proj_qkv", x).transpose(1, 2);
    let mut z =
        layer
            .linear("linear_attn.in_proj_z", x)
            .reshape(&[batch, seq, net.value_heads, net.value_dim]);
    let b = layer.linear("linear_attn.in_proj_b", x);
    let a = layer.linear("linear_attn.in_proj_a", x);
    // All names live until the function returns.
    let (mut out, _names) = tape.within("linear_attn", || {
        mixed = convolution::causal(layer, "linear_attn.conv1d.weight", &mixed, Some("silu"));
        mixed = mixed.transpose(1, 2);
        let [query, key, value] = mixed.three_parts_last([net.keys(), net.keys(), net.values()]);
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
