//! The exact bytes of stored tensors by part and dtype.

use super::{Role, Tensor};
use serde::Serialize;

/// What is stored of one part in one dtype.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The part.
    pub part: Role,
    /// The dtype, as the files name it.
    pub dtype: &'static str,
    /// How many tensors.
    pub tensors: u64,
    /// Weights of the model; none in scales and tables of quantization.
    pub weights: u64,
    /// Bytes.
    pub bytes: u64,
}

/// What is stored, part by part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Inventory {
    /// Parts in their order, dtypes by name.
    pub lines: Vec<Line>,
}

impl Inventory {
    /// Counts the tensors of a model of so many decoder layers, whose packed weights have so many bits.
    pub fn of<'t>(tensors: impl Iterator<Item = &'t Tensor>, layers: u64, bits: u64) -> Self {
        let mut lines: Vec<Line> = Vec::new();
        for tensor in tensors {
            let (part, dtype) = (Role::of(&tensor.name, layers), tensor.dtype.name);
            let found = lines
                .iter()
                .position(|line| line.part == part && line.dtype == dtype);
            let place = found.unwrap_or_else(|| {
                lines.push(Line {
                    part,
                    dtype,
                    tensors: 0,
                    weights: 0,
                    bytes: 0,
                });
                lines.len() - 1
            });
            let line = &mut lines[place];
            line.tensors += 1;
            line.bytes = line.bytes.saturating_add(tensor.bytes);
            line.weights = line.weights.saturating_add(tensor.weights(bits).unwrap_or(0));
        }
        lines.sort_by_key(|line| (line.part, line.dtype));
        Inventory { lines }
    }

    /// Weights of a part.
    pub fn weights(&self, part: Role) -> u64 {
        self.of_part(part)
            .fold(0, |sum, line| sum.saturating_add(line.weights))
    }

    /// Bytes of a part.
    pub fn bytes(&self, part: Role) -> u64 {
        self.of_part(part)
            .fold(0, |sum, line| sum.saturating_add(line.bytes))
    }

    /// Bytes of everything.
    pub fn total(&self) -> u64 {
        self.lines
            .iter()
            .fold(0, |sum, line| sum.saturating_add(line.bytes))
    }

    fn of_part(&self, part: Role) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.part == part)
    }
}
