//! `DynamicCache` (`transformers/cache_utils.py`): keys and values that the model returns beside its logits.

use crate::replay::{Dtype, Group, Tape, Tensor};
use std::cell::RefCell;

/// Keys and values by layer, for as long as the model's output lives.
#[derive(Debug)]
pub struct Cache<'t> {
    tape: &'t Tape,
    layers: RefCell<Vec<(Group, Vec<Tensor<'t>>)>>,
}

impl<'t> Cache<'t> {
    /// An empty cache.
    pub fn new(tape: &'t Tape) -> Self {
        Cache {
            tape,
            layers: RefCell::default(),
        }
    }

    /// `DynamicLayer.update`: keys and values are appended to those of before, which are none.
    /// `DynamicSlidingWindowLayer` keeps a view of them, and its width on the GPU.
    pub fn update(&self, key: &Tensor<'t>, value: &Tensor<'t>, windowed: bool) -> (Tensor<'t>, Tensor<'t>) {
        let width = windowed.then(|| self.tape.temporary(&[], Dtype::I64, "to"));
        // Both begin empty, in the dtype of the keys (`lazy_initialization`).
        let dtype = key.dtype();
        let (key, value) = (key.cat_with_nothing(dtype), value.cat_with_nothing(dtype));
        let held = [key.clone(), value.clone()].into_iter().chain(width);
        self.layers.borrow_mut().push((self.tape.group(), held.collect()));
        (key, value)
    }
}

impl Drop for Cache<'_> {
    fn drop(&mut self) {
        let outer = self.tape.group();
        for (group, layer) in self.layers.get_mut().drain(..) {
            self.tape.enter_group(group);
            drop(layer);
        }
        self.tape.enter_group(outer);
    }
}
