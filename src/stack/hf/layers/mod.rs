//! Decoder layers, one architecture a file, each written as its modeling code in transformers.

mod apertus;
mod cohere;
mod convolution;
mod deepseek_v2;
mod deepseek_v3;
mod delta_rule;
mod exaone4;
mod experts;
mod gemma;
mod gemma2;
mod gemma3n;
mod gemma4;
mod glm;
mod glm4_moe;
mod gpt_oss;
mod granite;
mod granite_hybrid;
mod hunyuan;
mod latent;
mod lfm2;
mod llama;
mod llama4;
mod minimax_m2;
mod ministral3;
mod mistral4;
mod mixtral;
mod mllama;
mod olmo2;
mod olmoe;
mod phi;
mod phi3;
mod qwen2_moe;
mod qwen3_5;
mod qwen3_moe;
mod scored_router;
mod seed_oss;
mod starcoder2;

use super::attention::attend;
use super::model::Layer;
use super::norm::norm;
use super::rotary::{Shared, rotate};
use crate::model::{Family, Norm};
use crate::plan::Plan;
use crate::replay::{Place, Tensor};

/// What a module of attention returns: its result, and the weights when it is eager. Layers take both (`hidden_states,
/// _ = self.self_attn(...)`): the underscore holds the weights until the layer ends.
type Attended<'t> = (Tensor<'t>, Option<Tensor<'t>>);

/// Are these the layers of Llama, which most runs have? The page begins with them alone: its build has those of other
/// families in a part that is loaded when it is needed (`is_door` of xtask's `site`).
pub fn is_common(family: Family) -> bool {
    matches!(family, Family::Llama | Family::SmolLm3)
}

impl<'t> Layer<'t> {
    /// `decoder_layer(hidden_states, ...)`.
    pub fn forward(&self, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
        let tape = x.tape();
        let outer = tape.enter(Place {
            layer: Some(self.index),
            module: "",
        });
        let layer = match plan.arch.family {
            Family::Llama | Family::SmolLm3 => llama::layer,
            Family::Gemma => gemma::layer,
            Family::Mllama => mllama::layer,
            Family::Gemma2 | Family::Gemma3 => gemma2::layer,
            Family::Gemma3n => gemma3n::layer,
            Family::Gemma4 => gemma4::layer,
            Family::Phi => phi::layer,
            Family::Phi3 => phi3::layer,
            Family::Granite => granite::layer,
            Family::Olmo2 | Family::Olmo3 => olmo2::layer,
            Family::Exaone4 => exaone4::layer,
            Family::Hunyuan => hunyuan::layer,
            Family::Ministral3 => ministral3::layer,
            Family::Starcoder2 => starcoder2::layer,
            Family::Glm => glm::layer,
            Family::Glm4 => glm::layer4,
            Family::Cohere | Family::Cohere2 => cohere::layer,
            Family::Qwen3Moe => qwen3_moe::layer,
            Family::Qwen2Moe => qwen2_moe::layer,
            Family::Olmoe => olmoe::layer,
            Family::Glm4Moe => glm4_moe::layer,
            Family::MiniMaxM2 => minimax_m2::layer,
            Family::SeedOss => seed_oss::layer,
            Family::GraniteHybrid => granite_hybrid::layer,
            Family::DeepseekV2 => deepseek_v2::layer,
            Family::DeepseekV3 => deepseek_v3::layer,
            Family::Mistral4 => mistral4::layer,
            Family::Llama4 => llama4::layer,
            Family::Apertus => apertus::layer,
            Family::Mixtral => mixtral::layer,
            Family::GptOss => gpt_oss::layer,
            Family::Qwen35 | Family::Qwen35Moe | Family::Qwen3Next => qwen3_5::layer,
            Family::Lfm2 => lfm2::layer,
        };
        let out = layer(self, plan, x, shared);
        tape.enter(outer);
        out
    }

