//! The largest accepted numbers. They are far above any run, and low enough that no product of them overflows in the
//! replay's 64-bit arithmetic (validation checks the products that are not bounded by these alone).

use super::FieldError;

/// A bound and the reason for it.
pub(super) struct Limit {
    /// The largest accepted value; the least is 1.
    pub most: u64,
    why: &'static str,
}

/// Sequences per micro-batch.
pub(super) const BATCH: Limit = Limit {
    most: 65_536,
    why: "no card holds more sequences",
};
/// Tokens per sequence.
pub(super) const SEQ: Limit = Limit {
    most: 4_194_304,
    why: "no card trains on longer sequences",
};
/// Tokens per micro-batch.
pub(super) const TOKENS: Limit = Limit {
    most: 16_777_216,
    why: "batch x seq is the number of tokens on the card at once, and no card holds more",
};
/// Micro-batches per optimizer step.
pub(super) const GRAD_ACCUM: Limit = Limit {
    most: 65_536,
    why: "more micro-batches need no more memory",
};
/// Rank of adapters.
pub(super) const RANK: Limit = Limit {
    most: 65_536,
    why: "no layer is wider, and a rank above the width adds nothing",
};
/// The bytes of weights, states and activations together.
pub(super) const BYTES: u128 = 1 << 60;

impl Limit {
    /// The limit of a field, for those that are counts.
    pub fn of(field: &str) -> Self {
        match field {
            "batch" => BATCH,
            "seq" | "lengths" => SEQ,
            "grad_accum" => GRAD_ACCUM,
            "packing" => BATCH,
            _ => RANK,
        }
    }

    /// # Errors
    /// The value is zero or above the limit.
    pub fn check(&self, field: &str, value: u64) -> Result<u64, FieldError> {
        match value {
            0 => Err(FieldError::new(
                field,
                format!("must be at least 1 and at most {}", self.most),
            )),
            _ if value > self.most => Err(FieldError::new(
                field,
                format!("{value} is above {}: {}", self.most, self.why),
            )),
            _ => Ok(value),
        }
    }
}
