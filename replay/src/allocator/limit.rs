//! Device memory for the allocator, and what it has been asked to hold.

/// The device memory of a run. How a run goes depends on the answers of [`Limit::holds`] alone, so it goes the same way with
/// every capacity from [`Limit::held`] up to, but without, [`Limit::refused`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    capacity: u64,
    /// The most that it held when asked.
    pub held: u64,
    /// The least that it did not.
    pub refused: u64,
}

impl Default for Limit {
    fn default() -> Self {
        Limit::new(None)
    }
}

impl Limit {
    /// This much memory, unlimited with `None`.
    pub fn new(capacity: Option<u64>) -> Self {
        Limit {
            capacity: capacity.unwrap_or(u64::MAX),
            held: 0,
            refused: u64::MAX,
        }
    }

    /// From here on there is this much.
    pub fn set(&mut self, capacity: u64) {
        self.capacity = capacity;
    }

    /// Is there memory for this much in all?
    pub fn holds(&mut self, bytes: u64) -> bool {
        let holds = bytes <= self.capacity;
        if holds {
            self.held = self.held.max(bytes);
        } else {
            self.refused = self.refused.min(bytes);
        }
        holds
    }
}
