//! Multi-head latent attention (`DeepseekV3Attention.forward` and its kin): keys and values are expanded from a latent
//! that all heads share, beside one rotated key.

use super::super::model::Layer;
use super::super::rotary::Shared;
use super::Attended;
use crate::model::Latent;
use crate::plan::Plan;
use crate::replay::Tensor;

/// Rotates queries and keys.
pub type Rotation =
    for<'a, 't> fn(&'a Tensor<'t>, &'a Tensor<'t>, &'a Shared<'t>) -> (Tensor<'t>, Tensor<'t>);

/// `DeepseekV3Attention.forward`; `scaled`: what becomes of queries with their positions.
pub fn attention<'t>(
    layer: &Layer<'t>,
    plan: &Plan,
    x: &Tensor<'t>,
    shared: &Shared<'t>,
    rotate: Rotation,
    scaled: &dyn Fn(&Tensor<'t>) -> Tensor<'t>,
) -> Attended<'t> {
    let a = &plan.arch.attention;
    let Some(latent) = a.latent else {
        return (x.clone(), None);
    };
    let q_states = queries(layer, plan, latent, x)
        .reshape(&[plan.batch, plan.seq, a.heads, a.head_dim])
        .transpose(1, 2);
    let (q_pass, mut q_rot) = q_states.parts_last(a.head_dim - latent.rotary, latent.rotary);

    let compressed_kv = layer.linear("self_attn.kv_a_proj_with_mqa", x);
    let (mut kv_nope, mut k_rot) = compressed_kv.parts_last(latent.rank, latent.rotary);
    kv_nope = layer.norm(plan, "self_attn.kv_a_layernorm", &kv_nope);
    kv_nope = kv_nope.reshape(&[plan.batch, 1, plan.seq, latent.rank]);
    k_rot = k_rot.reshape(&[plan.batch, 1, plan.seq, latent.rotary]);

    let mut query_states = x.tape().within("self_attn", || {
        (q_rot, k_rot) = rotate(&q_rot, &k_rot, shared);
        q_pass.cat_last(&q_rot)
    });
    query_states = scaled(&query_states);
    let (key_states, value_states) = expand(layer, plan, &kv_nope, &k_rot);
    layer.attend(plan, query_states, key_states, value_states, shared)
}

/// `q_b_proj(q_a_layernorm(q_a_proj(x)))` where it is factored.
fn queries<'t>(layer: &Layer<'t>, plan: &Plan, latent: Latent, x: &Tensor<'t>) -> Tensor<'t> {
    match latent.query_rank {
        None => layer.linear("self_attn.q_proj", x),
        Some(_) => {
            let normed = {
                let compressed = layer.linear("self_attn.q_a_proj", x);
                layer.norm(plan, "self_attn.q_a_layernorm", &compressed)
            };
            layer.linear("self_attn.q_b_proj", &normed)
        }
    }
}

/// `expand_kv`.
fn expand<'t>(
    layer: &Layer<'t>,
    plan: &Plan,
    kv: &Tensor<'t>,
    k_rot: &Tensor<'t>,
) -> (Tensor<'t>, Tensor<'t>) {
    let a = &plan.arch.attention;
    let k_width = a.head_dim - k_rot.layout().last();
    let kv = layer
        .linear("self_attn.kv_b_proj", kv)
        .reshape(&[plan.batch, plan.seq, a.heads, k_width + a.value_dim])
        .transpose(1, 2);
    let (k_nope, value_states) = kv.parts_last(k_width, a.value_dim);
    let tape = kv.tape();
    let key_states = tape.within("self_attn", || {
        let k_rot = k_rot.repeat_heads(a.heads);
        let shape = [plan.batch, a.heads, plan.seq, a.head_dim];
        let mut key_states = tape.temporary(&shape, kv.dtype(), "new_empty");
        key_states = key_states.fill_last(&k_nope);
        key_states.fill_last(&k_rot)
    });
    (key_states, value_states)
}
