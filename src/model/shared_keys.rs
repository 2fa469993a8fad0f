//! Layers that differ by their place: heads of two widths, and last layers that take keys and values from earlier ones
//! (Gemma 4, `transformers/models/gemma4/configuration_gemma4.py`).

use super::{Architecture, Attention, Family, HfConfig};

/// The last layers, which have no keys and values of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedKeys {
    /// The first of them.
    pub first: u64,
    /// Is their MLP twice as wide (`use_double_wide_mlp`)?
    pub wide_mlp: bool,
}

impl SharedKeys {
    /// The sharing of a configuration, where its family knows one.
    pub(super) fn of(config: &HfConfig, family: Family) -> Option<Self> {
        // `Gemma3nTextConfig.num_kv_shared_layers`
        let by_default = match family {
            Family::Gemma3n => 15,
            Family::Gemma4 => 0,
            _ => return None,
        };
        Some(SharedKeys {
            first: config
                .num_hidden_layers
                .saturating_sub(config.num_kv_shared_layers.unwrap_or(by_default)),
            wide_mlp: config.use_double_wide_mlp == Some(true),
        })
    }
}

impl Attention {
    /// The attention of layers without a window, where it has widths of its own.
    #[inline(never)]
    pub(super) fn without_window(&self, config: &HfConfig) -> Option<Self> {
        let same = config.attention_k_eq_v == Some(true);
        let head_dim = config.global_head_dim.unwrap_or(512);
        Some(Attention {
            kv_heads: match config.num_global_key_value_heads {
                Some(heads) if same => heads.max(1),
                _ => self.kv_heads,
            },
            head_dim,
            value_dim: head_dim,
            rotary_dim: head_dim,
            keys_are_values: same,
            ..self.clone()
        })
    }
}

impl Architecture {
    /// The attention of this layer.
    pub fn attention_of(&self, index: u64) -> &Attention {
        match &self.global_attention {
            Some(global) if !self.is_windowed(index) => global,
            _ => &self.attention,
        }
    }

    /// Has this layer keys and values of an earlier one?
    pub fn takes_keys(&self, index: u64) -> bool {
        self.shared_keys
            .is_some_and(|shared| index >= shared.first && shared.first > 0)
    }

    /// Does this layer leave its keys and values to later ones? The last of either kind before those that take them, even
    /// if none does (`store_full_length_kv`).
    pub fn lends_keys(&self, index: u64) -> bool {
        self.shared_keys.is_some_and(|shared| {
            let alike = |other: u64| self.is_windowed(other) == self.is_windowed(index);
            index < shared.first && !(index + 1..shared.first).any(alike)
        })
    }

    /// A layer that takes keys and values where no earlier layer of its kind has any: no such model can be built.
    pub fn takes_keys_of_none(&self) -> Option<u64> {
        let first = self.shared_keys.map_or(self.layers, |shared| shared.first);
        let has_lender = |taker: u64| (0..first).any(|i| self.is_windowed(i) == self.is_windowed(taker));
        (first..self.layers).find(|&index| self.takes_keys(index) && !has_lender(index))
    }

    /// Are gates of this layer cut off below a quantile (`Gemma3nTextConfig.activation_sparsity_pattern`)?
    pub fn cuts_gates(&self, index: u64) -> bool {
        const SPARSE: u64 = 10;
        self.family == Family::Gemma3n && self.layers > SPARSE && index < SPARSE
    }

    /// Width of the MLP of this layer.
    pub fn mlp_width(&self, index: u64) -> u64 {
        match self.shared_keys {
            Some(shared) if shared.wide_mlp && self.takes_keys(index) => self.mlp.width.saturating_mul(2),
            _ => self.mlp.width,
        }
    }
}
