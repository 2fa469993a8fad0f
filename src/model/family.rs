//! Which modeling code a model runs, and how that code norms and attends.

/// The modeling code of transformers that a forward pass is written after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `modeling_llama.py` and its kin: Mistral, Qwen2, Qwen3, which differ by biases, norms over heads and windows.
    Llama,
    /// `modeling_gemma.py`.
    Gemma,
    /// `modeling_gemma2.py`.
    Gemma2,
    /// `modeling_gemma3.py`.
    Gemma3,
    /// `modeling_phi3.py`.
    Phi3,
}

/// How a norm computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// `LlamaRMSNorm`: the weight scales what is back in the dtype of the input.
    Rms,
    /// `GemmaRMSNorm`: one plus the weight scales in fp32.
    ZeroCentred,
}

impl Family {
    /// The family of a text model's type (without the suffix `_text`).
    pub fn of(text_type: &str) -> Option<Self> {
        Some(match text_type {
            "llama" | "mistral" | "qwen2" | "qwen3" => Family::Llama,
            "gemma" => Family::Gemma,
            "gemma2" => Family::Gemma2,
            "gemma3" => Family::Gemma3,
            "phi3" => Family::Phi3,
            _ => return None,
        })
    }

    /// Its norms.
    pub fn norm(self) -> Norm {
        match self {
            Family::Gemma | Family::Gemma2 | Family::Gemma3 => Norm::ZeroCentred,
            Family::Llama | Family::Phi3 => Norm::Rms,
        }
    }

    /// Are embeddings multiplied by a scale that the module holds as a buffer?
    pub fn scales_embeddings(self) -> bool {
        matches!(self, Family::Gemma | Family::Gemma2 | Family::Gemma3)
    }

    /// Are the scores of eager attention capped by a hyperbolic tangent?
    pub fn caps_scores(self) -> bool {
        self == Family::Gemma2
    }

    /// Are the logits capped by a hyperbolic tangent?
    pub fn caps_logits(self) -> bool {
        self == Family::Gemma2
    }

    /// Have layers with a window rotary tables of their own?
    pub fn has_tables_by_window(self) -> bool {
        self == Family::Gemma3
    }

    /// Every n-th layer attends to all, the others have the window, where the configuration does not say
    /// (`configuration_*.py`, `layer_types`). `None`: all layers have the window.
    pub fn full_attention_every(self) -> Option<u64> {
        match self {
            Family::Gemma2 => Some(2),
            Family::Gemma3 => Some(6),
            Family::Llama | Family::Gemma | Family::Phi3 => None,
        }
    }
}
