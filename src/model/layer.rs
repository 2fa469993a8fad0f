//! The parts of a decoder layer by family, in the order of registration (`__init__` of `modeling_*.py`).

use super::{Architecture, Family, Latent, Part, QueryNorm};

impl Architecture {
    /// The parts of a decoder layer, in the order of registration.
    pub fn layer(&self, index: u64) -> Vec<Part> {
        match self.family {
            Family::Llama => {
                let mut parts = self.split_attention();
                parts.extend(self.gated_mlp(index));
                parts.extend(self.norms().iter().map(|path| Part::vector(path, self.hidden)));
                parts
            }
            _ => self.layer_of_others(index),
        }
    }

    /// As [`Architecture::layer`], of any family.
    #[inline(never)]
    fn layer_of_others(&self, index: u64) -> Vec<Part> {
        let recurrence = self.recurrence.as_ref().filter(|r| !r.attends(index));
        let mut parts = match (self.family, self.attention.latent) {
            _ if let Some(recurrence) = recurrence => recurrence.parts(self.hidden),
            (Family::Phi3, _) => self.fused_attention(),
            (Family::Gemma4, _) => return self.gemma4(index),
            (Family::Gemma3n, _) => return self.gemma3n(index),
            (Family::Mllama, _) if self.is_skipped(index) => return self.image_attention(),
            (_, Some(latent)) => self.latent_attention(latent),
            _ => self.split_attention(),
        };
        parts.extend(match (self.experts_of(index), self.family) {
            (Some(experts), family) => experts.parts(self.hidden, family),
            (None, Family::Phi3 | Family::Glm | Family::Glm4) => self.fused_mlp(),
            (None, Family::Starcoder2) => self.plain_mlp(["mlp.c_fc", "mlp.c_proj"]),
            (None, Family::Phi) => self.plain_mlp(["mlp.fc1", "mlp.fc2"]),
            (None, Family::Llama4) => self.gated_mlp_at(
                index,
                [
                    "feed_forward.gate_proj",
                    "feed_forward.up_proj",
                    "feed_forward.down_proj",
                ],
            ),
            (None, Family::Apertus) => {
                let mut parts = self.plain_mlp(["mlp.up_proj", "mlp.down_proj"]);
                parts.extend(["mlp.act_fn.alpha_p", "mlp.act_fn.alpha_n"].map(|path| Part::vector(path, 1)));
                parts
            }
            (None, Family::GraniteHybrid) => Vec::new(),
            (None, Family::Lfm2) => {
                self.gated_mlp_at(index, ["feed_forward.w1", "feed_forward.w3", "feed_forward.w2"])
            }
            (None, _) => self.gated_mlp(index),
        });
        let norms = self.norms().iter().map(|path| Part::vector(path, self.hidden));
        if self.family == Family::GraniteHybrid {
            return norms.chain(self.shared_mlp()).chain(parts).collect();
        }
        parts.extend(norms);
        parts
    }

