//! The parts of a module that hold weights, in the order in which they are registered.

/// A part of a decoder layer: its place in the layer and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it stands in the layer, such as `self_attn.q_proj`.
    pub path: &'static str,
    /// What it holds.
    pub kind: PartKind,
}

/// What a part holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// `nn.Linear`: a weight of `outputs` x `inputs`, and a bias.
    Linear {
        /// Columns in.
        inputs: u64,
        /// Columns out.
        outputs: u64,
        /// Has it a bias?
        bias: bool,
    },
    /// A bare parameter of up to three dimensions; unused ones are 0. No adapter, no quantization.
    Weight([u64; 3]),
}

impl Part {
    /// A linear layer.
    pub const fn linear(path: &'static str, inputs: u64, outputs: u64, bias: bool) -> Self {
        Part {
            path,
            kind: PartKind::Linear {
                inputs,
                outputs,
                bias,
            },
        }
    }

    /// A vector, such as a norm's weight.
    pub const fn vector(path: &'static str, width: u64) -> Self {
        Part {
            path,
            kind: PartKind::Weight([width, 0, 0]),
        }
    }

    /// The last word of its path: what adapters' targets name.
    pub fn name(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    /// Elements of its tensors: the weight's, and the bias's or 0.
    pub fn elements(&self) -> (u64, u64) {
        match self.kind {
            PartKind::Linear {
                inputs,
                outputs,
                bias,
            } => (inputs.saturating_mul(outputs), if bias { outputs } else { 0 }),
            PartKind::Weight(shape) => (
                shape
                    .iter()
                    .filter(|&&s| s > 0)
                    .fold(1, |n, &s| n.saturating_mul(s)),
                0,
            ),
        }
    }
}
