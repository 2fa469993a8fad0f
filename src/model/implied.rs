//! What a `model_type` implies without a key in `config.json`: modules that the modeling code of transformers has
//! unconditionally (`modeling_*.py`).

use super::HfConfig;

impl HfConfig {
    /// The type whose forward pass is replayed: that of the language model ([`own_type`](Self::own_type)), or the one
    /// that the user names in its stead.
    pub fn text_type(&self) -> &str {
        self.treat_as.as_deref().unwrap_or_else(|| self.own_type())
    }

    /// The type of the language model: the text part's where the model is multimodal, without the suffix `_text`. The text
    /// parts of Qwen's vision models are their language models with other angles (`modeling_qwen2_5_vl.py`).
    pub fn own_type(&self) -> &str {
        let name = self.text_model_type.as_deref().unwrap_or(&self.model_type);
        match name.strip_suffix("_text").unwrap_or(name) {
            "qwen2_vl" | "qwen2_5_vl" => "qwen2",
            "qwen3_vl" => "qwen3",
            "qwen3_vl_moe" => "qwen3_moe",
            other => other,
        }
    }

    /// What to call the model: its name, else its type; and what it is treated as, where that is not its own type.
    pub fn label(&self) -> String {
        let name = self.name.as_deref().unwrap_or(&self.model_type);
        match &self.treat_as {
            Some(other) => format!("{name}, treated as {other}"),
            None => name.to_owned(),
        }
    }

    /// Fills what `model_type` implies and the configuration does not say: biases, norms on queries and keys, the
    /// kind of MLP and its activation. What it says stays. Configurations of the catalog are complete.
    #[must_use]
    pub fn completed(self) -> Self {
        let all = self.modules();
        HfConfig {
            attention_bias: Some(all.attention_bias),
            attention_bias_scope: match all.attention_bias {
                true => Some(all.bias_scope.to_owned()),
                false => self.attention_bias_scope.clone(),
            },
            mlp_bias: Some(all.mlp_bias),
            mlp_gated: Some(all.mlp_gated),
            qk_norm: all.qk_norm.map(str::to_owned),
            hidden_act: Some(all.hidden_act.to_owned()),
            ..self
        }
    }

    /// What it says of its modules, and what `model_type` implies where it says nothing.
    pub(super) fn modules(&self) -> Modules<'_> {
        let text_type = self.text_type();
        let implied = Implied::by(text_type);
        let stated = text_type == "glm4_moe" && self.use_qk_norm == Some(true);
        let scope = implied.attention_bias.or(implied.scope_if_biased);
        Modules {
            attention_bias: self.attention_bias.unwrap_or(implied.attention_bias.is_some()),
            bias_scope: self
                .attention_bias_scope
                .as_deref()
                .unwrap_or(scope.unwrap_or("qkvo")),
            mlp_bias: self.mlp_bias.unwrap_or(implied.mlp_bias),
            mlp_gated: self.mlp_gated.unwrap_or(!implied.ungated),
            qk_norm: self
                .qk_norm
                .as_deref()
                .or(implied.qk_norm)
                .or(stated.then_some("head")),
            hidden_act: self
                .hidden_act
                .as_deref()
                .unwrap_or(implied.hidden_act.unwrap_or("silu")),
        }
    }
}

/// What a configuration says of its modules, completed.
pub(super) struct Modules<'c> {
    /// Are attention's projections biased?
    pub attention_bias: bool,
    /// Which of them then are.
    pub bias_scope: &'c str,
    /// Are the MLP's projections biased?
    pub mlp_bias: bool,
    /// Is the MLP gated?
    mlp_gated: bool,
    /// Norms over queries and keys.
    pub qk_norm: Option<&'c str>,
    /// The activation function.
    pub hidden_act: &'c str,
}

/// The modules of one type.
#[derive(Default)]
struct Implied {
    /// Always biased, and where.
    attention_bias: Option<&'static str>,
    /// Where, when `attention_bias` is set.
    scope_if_biased: Option<&'static str>,
    qk_norm: Option<&'static str>,
    mlp_bias: bool,
    ungated: bool,
    hidden_act: Option<&'static str>,
}

impl Implied {
    fn by(text_type: &str) -> Self {
        let mut implied = Implied::default();
        match text_type {
            "qwen2" | "qwen2_moe" | "mimo" => implied.attention_bias = Some("qkv"),
            "phi" | "starcoder2" | "gpt_oss" => {
                implied.attention_bias = Some("qkvo");
                implied.mlp_bias = true;
            }
            "glm" | "glm4" | "glm4_moe" | "seed_oss" => implied.scope_if_biased = Some("qkv"),
            _ => {}
        }
        implied.qk_norm = match text_type {
            "qwen3" | "qwen3_moe" | "qwen3_next" | "qwen3_5" | "qwen3_5_moe" | "gemma3" | "gemma3n"
            | "gemma4" | "gemma4_unified" | "exaone4" | "apertus" | "hunyuan_v1_dense" | "lfm2" => {
                Some("head")
            }
            "olmo2" | "olmo3" | "olmoe" | "minimax_m2" => Some("full"),
            _ => None,
        };
        implied.ungated = matches!(text_type, "phi" | "starcoder2" | "apertus" | "nemotron_h");
        implied.hidden_act = match text_type {
            "gemma" | "gemma2" | "gemma3" | "gemma3n" | "gemma4" | "gemma4_unified" | "starcoder2" => {
                Some("gelu_pytorch_tanh")
            }
            "phi" => Some("gelu_new"),
            "apertus" => Some("xielu"),
            "nemotron_h" => Some("relu2"),
            _ => None,
        };
        implied
    }
}

#[cfg(test)]
mod tests {
    use super::HfConfig;

    /// Glm 4.5 and its successors have norms in some sizes only (`use_qk_norm`), Phi-3.5-MoE an MLP bias of its own;
    /// what the Hub states cannot be implied.
    #[test]
    fn completing_restores_what_the_catalog_states_for_the_type() {
        for model in crate::catalog::models() {
            let stated = &model.config;
            let bare = HfConfig {
                attention_bias: stated.attention_bias.filter(|_| stated.text_type() != "qwen2"),
                attention_bias_scope: None,
                mlp_gated: None,
                qk_norm: stated
                    .qk_norm
                    .clone()
                    .filter(|_| stated.text_type() == "glm4_moe"),
                ..stated.clone()
            };
            let completed = HfConfig {
                mlp_bias: stated.mlp_bias,
                ..bare.completed()
            };
            assert_eq!(&completed, stated, "{}", model.id);
        }
    }
}