    /// The norms over the residual stream.
    fn norms(&self) -> &'static [&'static str] {
        match self.family {
            Family::Gemma2 | Family::Gemma3 | Family::Gemma3n | Family::Gemma4 => &[
                "input_layernorm",
                "post_attention_layernorm",
                "pre_feedforward_layernorm",
                "post_feedforward_layernorm",
            ],
            Family::Glm4 => &[
                "input_layernorm",
                "post_attention_layernorm",
                "post_self_attn_layernorm",
                "post_mlp_layernorm",
            ],
            Family::Olmo2 | Family::Olmo3 | Family::Exaone4 => {
                &["post_attention_layernorm", "post_feedforward_layernorm"]
            }
            Family::Apertus => &["attention_layernorm", "feedforward_layernorm"],
            Family::Cohere | Family::Cohere2 => &["input_layernorm"],
            Family::Lfm2 => &["operator_norm", "ffn_norm"],
            Family::Phi => &["input_layernorm", "input_layernorm.bias"],
            Family::Starcoder2 => &[
                "input_layernorm",
                "input_layernorm.bias",
                "post_attention_layernorm",
                "post_attention_layernorm.bias",
            ],
            _ => &["input_layernorm", "post_attention_layernorm"],
        }
    }

    /// `q_proj`, `k_proj`, `v_proj`, `o_proj`, and norms over queries and keys.
    #[inline(never)]
    fn split_attention(&self) -> Vec<Part> {
        let a = &self.attention;
        let (queries, keys) = (a.heads * a.head_dim, a.kv_heads * a.head_dim);
        let gates = if self.family.gates_attention() { queries } else { 0 };
        let mut parts = vec![
            Part::linear("self_attn.q_proj", self.hidden, queries + gates, a.qkv_bias),
            Part::linear("self_attn.k_proj", self.hidden, keys, a.qkv_bias),
            Part::linear("self_attn.v_proj", self.hidden, keys, a.qkv_bias),
            Part::linear(
                self.family.output_projection(),
                queries,
                self.hidden,
                a.output_bias,
            ),
        ];
        let (q_norm, k_norm) = match self.family {
            Family::Hunyuan => ("self_attn.query_layernorm", "self_attn.key_layernorm"),
            Family::Lfm2 => ("self_attn.q_layernorm", "self_attn.k_layernorm"),
            _ => ("self_attn.q_norm", "self_attn.k_norm"),
        };
        match a.query_norm {
            None => {}
            Some(QueryNorm::Head) => {
                parts.push(Part::vector(q_norm, a.head_dim));
                parts.push(Part::vector(k_norm, a.head_dim));
            }
            Some(QueryNorm::Full) => {
                parts.push(Part::vector(q_norm, queries));
                parts.push(Part::vector(k_norm, keys));
            }
        }
        if self.family == Family::GptOss {
            parts.push(Part::vector("self_attn.sinks", a.heads));
        }
        parts
    }

    /// `Gemma4TextDecoderLayer.__init__`.
    fn gemma4(&self, index: u64) -> Vec<Part> {
        let a = self.attention_of(index);
        let (queries, keys) = (a.heads * a.head_dim, a.kv_heads * a.head_dim);
        let mut parts = vec![
            Part::linear("self_attn.q_proj", self.hidden, queries, a.qkv_bias),
            Part::vector("self_attn.q_norm", a.head_dim),
        ];
        if !self.takes_keys(index) {
            parts.push(Part::vector("self_attn.k_norm", a.head_dim));
            parts.push(Part::linear("self_attn.k_proj", self.hidden, keys, a.qkv_bias));
            if !a.keys_are_values {
                parts.push(Part::linear("self_attn.v_proj", self.hidden, keys, a.qkv_bias));
            }
        }
        parts.push(Part::linear(
            "self_attn.o_proj",
            queries,
            self.hidden,
            a.output_bias,
        ));
        parts.extend(self.gated_mlp(index));
        let vector = |path: &'static str| Part::vector(path, self.hidden);
        parts.extend(self.norms().iter().map(|path| vector(path)));
        if let Some(of_layer) = self.per_layer {
            parts.extend([
                Part::linear("per_layer_input_gate", self.hidden, of_layer.width, false),
                Part::linear("per_layer_projection", of_layer.width, self.hidden, false),
                vector("post_per_layer_input_norm"),
            ]);
        }
        if let Some(experts) = self.experts_of(index) {
            parts.extend([
                Part::linear("router.proj", self.hidden, experts.count, false),
                vector("router.scale"),
                Part::vector("router.per_expert_scale", experts.count),
            ]);
            parts.extend(experts.stacks(self.hidden, self.family));
            parts.extend(
                [
                    "post_feedforward_layernorm_1",
                    "post_feedforward_layernorm_2",
                    "pre_feedforward_layernorm_2",
                ]
                .map(vector),
            );
        }
        parts
    }

    /// `Gemma3nTextDecoderLayer.__init__`.
    fn gemma3n(&self, index: u64) -> Vec<Part> {
        let a = &self.attention;
        let (queries, keys) = (a.heads * a.head_dim, a.kv_heads * a.head_dim);
        let mut parts = vec![
            Part::linear("self_attn.q_proj", self.hidden, queries, a.qkv_bias),
            Part::vector("self_attn.q_norm", a.head_dim),
        ];
        if !self.takes_keys(index) {
            parts.extend([
                Part::linear("self_attn.k_proj", self.hidden, keys, a.qkv_bias),
                Part::linear("self_attn.v_proj", self.hidden, keys, a.qkv_bias),
                Part::vector("self_attn.k_norm", a.head_dim),
            ]);
        }
        parts.push(Part::linear(
            "self_attn.o_proj",
            queries,
            self.hidden,
            a.output_bias,
        ));
        parts.extend(self.gated_mlp(index));
        let vector = |path: &'static str| Part::vector(path, self.hidden);
        parts.extend(self.norms().iter().map(|path| vector(path)));
        let (streams, rank) = (self.streams, self.laurel_rank);
        parts.extend([
            Part::linear("altup.correction_coefs", streams, streams, false),
            Part::linear("altup.prediction_coefs", streams, streams * streams, false),
            Part::linear("altup.modality_router", self.hidden, streams, false),
            vector("altup.router_norm"),
            vector("altup.correct_output_scale"),
            Part::linear("laurel.linear_left", self.hidden, rank, false),
            Part::linear("laurel.linear_right", rank, self.hidden, false),
            vector("laurel.post_laurel_norm"),
        ]);
        let width = self.per_layer.map_or(0, |of_layer| of_layer.width);
        parts.extend([
            Part::linear("per_layer_input_gate", self.hidden, width, false),
            Part::linear("per_layer_projection", width, self.hidden, false),
            vector("post_per_layer_input_norm"),
        ]);
        parts
    }

    /// `MllamaCrossAttentionDecoderLayer.__init__`.
    fn image_attention(&self) -> Vec<Part> {
        let a = &self.attention;
        let (queries, keys) = (a.heads * a.head_dim, a.kv_heads * a.head_dim);
        let mut parts = vec![
            Part::linear("cross_attn.q_proj", self.hidden, queries, false),
            Part::linear("cross_attn.k_proj", self.hidden, keys, false),
            Part::linear("cross_attn.v_proj", self.hidden, keys, false),
            Part::linear("cross_attn.o_proj", queries, self.hidden, false),
            Part::vector("cross_attn.q_norm", a.head_dim),
            Part::vector("cross_attn.k_norm", a.head_dim),
            Part::vector("input_layernorm", self.hidden),
        ];
        parts.extend(self.gated_mlp(0));
        parts.push(Part::vector("post_attention_layernorm", self.hidden));
        parts.extend(["cross_attn_attn_gate", "cross_attn_mlp_gate"].map(|path| Part::vector(path, 1)));
        parts
    }

    /// `o_proj`, and queries, keys and values by one projection.
    fn fused_attention(&self) -> Vec<Part> {
        let a = &self.attention;
        let (queries, keys) = (a.heads * a.head_dim, a.kv_heads * a.head_dim);
        vec![
            Part::linear("self_attn.o_proj", queries, self.hidden, a.output_bias),
            Part::linear("self_attn.qkv_proj", self.hidden, queries + 2 * keys, a.qkv_bias),
        ]
    }

    /// Queries, factored or not; a latent of keys and values beside the keys' rotated part; `o_proj`.
    fn latent_attention(&self, latent: Latent) -> Vec<Part> {
        let a = &self.attention;
        let (queries, shared) = (a.heads * a.head_dim, latent.rank + latent.rotary);
        let expanded = a.heads * (a.head_dim - latent.rotary + a.value_dim);
        let mut parts = match latent.query_rank {
            None => vec![Part::linear("self_attn.q_proj", self.hidden, queries, false)],
            Some(rank) => vec![
                Part::linear("self_attn.q_a_proj", self.hidden, rank, false),
                Part::vector("self_attn.q_a_layernorm", rank),
                Part::linear("self_attn.q_b_proj", rank, queries, false),
            ],
        };
        parts.extend([
            Part::linear("self_attn.kv_a_proj_with_mqa", self.hidden, shared, false),
            Part::vector("self_attn.kv_a_layernorm", latent.rank),
            Part::linear("self_attn.kv_b_proj", latent.rank, expanded, false),
            Part::linear("self_attn.o_proj", a.heads * a.value_dim, self.hidden, false),
        ]);
        parts
    }

    /// `gate_proj`, `up_proj`, `down_proj`.
    #[inline(never)]
    fn gated_mlp(&self, index: u64) -> Vec<Part> {
        self.gated_mlp_at(index, ["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"])
    }

    /// As `gated_mlp`, of these paths.
    fn gated_mlp_at(&self, index: u64, [gate, up, down]: [&'static str; 3]) -> Vec<Part> {
        let (width, bias) = (self.mlp_width(index), self.mlp.bias);
        vec![
            Part::linear(gate, self.hidden, width, bias),
            Part::linear(up, self.hidden, width, bias),
            Part::linear(down, width, self.hidden, bias),
        ]
    }

    /// Gate and up by one projection, `down_proj`.
    fn fused_mlp(&self) -> Vec<Part> {
        let m = &self.mlp;
        vec![
            Part::linear("mlp.gate_up_proj", self.hidden, 2 * m.width, m.bias),
            Part::linear("mlp.down_proj", m.width, self.hidden, m.bias),
        ]
    }

    /// `input_linear`, gate and up at once, and `output_linear`.
    fn shared_mlp(&self) -> [Part; 2] {
        let width = self.mlp.width;
        [
            Part::linear("shared_mlp.input_linear", self.hidden, 2 * width, false),
            Part::linear("shared_mlp.output_linear", width, self.hidden, false),
        ]
    }

    /// Two projections of these paths, up and down.
    fn plain_mlp(&self, [up, down]: [&'static str; 2]) -> Vec<Part> {
        let m = &self.mlp;
        vec![
            Part::linear(up, self.hidden, m.width, m.bias),
            Part::linear(down, m.width, self.hidden, m.bias),
        ]
    }
}
