//! Memory of one tape for the next.

use super::Tape;
use super::inner::{Record, Storage};
use crate::autograd::graph::Node;

/// Memory of a tape that the next one uses again.
#[derive(Default)]
pub(super) struct Arena {
    pub storages: Vec<Storage>,
    pub records: Vec<Record>,
    pub nodes: Vec<Node>,
}

thread_local! {
    static ARENA: std::cell::Cell<Arena> = std::cell::Cell::default();
}

impl Arena {
    /// What the last tape left.
    pub fn take() -> Self {
        ARENA.with(std::cell::Cell::take)
    }
}

/// Storages that an arena keeps room for; more is given back.
const ARENA_ROOM: usize = 1 << 16;

impl Drop for Tape {
    fn drop(&mut self) {
        let inner = self.inner.get_mut();
        let mut arena = Arena {
            storages: std::mem::take(&mut inner.storages),
            records: std::mem::take(&mut inner.records),
            nodes: std::mem::take(&mut inner.nodes),
        };
        if arena.storages.capacity() <= ARENA_ROOM {
            arena.storages.clear();
            arena.records.clear();
            arena.nodes.clear();
            ARENA.with(|kept| kept.set(arena));
        }
    }
}
