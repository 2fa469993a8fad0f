//! A hand-written layer after `torch.compile` where dropout acts on the adapters' inputs, or not every linear layer has an
//! adapter. Unsloth's fused functions take what is complete: queries, keys and values, the output, the MLP
//! (`unsloth/models/llama.py: patch_peft_model`); what is left runs as PEFT wrote it. Of a fused function with dropout the
//! input and the masks are kept, of an adapter of its own the dropped input.

mod backward;
mod forward;

use super::{CompiledShape, OP, Sizes};
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::{Inner, NONE};

/// A linear layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arm {
    pub inputs: u64,
    pub outputs: u64,
    /// Is its weight unpacked for every product?
    pub packed: bool,
    /// `lora_A` and `lora_B`.
    pub adapter: Option<[u32; 2]>,
    /// Are values of the adapter's input dropped?
    pub drops: bool,
}

impl Arm {
    fn reads_input(&self) -> bool {
        self.adapter.is_some() && !self.drops
    }
}

/// The linear layers: queries, keys, values, output, gate, up, down.
pub(super) type Arms = [Arm; 7];

/// Which groups run in fused functions: queries, keys and values, and the MLP. The output always does.
#[derive(Clone, Copy, Debug)]
struct Fused {
    qkv: bool,
    mlp: bool,
}

impl Fused {
    fn of(arms: &Arms, shape: &CompiledShape) -> Self {
        let all = |arms: &[Arm]| arms.iter().all(|arm| arm.adapter.is_some());
        Fused {
            qkv: all(&arms[..3]) && !shape.biases,
            mlp: all(&arms[4..]),
        }
    }
}

/// What an adapter keeps.
#[derive(Clone, Copy, Debug)]
struct Kept {
    /// Its matrices in the dtype of the layer.
    casts: [u32; 2],
    /// The product of its input with the first.
    inner: u32,
    /// The input with some values dropped.
    dropped: u32,
    /// Which values were.
    mask: u32,
}

const NOTHING: Kept = Kept {
    casts: [NONE; 2],
    inner: NONE,
    dropped: NONE,
    mask: NONE,
};

/// Tensors that the forward graph hands to the backward graph.
#[derive(Clone, Copy, Debug)]
pub(super) struct Saved {
    pub input: u32,
    norms: [u32; 2],
    reciprocals: [u32; 2],
    before_norms: [u32; 4],
    attention: [u32; 7],
    middle: u32,
    gate: u32,
    up: u32,
    product: u32,
    adapters: [Kept; 7],
}

/// Adapters' matrices and their gradients.
pub(super) type Gradients = Vec<(u32, u32)>;

impl Inner {
    fn unpack_arm(&mut self, z: &Sizes, arm: &Arm) -> u32 {
        match arm.packed {
            true => self.alloc(Layout::contiguous(&[arm.outputs, arm.inputs]), z.dtype, OP),
            false => NONE,
        }
    }

    /// The mask of an adapter's input, and the input with values dropped, which one kernel makes.
    fn drop_input(&mut self, z: &Sizes, arm: &Arm, kept: &mut Kept) {
        if arm.drops {
            kept.mask = self.alloc(Layout::contiguous(&[z.rows, arm.inputs]), Dtype::Bool, OP);
            kept.dropped = self.buffer(z, arm.inputs);
        }
    }

    /// A linear layer with its adapter. `own`: in the memory of the result of this width.
    fn project(&mut self, z: &Sizes, arm: &Arm, fused: bool, own: u32, kept: &mut Kept) -> u32 {
        let weight = self.unpack_arm(z, arm);
        let base = match own {
            NONE => self.buffer(z, arm.outputs),
            own => own,
        };
        if arm.adapter.is_some() {
            let first = self.part(z, arm.inputs);
            let inner = self.part(z, z.rows);
            if fused {
                let dropped = std::mem::replace(&mut kept.dropped, NONE);
                self.give_back([dropped]);
            }
            let second = self.part(z, arm.outputs);
            match fused {
                // Added in place; what the casts were is kept with dropout.
                true if arm.drops => {
                    kept.casts = [first, second];
                    self.release(inner);
                }
                true => self.give_back([first, inner, second]),
                false => {
                    let product = self.buffer(z, arm.outputs);
                    self.release(product);
                    kept.casts = [first, second];
                    kept.inner = inner;
                }
            }
        }
        self.give_back([weight]);
        base
    }
}
