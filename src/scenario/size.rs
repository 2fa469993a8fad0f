//! How large a run could be at most: to refuse sizes that would overflow, not to estimate.

use super::Scenario;
use crate::model::HfConfig;

/// Upper estimates in bytes, each of the parts well above what any program of the stacks allocates for it.
pub(super) struct Size {
    weights: u128,
    adapters: u128,
    activations: u128,
}

impl Size {
    pub fn of(c: &HfConfig, run: &Scenario) -> Self {
        let wide = |value: u64| u128::from(value);
        let widest = [
            c.moe_intermediate_size,
            c.intermediate_size_mlp,
            c.shared_intermediate_size,
        ];
        let mlp = wide(widest.into_iter().flatten().fold(c.intermediate_size, u64::max));
        let experts = [c.num_local_experts, c.num_experts, c.n_routed_experts];
        let experts = wide(experts.into_iter().flatten().fold(0, u64::max)) + 1;
        let heads = c.num_attention_heads.max(c.num_key_value_heads.unwrap_or(0));
        let head = [c.head_dim, c.global_head_dim, c.qk_nope_head_dim, c.v_head_dim];
        let head = wide(head.into_iter().flatten().fold(0, u64::max)).max(wide(c.hidden_size / heads.max(1)));
        let heads = wide(heads);
        let (hidden, layers, vocab) = (wide(c.hidden_size), wide(c.num_hidden_layers), wide(c.vocab_size));
        let (batch, seq, rank) = (wide(run.batch), wide(run.seq), wide(run.lora.rank));
        let width = hidden + 2 * mlp + 4 * heads * head;
        // Weight, gradient, master copy and two states of four bytes each.
        let trained = 16;
        Size {
            weights: trained
                * (wide(c.tower_params.unwrap_or(0))
                    + 2 * vocab * hidden
                    + layers * hidden * (width + 3 * mlp * experts)),
            adapters: trained * rank * layers * 4 * width * experts,
            activations: batch * seq * (layers * 64 * width + 32 * vocab)
                + 16 * layers * heads * batch * seq * seq,
        }
    }

    /// The field that asks for most, and how much.
    pub fn largest(&self) -> (&'static str, u128) {
        let parts = [
            ("seq", self.activations),
            ("rank", self.adapters),
            ("model", self.weights),
        ];
        parts.into_iter().fold(
            ("model", 0),
            |most, part| if part.1 > most.1 { part } else { most },
        )
    }
}
