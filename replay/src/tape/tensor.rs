//! Handles of tensors.

use super::{NONE, Tape};
use crate::category::Category;
use crate::dtype::Dtype;
use crate::layout::Layout;

/// A tensor on the tape. Its memory is freed when the last handle, saved reference and view of it is gone.
#[derive(Debug)]
pub struct Tensor<'t> {
    pub(crate) tape: &'t Tape,
    pub(crate) id: u32,
}

impl Clone for Tensor<'_> {
    fn clone(&self) -> Self {
        self.tape.inner.borrow_mut().records[self.id as usize].refs += 1;
        Tensor {
            tape: self.tape,
            id: self.id,
        }
    }
}

impl Drop for Tensor<'_> {
    fn drop(&mut self) {
        self.tape.inner.borrow_mut().release(self.id);
    }
}

impl<'t> Tensor<'t> {
    /// The handle of another tensor of its tape, which nobody holds yet.
    #[inline]
    pub(crate) fn beside(&self, id: u32) -> Tensor<'t> {
        Tensor { tape: self.tape, id }
    }

    /// The tape it lives on.
    pub fn tape(&self) -> &'t Tape {
        self.tape
    }

    /// Its sizes and strides.
    pub fn layout(&self) -> Layout {
        self.tape.inner.borrow().records[self.id as usize].layout
    }

    /// Its element type.
    pub fn dtype(&self) -> Dtype {
        self.tape.inner.borrow().records[self.id as usize].dtype
    }

    /// Does it need a gradient?
    pub fn requires_grad(&self) -> bool {
        self.tape.inner.borrow().records[self.id as usize].requires_grad
    }

    /// Makes a leaf collect a gradient.
    pub fn set_requires_grad(&self, on: bool) {
        self.tape.inner.borrow_mut().records[self.id as usize].requires_grad = on;
    }

    /// Has it a gradient?
    pub fn has_grad(&self) -> bool {
        self.tape.inner.borrow().records[self.id as usize].grad != NONE
    }

    /// Drops its gradient (`zero_grad(set_to_none=True)`).
    pub fn drop_grad(&self) {
        let mut inner = self.tape.inner.borrow_mut();
        let grad = std::mem::replace(&mut inner.records[self.id as usize].grad, NONE);
        if grad != NONE {
            inner.release(grad);
        }
    }

    /// Says what its memory is.
    pub fn set_category(&self, category: Category) {
        self.tape.inner.borrow_mut().set_category(self.id, category);
    }

    /// `tensor.data = tensor.data.to(dtype)`: as [`Tensor::convert_in_place`], of a tensor that others hold as well.
    pub fn convert_data(&self, dtype: Dtype, category: Category) {
        if self.dtype() == dtype {
            return;
        }
        let layout = self.layout().dense();
        let mut inner = self.tape.inner.borrow_mut();
        let id = inner.alloc(layout, dtype, "to");
        inner.set_category(id, category);
        let storage = std::mem::replace(&mut inner.records[id as usize].storage, NONE);
        let (record, old) = (self.id as usize, id as usize);
        inner.records[old].storage = std::mem::replace(&mut inner.records[record].storage, storage);
        inner.records[record].dtype = dtype;
        inner.release(id);
    }

    /// `tensor.to(dtype)` outside autograd in the sense of `param.data = param.data.to(dtype)`: the new tensor is made,
    /// then the old memory is dropped, the handle stays.
    pub fn convert_in_place(&mut self, dtype: Dtype, category: Category) {
        if self.dtype() == dtype {
            return;
        }
        let (layout, requires_grad) = (self.layout(), self.requires_grad());
        let mut inner = self.tape.inner.borrow_mut();
        let id = inner.alloc(Layout::contiguous(layout.shape()), dtype, "to");
        inner.set_category(id, category);
        inner.records[id as usize].requires_grad = requires_grad;
        inner.release(self.id);
        self.id = id;
    }
}