    /// The architecture's norm by the weight of this path.
    pub(super) fn norm(&self, plan: &Plan, path: &'static str, x: &Tensor<'t>) -> Tensor<'t> {
        match self.weight(path) {
            Some(weight) if self.liger => x.tape().within(path, || {
                x.liger_rms_norm(weight, plan.arch.family.has_liger_norms_in_place())
            }),
            Some(weight) => {
                let kind = plan.arch.norm();
                let bias = (kind == Norm::Layer).then(|| self.bias_of(path)).flatten();
                x.tape().within(path, || norm(kind, x, weight, bias))
            }
            None => x.clone(),
        }
    }

    /// `apply_rotary_pos_emb(q, k, cos, sin)`.
    fn rotated(&self, q: &Tensor<'t>, k: &Tensor<'t>, shared: &Shared<'t>) -> (Tensor<'t>, Tensor<'t>) {
        q.tape().within("self_attn", || match self.liger {
            true => q.liger_rope(k, &shared.cos, &shared.sin),
            false => (rotate(q, shared), rotate(k, shared)),
        })
    }

    /// `self.path(x).view(hidden_shape).transpose(1, 2)`: batch x heads x sequence x width.
    fn heads(&self, plan: &Plan, path: &'static str, x: &Tensor<'t>, heads: u64) -> Tensor<'t> {
        let shape = [plan.batch, plan.seq, heads, plan.arch.attention.head_dim];
        self.linear(path, x).reshape(&shape).transpose(1, 2)
    }

    /// `apply_rotary_pos_emb(q, k, cos, sin)` where a part of each head is rotated: what is not is put beside what is,
    /// even if it is empty.
    fn rotated_in_part(
        &self,
        q: &Tensor<'t>,
        k: &Tensor<'t>,
        shared: &Shared<'t>,
    ) -> (Tensor<'t>, Tensor<'t>) {
        let (width, rotary) = (q.layout().last(), shared.cos.layout().last());
        let parts = |t: &Tensor<'t>| (t.narrow_last(rotary), t.narrow_last(width - rotary));
        q.tape().within("self_attn", || {
            let ((q_rot, q_pass), (k_rot, k_pass)) = (parts(q), parts(k));
            let (mut q, mut k) = (rotate(&q_rot, shared), rotate(&k_rot, shared));
            q = q.cat_last(&q_pass);
            k = k.cat_last(&k_pass);
            (q, k)
        })
    }

    /// Attention over queries, keys and values with their positions in them, and `o_proj`.
    fn attend(
        &self,
        plan: &Plan,
        q: Tensor<'t>,
        mut k: Tensor<'t>,
        mut v: Tensor<'t>,
        shared: &Shared<'t>,
    ) -> Attended<'t> {
        let (mut out, weights) = self.attended(plan, &q, &mut k, &mut v, shared);
        out = self.linear(plan.arch.family.output_projection(), &out);
        if plan.arch.family.has_dropout() {
            out = q.tape().within("self_attn", || out.dropout());
        }
        (out, weights)
    }

    /// As `attend`, without `o_proj`.
    fn attended(
        &self,
        plan: &Plan,
        q: &Tensor<'t>,
        k: &mut Tensor<'t>,
        v: &mut Tensor<'t>,
        shared: &Shared<'t>,
    ) -> Attended<'t> {
        let a = plan.arch.attention_of(self.index.into());
        q.tape().within("self_attn", || {
            if let Some(cache) = &shared.cache {
                (*k, *v) = cache.update(k, v, plan.arch.is_windowed(self.index.into()));
            }
            let (mut out, weights) = attend(plan, self.index, q, k, v, shared);
            out = out.reshape(&[plan.batch, plan.seq, a.heads * a.value_dim]);
            (out, weights)
        })
    }

    /// `down_proj(act_fn(gate_proj(x)) * up_proj(x))`.
    fn gated_mlp(&self, plan: &Plan, x: &Tensor<'t>) -> Tensor<'t> {
        self.gated_mlp_of(plan, x, ["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"])
    }

    /// As `gated_mlp`, by the layers of these paths.
    fn gated_mlp_of(&self, plan: &Plan, x: &Tensor<'t>, paths: [&'static str; 3]) -> Tensor<'t> {
        let [gate_proj, up_proj, down_proj] = paths;
        if self.liger {
            // LigerSwiGLUMLP
            let product = {
                let gate = self.linear(gate_proj, x);
                let up = self.linear(up_proj, x);
                x.tape().within("mlp", || gate.liger_swiglu(&up))
            };
            return self.linear(down_proj, &product);
        }
        let product = {
            let gate = {
                let gate = self.linear(gate_proj, x);
                x.tape()
                    .within("mlp.act_fn", || gate.activation(plan.arch.mlp.activation))
            };
            let up = self.linear(up_proj, x);
            x.tape().within("mlp", || gate.mul(&up))
        };
        self.linear(down_proj, &product)
    }

    /// `up, gate = gate_up_proj(x).chunk(2); down_proj(up * act_fn(gate))`.
    fn fused_mlp(&self, plan: &Plan, x: &Tensor<'t>) -> Tensor<'t> {
        let both = self.linear("mlp.gate_up_proj", x);
        let (gate, mut up) = both.halves_last();
        drop(both);
        up = x.tape().within("mlp", || {
            if self.liger {
                // LigerPhi3SwiGLUMLP
                return gate.liger_swiglu(&up);
            }
            let active = gate.activation(plan.arch.mlp.activation);
            up.mul(&active)
        });
        self.linear("mlp.down_proj", &up)
    }
}
