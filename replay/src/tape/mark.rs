//! Going back to where a folding tape stood.

use super::Tape;
use super::inner::{NONE, Record, Sink, Storage};
use crate::segment::Fold;

/// A state of a folding tape, to go back to.
#[derive(Debug)]
pub struct Mark {
    fold: Fold,
    storages: Vec<Storage>,
    records: Vec<Record>,
    workspaces: [[bool; 2]; 2],
}

impl Tape {
    /// Remembers where a folding tape stands, between two steps.
    pub fn mark(&self) -> Mark {
        let inner = self.inner.borrow();
        Mark {
            fold: match &inner.sink {
                Sink::Fold(fold) => fold.clone(),
                Sink::List { .. } => Fold::default(),
            },
            storages: inner.storages.clone(),
            records: inner.records.clone(),
            workspaces: [inner.workspaces, inner.lt_workspaces],
        }
    }

    /// Goes back to where it stood. Handles made since must be gone.
    pub fn rewind(&self, mark: &Mark) {
        let inner = &mut *self.inner.borrow_mut();
        if let Sink::Fold(fold) = &mut inner.sink {
            fold.clone_from(&mark.fold);
        }
        inner.storages.clone_from(&mark.storages);
        inner.records.clone_from(&mark.records);
        [inner.workspaces, inner.lt_workspaces] = mark.workspaces;
        (inner.entry, inner.differ, inner.margin) = (NONE, false, 0);
    }
}
