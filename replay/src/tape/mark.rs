//! Going back to where a folding tape stood, and what it did from there on.

use super::Tape;
use super::inner::{NONE, Record, Sink, Storage};
use crate::script::{Play, Script};
use crate::segment::Fold;

/// A state of a folding tape, to go back to.
#[derive(Debug)]
pub struct Mark {
    fold: Fold,
    storages: Vec<Storage>,
    records: Vec<Record>,
    workspaces: [[bool; 2]; 2],
}

impl Mark {
    /// The runs from here on with batches between those of these scripts: of the first, of the next batch, and of the last,
    /// which is so far `apart` from the first. Nothing where it is not sure that they all do the same with sizes that are
    /// lines over the batch.
    pub fn play(&self, scripts: [&Script; 3], apart: u64) -> Option<Play> {
        let standing = self.storages.iter().map(|storage| storage.bytes).collect();
        Script::play(scripts, apart, &self.fold, standing)
    }
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

    /// From here on, what the tape does is written down.
    pub fn write_script(&self) {
        self.inner.borrow_mut().script = Some(Script::default());
    }

    /// What the tape did since [`Tape::write_script`]; nothing where layers turned out to differ that were taken for alike.
    pub fn take_script(&self) -> Option<Script> {
        let mut inner = self.inner.borrow_mut();
        let margin = inner.margin;
        let script = inner.script.take().filter(|_| !inner.differ)?;
        Some(Script { margin, ..script })
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
