//! The hand-written decoder layer of Llama, Mistral, Qwen2 and Qwen3 (`unsloth/models/llama.py:
//! LlamaDecoderLayer_fast_forward, LlamaAttention_fast_forward`, `qwen3.py`).

use super::attention::{packed, padded};
use super::batch::Batch;
use super::model::{Model, fast_parts};
use super::past;
use crate::plan::Plan;
use crate::replay::{FastLinear, Place, Tensor};
use crate::stack::hf::linear::Linear;
use crate::stack::hf::model::{Layer, Module};

/// Projections of queries, keys and values.
pub const QKV: [&str; 3] = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"];
/// Projection of attention's output.
pub const OUTPUT: &str = "self_attn.o_proj";
/// Projections of the MLP.
pub const MLP: [&str; 3] = ["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"];

/// The linear layers of this path.
pub fn linear_of<'a, 't>(layer: &'a Layer<'t>, path: &str) -> Option<&'a Linear<'t>> {
    layer.parts.iter().find_map(|(part, module)| match module {
        Module::Linear(linear) if part.path == path => Some(linear),
        _ => None,
    })
}

/// The linear layers that run inside fused functions.
pub fn fused<'a, 't>(layer: &'a Layer<'t>) -> impl Iterator<Item = &'a Linear<'t>> {
    let group = |paths: &'static [&'static str]| {
        let linears: Option<Vec<_>> = paths
            .iter()
            .map(|path| linear_of(layer, path).filter(|l| l.bias.is_none() && fast_parts(l).is_some()))
            .collect();
        linears.into_iter().flatten()
    };
    group(&QKV).chain(group(&[OUTPUT])).chain(group(&MLP))
}

impl<'t> Model<'t> {
    fn fused<const N: usize>(
        &self,
        position: usize,
        paths: [&'static str; N],
    ) -> Option<[FastLinear<'_, 't>; N]> {
        let linears: Vec<_> = paths
            .into_iter()
            .map_while(|path| self.fast(position, path))
            .collect();
        linears.try_into().ok()
    }

    /// `decoder_layer(hidden_states, ...)` of the recorded layer at this position. `first` is the batch in the first
    /// layer of a micro-batch. Without positions the batch is padded, as before 2026.
    pub fn layer(
        &self,
        plan: &Plan,
        position: usize,
        x: Tensor<'t>,
        positions: Option<&Tensor<'t>>,
        first: Option<&Batch<'t>>,
    ) -> Tensor<'t> {
        let Some(layer) = self.base.layers.get(position) else {
            return x;
        };
        let tape = x.tape();
        let outer = tape.enter(Place {
            layer: Some(layer.index),
            module: "",
        });
        let norm = |path, x: &Tensor<'t>| match layer.weight(path) {
            Some(weight) => tape.within(path, || x.fast_rms_norm(weight, true)),
            None => x.clone(),
        };
        let mut residual = x;
        let mut hidden = norm("input_layernorm", &residual);
        hidden = self.attention(plan, position, &hidden, positions, first);
        hidden = residual.add(&hidden);
        residual = hidden;
        hidden = norm("post_attention_layernorm", &residual);
        hidden = self.mlp(plan, position, &hidden);
        hidden = residual.add(&hidden);
        drop(residual);
        tape.enter(outer);
        hidden
    }

    fn attention(
        &self,
        plan: &Plan,
        position: usize,
        x: &Tensor<'t>,
        positions: Option<&Tensor<'t>>,
        first: Option<&Batch<'t>>,
    ) -> Tensor<'t> {
        let (a, tape, layer) = (&plan.arch.attention, x.tape(), &self.base.layers[position]);
        let dropout = plan.lora.as_ref().is_some_and(|lora| lora.dropout);
        let [rows, length] = plan.rows();
        let heads = |t: Tensor<'t>, n: u64| t.reshape(&[rows, length, n, a.head_dim]);
        let [q, k, v] = match self.fused(position, QKV) {
            Some(linears) => tape.within("self_attn.qkv", || x.fast_qkv(linears, dropout, &self.buffer)),
            None => QKV.map(|path| self.linear(position, path, x)),
        };
        let mut q = heads(q, a.heads);
        let mut k = heads(k, a.kv_heads);
        let v = heads(v, a.kv_heads).transpose(1, 2);
        let attended = tape.within("self_attn", || {
            let Some(positions) = positions else {
                (q, k) = past::head_norms(layer, q, k);
                return padded(plan, &q.transpose(1, 2), &k.transpose(1, 2), &v);
            };
            if a.query_norm.is_some() {
                let old = first.and_then(|batch| self.boundaries.renew(tape, plan, batch));
                (q, k) = q.fast_qk_norm_rope(&k, positions);
                drop(old);
                (q, k) = (q.transpose(1, 2), k.transpose(1, 2));
            } else {
                (q, k) = (q.transpose(1, 2), k.transpose(1, 2));
                let old = first.and_then(|batch| self.boundaries.renew(tape, plan, batch));
                (q, k) = q.fast_rope(&k, positions);
                drop(old);
            }
            packed(plan, &q, &k, &v)
        });
        let out = attended.reshape(&[rows, length, a.heads * a.head_dim]);
        drop(attended);
        match self.fused(position, [OUTPUT]) {
            Some([linear]) => tape.within(OUTPUT, || out.fast_linear(linear, dropout, &self.buffer)),
            None => self.linear(position, OUTPUT, &out),
        }
    }

    fn mlp(&self, plan: &Plan, position: usize, x: &Tensor<'t>) -> Tensor<'t> {
        let tape = x.tape();
        let dropout = plan.lora.as_ref().is_some_and(|lora| lora.dropout);
        if let Some(linears) = self.fused(position, MLP) {
            return tape.within("mlp", || x.fast_mlp(linears, dropout, &self.buffer));
        }
        let [gate_proj, up_proj, down_proj] = MLP;
        let product = {
            let gate = {
                let gate = self.linear(position, gate_proj, x);
                tape.within("mlp.act_fn", || gate.activation(plan.arch.mlp.activation))
            };
            let up = self.linear(position, up_proj, x);
            tape.within("mlp", || gate.mul(&up))
        };
        self.linear(position, down_proj, &product)
    }
}
