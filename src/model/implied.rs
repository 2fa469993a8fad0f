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
    pub fn completed(mut self) -> Self {
        let text_type = self.text_type().to_owned();
        let implied = Implied::by(&text_type);
        self.attention_bias
            .get_or_insert(implied.attention_bias.is_some());
        if self.attention_bias == Some(true) {
            let scope = implied
                .attention_bias
                .or(implied.scope_if_biased)
                .unwrap_or("qkvo");
            self.attention_bias_scope.get_or_insert_with(|| scope.into());
        }
        self.mlp_bias.get_or_insert(implied.mlp_bias);
        self.mlp_gated.get_or_insert(!implied.ungated);
        let stated = text_type == "glm4_moe" && self.use_qk_norm == Some(true);
        if let Some(kind) = implied.qk_norm.or(stated.then_some("head")) {
            self.qk_norm.get_or_insert_with(|| kind.into());
        }
        self.hidden_act
            .get_or_insert_with(|| implied.hidden_act.unwrap_or("silu").into());
        self
    }
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
