//! Tensors that one layer leaves to others in a dictionary that all checkpoints of a forward pass hold
//! (`shared_kv_states`, `transformers/models/gemma4/modeling_gemma4.py: Gemma4TextModel.forward`).

use crate::tape::{Group, Inner, NONE, Tape, Tensor};

/// A dictionary: who holds it, and what is in it.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    holders: u32,
    entries: Vec<Entry>,
}

/// What stands under a key: keys, values, and what their graph saved.
#[derive(Debug)]
struct Entry {
    key: u8,
    group: Group,
    pair: [u32; 2],
    graph: Vec<u32>,
    /// Made by a reentrant checkpoint that still runs: its graph ends in the layer's input.
    fresh: bool,
}

/// Holds a dictionary.
#[derive(Debug)]
pub struct Lent<'t> {
    tape: &'t Tape,
    index: u32,
}

impl Clone for Lent<'_> {
    fn clone(&self) -> Self {
        self.tape.inner.borrow_mut().hold_dictionary(self.index);
        Lent {
            tape: self.tape,
            index: self.index,
        }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.tape.inner.borrow_mut().leave_dictionary(self.index);
    }
}

impl Tape {
    /// A new dictionary, empty. The checkpoints of the layers that follow hold it.
    pub fn dictionary(&self) -> Lent<'_> {
        let mut inner = self.inner.borrow_mut();
        inner.dictionaries.push(Dictionary::default());
        let index = inner.dictionaries.len() as u32 - 1;
        inner.dictionary = index;
        inner.hold_dictionary(index);
        Lent { tape: self, index }
    }

    /// The layers are left: checkpoints of other layers hold nothing of it.
    pub fn close_dictionary(&self) {
        self.inner.borrow_mut().dictionary = NONE;
    }

    /// How many tensors the layer that is run again has saved so far.
    pub fn saved_again(&self) -> usize {
        let inner = self.inner.borrow();
        let frame = inner.frames.get(inner.recomputing as usize);
        frame.map_or(0, |frame| frame.recomputed.len())
    }

    /// Leaves `pair` under a key in the newest dictionary, in place of what stood there. Where a layer is run again, the
    /// graph of the pair lives on with what it has saved: the tensors of these numbers.
    pub fn lend(&self, key: u8, pair: [&Tensor<'_>; 2], saved: &[std::ops::Range<usize>]) {
        let mut inner = self.inner.borrow_mut();
        let inner = &mut *inner;
        let graph: Vec<u32> = match inner.frames.get(inner.recomputing as usize) {
            Some(frame) => saved
                .iter()
                .flat_map(|range| frame.recomputed.get(range.clone()).unwrap_or_default())
                .copied()
                .filter(|&id| id != NONE)
                .collect(),
            None => Vec::new(),
        };
        for &id in graph.iter().chain(&pair.map(|tensor| tensor.id)) {
            inner.retain(id);
        }
        let entry = Entry {
            key,
            group: inner.group,
            pair: pair.map(|tensor| tensor.id),
            graph,
            fresh: inner.in_recompute && inner.recomputing == NONE,
        };
        let Some(newest) = inner.dictionaries.last_mut() else {
            return;
        };
        let old = match newest.entries.iter_mut().find(|entry| entry.key == key) {
            Some(place) => Some(std::mem::replace(place, entry)),
            None => {
                newest.entries.push(entry);
                None
            }
        };
        if let Some(old) = old {
            inner.drop_entry(old);
        }
    }

    /// What stands under a key of the newest dictionary.
    pub fn lent(&self, key: u8) -> Option<[Tensor<'_>; 2]> {
        let mut inner = self.inner.borrow_mut();
        let entries = &inner.dictionaries.last()?.entries;
        let pair = entries.iter().find(|entry| entry.key == key)?.pair;
        Some(pair.map(|id| Tensor {
            tape: self,
            id: inner.retain(id),
        }))
    }
}

impl Inner {
    /// One more holds a dictionary.
    pub fn hold_dictionary(&mut self, index: u32) {
        if let Some(dictionary) = self.dictionaries.get_mut(index as usize) {
            dictionary.holders += 1;
        }
    }

    /// One less holds a dictionary; nobody: it is dropped.
    pub fn leave_dictionary(&mut self, index: u32) {
        let Some(dictionary) = self.dictionaries.get_mut(index as usize) else {
            return;
        };
        dictionary.holders -= 1;
        if dictionary.holders == 0 {
            for entry in std::mem::take(&mut dictionary.entries) {
                self.drop_entry(entry);
            }
        }
    }

    /// A reentrant checkpoint ends: the graph of what its layer has just left in the dictionary holds the layer's input,
    /// a leaf, with its gradient (`AccumulateGrad::variable`).
    pub fn lend_leaf(&mut self, input: u32, grad: u32) {
        let Some(entry) = (self.dictionaries.last_mut())
            .and_then(|newest| newest.entries.iter_mut().find(|entry| entry.fresh))
        else {
            return;
        };
        entry.fresh = false;
        let held = [input, grad].into_iter().filter(|&id| id != NONE);
        entry.graph.extend(held.clone());
        for id in held {
            self.retain(id);
        }
    }

    fn drop_entry(&mut self, entry: Entry) {
        let group = self.group;
        self.enter_group(entry.group);
        for id in entry.pair.into_iter().chain(entry.graph) {
            self.release(id);
        }
        self.enter_group(group);
    }
}
