//! What some layers have in place of attention, and which layers these are.

use super::{Family, HfConfig, Part, PartKind};

/// Layers that mix tokens by a recurrence instead of attention.
#[derive(Clone, Debug, PartialEq)]
pub struct Recurrence {
    /// What they have.
    pub mixer: Mixer,
    /// Which layers attend: layer `i` does when entry `i % len` says so.
    attends: Vec<bool>,
}

/// What stands in place of attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mixer {
    /// Linear attention by the gated delta rule (Qwen3-Next and later).
    DeltaNet(DeltaNet),
    /// A gated convolution over the last tokens, this many (LFM2).
    Convolution(u64),
}

/// Sizes of linear attention by the gated delta rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeltaNet {
    /// Query and key heads.
    pub key_heads: u64,
    /// Width of one.
    pub key_dim: u64,
    /// Value heads.
    pub value_heads: u64,
    /// Width of one.
    pub value_dim: u64,
    /// Tokens that its convolution sees.
    pub kernel: u64,
    /// Are its projections two, by key heads (Qwen3-Next), instead of four?
    pub fused: bool,
}

impl DeltaNet {
    /// All key heads side by side.
    pub fn keys(&self) -> u64 {
        self.key_heads * self.key_dim
    }

    /// All value heads side by side.
    pub fn values(&self) -> u64 {
        self.value_heads * self.value_dim
    }

    /// Channels of the convolution: queries, keys and values.
    pub fn channels(&self) -> u64 {
        2 * self.keys() + self.values()
    }

    /// The sizes of a configuration; what it leaves out is as `Qwen3_5TextConfig` has it.
    fn of(config: &HfConfig, family: Family) -> Result<Self, String> {
        let net = DeltaNet {
            key_heads: config.linear_num_key_heads.unwrap_or(16),
            key_dim: config.linear_key_head_dim.unwrap_or(128),
            value_heads: config.linear_num_value_heads.unwrap_or(32),
            value_dim: config.linear_value_head_dim.unwrap_or(128),
            kernel: config.linear_conv_kernel_dim.unwrap_or(4),
            fused: family == Family::Qwen3Next,
        };
        let sizes = [
            net.key_heads,
            net.key_dim,
            net.value_heads,
            net.value_dim,
            net.kernel,
        ];
        if sizes.contains(&0) || !net.value_heads.is_multiple_of(net.key_heads) {
            return Err(format!(
                "linear attention by {} heads of keys and {} of values cannot be",
                net.key_heads, net.value_heads
            ));
        }
        Ok(net)
    }

    fn parts(&self, hidden: u64) -> Vec<Part> {
        if self.fused {
            let all = self.channels() + self.values();
            return vec![
                convolution("linear_attn.conv1d.weight", self.channels(), self.kernel),
                Part::linear("linear_attn.in_proj_qkvz", hidden, all, false),
                Part::linear("linear_attn.in_proj_ba", hidden, 2 * self.value_heads, false),
                Part::vector("linear_attn.norm", self.value_dim),
                Part::linear("linear_attn.out_proj", self.values(), hidden, false),
                Part::vector("linear_attn.dt_bias", self.value_heads),
                Part::vector("linear_attn.A_log", self.value_heads),
            ];
        }
        vec![
            convolution("linear_attn.conv1d.weight", self.channels(), self.kernel),
            Part::vector("linear_attn.norm", self.value_dim),
            Part::linear("linear_attn.out_proj", self.values(), hidden, false),
            Part::linear("linear_attn.in_proj_qkv", hidden, self.channels(), false),
            Part::linear("linear_attn.in_proj_z", hidden, self.values(), false),
            Part::linear("linear_attn.in_proj_b", hidden, self.value_heads, false),
            Part::linear("linear_attn.in_proj_a", hidden, self.value_heads, false),
            Part::vector("linear_attn.dt_bias", self.value_heads),
            Part::vector("linear_attn.A_log", self.value_heads),
        ]
    }
}

/// The weight of a convolution of each channel.
fn convolution(path: &'static str, channels: u64, kernel: u64) -> Part {
    Part {
        path,
        kind: PartKind::Weight([channels, 1, kernel]),
    }
}

impl Recurrence {
    /// The recurrence of a family that has one.
    ///
    /// # Errors
    /// The reason, when it cannot be replayed.
    pub(super) fn of(config: &HfConfig, family: Family) -> Result<Option<Self>, String> {
        let mixer = match family {
            _ if family.attends_linearly() => Mixer::DeltaNet(DeltaNet::of(config, family)?),
            Family::Lfm2 => Mixer::Convolution(config.conv_l_cache.unwrap_or(3).max(1)),
            _ => return Ok(None),
        };
        Ok(Some(Recurrence {
            mixer,
            attends: attending(config, family)?,
        }))
    }

    /// Does this layer attend?
    pub fn attends(&self, layer: u64) -> bool {
        let at = layer as usize % self.attends.len().max(1);
        self.attends.get(at).copied().unwrap_or(true)
    }

    /// Channels of its convolution.
    pub fn channels(&self, hidden: u64) -> u64 {
        match self.mixer {
            Mixer::DeltaNet(net) => net.channels(),
            Mixer::Convolution(_) => hidden,
        }
    }

    /// The parts that stand in place of attention, in the order of loading.
    pub(super) fn parts(&self, hidden: u64) -> Vec<Part> {
        match self.mixer {
            Mixer::DeltaNet(net) => net.parts(hidden),
            Mixer::Convolution(kernel) => vec![
                convolution("conv.conv.weight", hidden, kernel),
                Part::linear("conv.in_proj", hidden, 3 * hidden, false),
                Part::linear("conv.out_proj", hidden, hidden, false),
            ],
        }
    }
}

/// Which layers attend (`configuration_*.py`: `layer_types`, or what stands for it).
fn attending(config: &HfConfig, family: Family) -> Result<Vec<bool>, String> {
    if let Some(types) = &config.layer_types_pattern {
        return Ok(types.iter().map(|t| t == "full_attention").collect());
    }
    if family.attends_linearly() {
        let every = config.full_attention_interval.unwrap_or(4).clamp(1, MOST_LAYERS);
        return Ok((1..=every).map(|i| i == every).collect());
    }
    let layers = config.num_hidden_layers.min(MOST_LAYERS);
    match (&config.full_attn_idxs, config.full_attention_layers) {
        (Some(attend), _) => Ok((0..layers).map(|i| attend.contains(&i)).collect()),
        (None, None) => Ok(vec![true]),
        (None, Some(count)) if count == config.num_hidden_layers => Ok(vec![true]),
        (None, Some(count)) => Err(format!("which {count} of its layers attend is not known")),
    }
}

/// Layers that a list of kinds is made for; runs of more are refused elsewhere.
const MOST_LAYERS: u64 = 4096;
