//! Adapters in compiled code (`unsloth_zoo/compiler.py: patch_lora_forwards`): bf16 copies of the matrices and the inner
//! product are kept for backward; gradients are made narrow and cast to fp32.

use super::sizes::{Arm, Buffer, Sizes};
use crate::replay::Dtype;

/// What backward needs of an adapter: the casts of its matrices and the product of the input with the first.
pub struct Adapter<'t> {
    first: Buffer<'t>,
    inner: Buffer<'t>,
    second: Buffer<'t>,
    dropped: Option<Dropped<'t>>,
}

/// An adapter's input with some of its values dropped, and which they are. It is kept in place of the input.
pub struct Dropped<'t> {
    input: Buffer<'t>,
    mask: Buffer<'t>,
}

/// Gradients of an adapter's first and second matrix, in fp32.
pub type Gradients<'t> = Option<[Buffer<'t>; 2]>;

impl<'t> Sizes<'t> {
    /// The unpacked weight, where there is one to unpack.
    pub fn unpacked(&self, arm: &Arm) -> Option<Buffer<'t>> {
        self.unpacked_in(None, arm)
    }

    /// The unpacked weight, in the memory of another one of its size.
    pub fn unpacked_in(&self, spare: Option<Buffer<'t>>, arm: &Arm) -> Option<Buffer<'t>> {
        arm.packed.then(|| self.buffer_in(spare, arm.elements()))
    }

    /// What dropout makes of an adapter's input, for which one kernel runs behind what computes the input.
    pub fn dropped(&self, arm: &Arm) -> Option<Dropped<'t>> {
        arm.drops.then(|| Dropped {
            mask: self.buffer(self.tokens.saturating_mul(arm.inputs), Dtype::Bool),
            input: self.rows(arm.inputs),
        })
    }

    /// Seeds of a layer's dropouts, one for each adapter.
    pub fn seeds(&self, arms: &[Arm]) -> Option<Buffer<'t>> {
        let count = arms.iter().filter(|arm| arm.drops).count() as u64;
        (count > 0).then(|| self.buffer(count, Dtype::I64))
    }

    /// The adapter's part added to a product, in memory of its own; the product's memory is left over. Without an adapter
    /// the product is the result.
    pub fn adapted(
        &self,
        arm: &Arm,
        base: Buffer<'t>,
        dropped: Option<Dropped<'t>>,
    ) -> (Option<Adapter<'t>>, Buffer<'t>, Option<Buffer<'t>>) {
        let Some(rank) = arm.rank else {
            return (None, base, None);
        };
        let adapter = Adapter {
            first: self.buffer(rank.saturating_mul(arm.inputs), self.dtype),
            inner: self.rows(rank),
            second: self.buffer(rank.saturating_mul(arm.outputs), self.dtype),
            dropped,
        };
        (Some(adapter), self.rows(arm.outputs), Some(base))
    }
}

/// Buffers that adapters' backward passes hand from one to the next.
#[derive(Default)]
pub struct Spares<'t> {
    /// Tokens x rank.
    pub inner: Option<Buffer<'t>>,
    /// The gradient of a first matrix, once it is cast.
    pub first: Option<Buffer<'t>>,
    /// The gradient of a second matrix, once it is cast.
    pub second: Option<Buffer<'t>>,
    /// Masks of dropout, which are read once the gradients of one input are added.
    pub masks: Vec<Buffer<'t>>,
}

impl<'t> Spares<'t> {
    /// Gradients of an adapter's matrices, and what flows through it to its input, written into `into`. `input` is given
    /// where nothing else reads it afterwards.
    pub fn through(
        &mut self,
        s: &Sizes<'t>,
        arm: &Arm,
        adapter: Option<Adapter<'t>>,
        input: Option<Buffer<'t>>,
        into: Option<Buffer<'t>>,
    ) -> (Gradients<'t>, Option<Buffer<'t>>) {
        let (Some(adapter), Some(rank)) = (adapter, arm.rank) else {
            return (None, into);
        };
        let inner = s.rows_in(self.inner.take(), rank);
        drop(adapter.second);
        let outputs = rank.saturating_mul(arm.outputs);
        self.second = Some(s.buffer_in(self.second.take(), outputs));
        drop(adapter.inner);
        let second = s.buffer(outputs, Dtype::F32);
        let inputs = rank.saturating_mul(arm.inputs);
        self.first = Some(s.buffer_in(self.first.take(), inputs));
        drop(input);
        if let Some(Dropped { input, mask }) = adapter.dropped {
            drop(input);
            self.masks.push(mask);
        }
        let through = s.rows_in(into, arm.inputs);
        drop(adapter.first);
        let first = s.buffer(inputs, Dtype::F32);
        self.inner = Some(inner);
        (Some([first, second]), Some(through))
    }
}
