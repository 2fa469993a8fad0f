//! Phi-2 (`transformers/models/phi/modeling_phi.py`): attention and MLP side by side behind one LayerNorm, rotary
//! positions in a part of each head, biases everywhere.

use super::super::model::Layer;
use super::super::rotary::Shared;
use super::Attended;
use crate::plan::Plan;
use crate::replay::{Dtype, Tensor};

/// `PhiDecoderLayer.forward`, its dropouts off.
pub fn layer<'t>(layer: &Layer<'t>, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let residual = x;
    let mut hidden = layer.norm(plan, "input_layernorm", &residual);
    let (attended, _weights) = attention(layer, plan, &hidden, shared);
    let from_mlp = mlp(layer, &hidden);
    hidden = attended.add(&from_mlp).add(&residual);
    hidden
}

/// `PhiAttention.forward`.
fn attention<'t>(layer: &Layer<'t>, plan: &Plan, x: &Tensor<'t>, shared: &Shared<'t>) -> Attended<'t> {
    let a = &plan.arch.attention;
    let mut q = layer.heads(plan, "self_attn.q_proj", x, a.heads);
    let mut k = layer.heads(plan, "self_attn.k_proj", x, a.kv_heads);
    let v = layer.heads(plan, "self_attn.v_proj", x, a.kv_heads);
    // What is not rotated keeps its name, and with it the whole projection, until the function returns.
    let parts = |t: &Tensor<'t>| {
        (
            t.narrow_last(a.rotary_dim),
            t.narrow_last(a.head_dim - a.rotary_dim),
        )
    };
    let ((mut q_rot, q_pass), (mut k_rot, k_pass)) = (parts(&q), parts(&k));
    (q_rot, k_rot) = layer.rotated(&q_rot, &k_rot, shared);
    (q, k) = x
        .tape()
        .within("self_attn", || (q_rot.cat_last(&q_pass), k_rot.cat_last(&k_pass)));
    layer.attend(plan, q, k, v, shared)
}

/// `PhiMLP.forward`.
fn mlp<'t>(layer: &Layer<'t>, x: &Tensor<'t>) -> Tensor<'t> {
    let mut hidden = layer.linear("mlp.fc1", x);
    hidden = x.tape().within("mlp.activation_fn", || new_gelu(&hidden));
    layer.linear("mlp.fc2", &hidden)
}

/// `NewGELUActivation.forward` (`transformers/activations.py`), step by step. Autocast takes powers in fp32.
fn new_gelu<'t>(x: &Tensor<'t>) -> Tensor<'t> {
    let half = x.scale();
    let curve = {
        let cubic = {
            let base = match x.tape().autocast() {
                Some(_) => x.to(Dtype::F32),
                None => x.clone(),
            };
            // torch.pow(input, 3.0), which takes as much as a square
            let power = base.square();
            drop(base);
            power.scale()
        };
        let sum = x.add(&cubic);
        drop(cubic);
        let scaled = sum.scale();
        drop(sum);
        let tanh = scaled.squash("tanh");
        drop(scaled);
        tanh.add_number()
    };
    half.mul(&curve)
}
