//! The tokens of a micro-batch, and how they lie in rows.

use super::Plan;

impl Plan {
    /// Tokens of a micro-batch.
    pub fn tokens(&self) -> u64 {
        match self.lengths {
            Some(lengths) if self.padding_free => lengths.sum,
            _ => self.batch.saturating_mul(self.longest()),
        }
    }

    /// Tokens of the longest sequence of a micro-batch.
    fn longest(&self) -> u64 {
        self.lengths.map_or(self.seq, |lengths| lengths.longest)
    }

    /// Tokens of a row as the model sees it.
    pub fn row_length(&self) -> u64 {
        if self.padding_free {
            self.tokens()
        } else {
            self.longest()
        }
    }

    /// Sizes of a micro-batch's token ids: rows x tokens.
    pub fn rows(&self) -> [u64; 2] {
        match self.padding_free {
            true => [1, self.tokens()],
            false => [self.batch, self.longest()],
        }
    }

    /// Documents of a micro-batch.
    pub fn documents(&self) -> u64 {
        self.batch.saturating_mul(self.packing)
    }

    /// Unsloth's `max_seq_length`: what the model is loaded for.
    pub fn max_seq_length(&self) -> u64 {
        self.seq.max(512)
    }
}
