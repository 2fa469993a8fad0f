//! A hand-written layer after `torch.compile` where dropout acts on the adapters' inputs, or not every linear layer has an
//! adapter. Unsloth's fused functions take what is complete: queries, keys and values, the output, the MLP
//! (`unsloth/models/llama.py: patch_peft_model`); what is left runs as PEFT wrote it. Of a fused function with dropout the
//! input and the masks are kept, of an adapter of its own the dropped input.

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
            self.give_back(
                [std::mem::replace(&mut kept.dropped, NONE)].map(|id| match fused {
                    true => id,
                    false => {
                        kept.dropped = id;
                        NONE
                    }
                }),
            );
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

    /// The graph without gradients: Inductor packs what it needs into a few pools.
    pub(super) fn partial_inference(&mut self, z: &Sizes, shape: &CompiledShape, arms: &Arms) -> u32 {
        let widest = if arms[4].packed { arms[4].inputs } else { 0 };
        let pool = |inner: &mut Inner, width: u64| {
            let elements = (z.rows * width).max(widest * z.width);
            inner.alloc(Layout::contiguous(&[elements]), z.dtype, OP)
        };
        let out = self.buffer(z, z.hidden);
        let first = pool(self, z.width.max(z.queries + 2 * z.keys));
        let second = pool(self, z.width.max(2 * z.queries));
        let attended = self.flash_results(z, &shape.attention);
        self.touch_workspace();
        if shape.biases {
            self.touch_lt_workspace();
        }
        self.give_back([attended[3], attended[2], attended[1]]);
        let projected = self.buffer(z, z.hidden);
        self.release(attended[0]);
        let third = match arms.iter().any(|arm| arm.drops) {
            true => pool(self, z.width),
            false => pool(self, z.hidden),
        };
        self.give_back([second, first, third, projected]);
        out
    }

    /// The graph with gradients: the output, and what is saved.
    pub(super) fn partial_forward(
        &mut self,
        input: u32,
        z: &Sizes,
        shape: &CompiledShape,
        arms: &Arms,
    ) -> (u32, Saved) {
        let (h, q, k) = (z.hidden, z.queries, z.keys);
        let fused = Fused::of(arms, shape);
        let mut kept = [NOTHING; 7];
        let mut norms = [self.buffer(z, h), NONE];
        let mut reciprocals = [self.fp32(z.rows), NONE];
        let drops = arms.iter().filter(|arm| arm.drops).count() as u64;
        let seeds = match drops {
            0 => NONE,
            n => self.alloc(Layout::contiguous(&[n]), Dtype::I64, OP),
        };
        for i in 0..3 {
            self.drop_input(z, &arms[i], &mut kept[i]);
        }
        self.touch_workspace();
        if shape.biases {
            self.touch_lt_workspace();
        }
        let [queries, keys, values] =
            [0, 1, 2].map(|i| self.project(z, &arms[i], fused.qkv, NONE, &mut kept[i]));
        if !(fused.qkv || arms[..3].iter().any(Arm::reads_input)) {
            self.release(std::mem::replace(&mut norms[0], NONE));
        }
        let mut turned = [self.buffer(z, q), self.buffer(z, k)];
        let mut before_norms = [NONE; 4];
        let mut reused = NONE;
        if shape.head_norms {
            let s = &shape.attention;
            let of_heads = [s.heads, s.kv_heads].map(|heads| self.fp32(z.rows * heads));
            before_norms = [queries, keys, of_heads[0], of_heads[1]];
        } else {
            self.release(keys);
            reused = queries;
        }
        let mut values = values;
        if shape.repeats() {
            for one in [&mut turned[1], &mut values] {
                self.release(*one);
                *one = self.buffer(z, q);
            }
        }
        let attended = self.flash_results(z, &shape.attention);
        self.drop_input(z, &arms[3], &mut kept[3]);
        let own = match reused {
            queries if q == h => queries,
            _ => NONE,
        };
        let middle = self.project(z, &arms[3], true, own, &mut kept[3]);
        if reused != own {
            self.give_back([reused]);
        }
        norms[1] = self.buffer(z, h);
        reciprocals[1] = self.fp32(z.rows);
        for i in [4, 5] {
            self.drop_input(z, &arms[i], &mut kept[i]);
        }
        let [gate, up] = [4, 5].map(|i| self.project(z, &arms[i], fused.mlp, NONE, &mut kept[i]));
        let mut out = NONE;
        if !(fused.mlp || arms[4..6].iter().any(Arm::reads_input)) {
            // The last product takes its memory.
            out = std::mem::replace(&mut norms[1], NONE);
        }
        let mut product = self.buffer(z, z.width);
        self.drop_input(z, &arms[6], &mut kept[6]);
        if self.in_recompute && !fused.mlp {
            let weight = self.unpack_arm(z, &arms[6]);
            self.generated_kernel();
            self.give_back([weight]);
        }
        self.give_back([seeds]);
        out = self.project(z, &arms[6], fused.mlp, out, &mut kept[6]);
        if fused.mlp || !arms[6].reads_input() {
            self.release(std::mem::replace(&mut product, NONE));
        }
        if fused.mlp {
            let sum = self.buffer(z, h);
            self.release(std::mem::replace(&mut out, sum));
        }
        let saved = Saved {
            input: self.retain(input),
            norms,
            reciprocals,
            before_norms,
            attention: [
                turned[0],
                turned[1],
                values,
                attended[0],
                attended[1],
                attended[2],
                attended[3],
            ],
            middle,
            gate,
            up,
            product,
            adapters: kept,
        };
        (out, saved)
    }

    /// Gradients of an adapter's matrices, each beside its half in the dtype of the layer.
    fn arm_gradients(&mut self, z: &Sizes, arms: &[Arm], gradients: &mut Gradients) {
        for arm in arms {
            let Some([a, b]) = arm.adapter else { continue };
            for (leaf, shape) in [(a, [z.rank, arm.inputs]), (b, [arm.outputs, z.rank])] {
                let half = self.part(z, shape[0] * shape[1] / z.rank.max(1));
                gradients.push((leaf, self.alloc(Layout::contiguous(&shape), Dtype::F32, OP)));
                self.release(half);
            }
        }
    }

    /// Backward through an adapter that runs as PEFT wrote it: what flows to its input.
    fn through_arm(&mut self, z: &Sizes, arm: &Arm, kept: &mut Kept, gradients: &mut Gradients) -> u32 {
        if arm.adapter.is_none() {
            return NONE;
        }
        let inner = self.part(z, z.rows);
        self.arm_gradients(z, std::slice::from_ref(arm), gradients);
        self.give_back([kept.casts[1], kept.inner, kept.dropped]);
        let through = self.buffer(z, arm.inputs);
        self.give_back([kept.casts[0], inner]);
        through
    }

    /// Gradients of what goes into the MLP, of which the incoming one is not this graph's.
    fn partial_mlp_backward(
        &mut self,
        z: &Sizes,
        fused: bool,
        arms: &Arms,
        saved: &mut Saved,
        gradients: &mut Gradients,
    ) -> u32 {
        let [.., gate_arm, up_arm, down_arm] = arms;
        let [.., of_gate, of_up, of_down] = &mut saved.adapters;
        if fused {
            let weight = self.unpack_arm(z, down_arm);
            let incoming = self.buffer(z, z.width);
            self.touch_workspace();
            self.give_back([weight]);
            let reduced = self.part(z, z.rows);
            let through = match down_arm.drops {
                true => self.buffer(z, z.width),
                false => self.part(z, z.width),
            };
            let [product, d_up, d_gate] = [0, 1, 2].map(|_| self.buffer(z, z.width));
            self.generated_kernel();
            self.give_back([saved.gate, saved.up, incoming, through, of_down.mask]);
            self.release(product);
            self.give_back([reduced]);
            let dropped =
                [gate_arm, up_arm].map(|arm| if arm.drops { self.buffer(z, z.hidden) } else { NONE });
            let own = if up_arm.drops {
                self.buffer(z, z.hidden)
            } else {
                NONE
            };
            self.arm_gradients(z, &arms[4..], gradients);
            let weight = self.unpack_arm(z, up_arm);
            self.give_back(dropped);
            let gradient = self.buffer(z, z.hidden);
            self.give_back([d_up, weight]);
            self.give_back([d_gate, own]);
            self.give_back([of_gate.mask, of_up.mask]);
            for kept in [of_gate, of_up, of_down] {
                self.give_back(kept.casts);
            }
            return gradient;
        }
        let through = self.through_arm(z, down_arm, of_down, gradients);
        let weight = self.unpack_arm(z, down_arm);
        let incoming = self.buffer(z, z.width);
        self.touch_workspace();
        // Without an adapter nothing comes before the next product, whose weight is unpacked ahead.
        let ahead = match up_arm.adapter {
            None => weight,
            Some(_) => {
                self.give_back([weight]);
                NONE
            }
        };
        let d_up = self.buffer(z, z.width);
        self.kernel_in_place(z.rows * z.width * z.dtype.size());
        self.give_back([saved.gate, incoming, through, of_down.mask, saved.product]);
        let through_up = self.through_arm(z, up_arm, of_up, gradients);
        let weight = match ahead {
            NONE => self.unpack_arm(z, up_arm),
            ahead => ahead,
        };
        let from_up = self.buffer(z, z.hidden);
        self.give_back([d_up, weight]);
        let through_gate = self.through_arm(z, gate_arm, of_gate, gradients);
        let weight = self.unpack_arm(z, gate_arm);
        let from_gate = self.buffer(z, z.hidden);
        self.give_back([saved.up, weight]);
        self.give_back([through_up, through_gate, from_gate, of_gate.mask, of_up.mask]);
        from_up
    }

    /// The backward graph: the gradient of the input, and those of the adapters.
    pub(super) fn partial_backward(
        &mut self,
        z: &Sizes,
        shape: &CompiledShape,
        arms: &Arms,
        mut saved: Saved,
    ) -> (u32, Gradients) {
        let (h, q, k) = (z.hidden, z.queries, z.keys);
        let fused = Fused::of(arms, shape);
        let mut gradients = Gradients::new();
        let mut gradient = self.partial_mlp_backward(z, fused.mlp, arms, &mut saved, &mut gradients);
        let out = self.buffer(z, h);
        self.give_back([saved.norms[1], saved.reciprocals[1], saved.middle]);
        // Attention.
        let of_output = &mut saved.adapters[3];
        let dropped = [0, 1].map(|_| if arms[3].drops { self.buffer(z, q) } else { NONE });
        let weight = self.unpack_arm(z, &arms[3]);
        self.arm_gradients(z, &arms[3..4], &mut gradients);
        self.give_back(of_output.casts);
        self.give_back([of_output.mask, dropped[0]]);
        if q != h {
            let own = self.buffer(z, q);
            self.release(gradient);
            gradient = own;
        }
        let turned = match shape.efficient {
            true => self.efficient_input_gradients(shape.attention),
            false => self.compiled_attention_gradients(z, &shape.attention),
        };
        self.give_back([gradient, dropped[1]]);
        let [queries, keys, values, attended, lse, state, unused] = saved.attention;
        self.give_back([keys, attended, lse, state, unused, values]);
        let [d_queries, d_keys, d_values] = turned;
        let turned_back = self.buffer(z, k);
        let summed = if shape.repeats() { self.buffer(z, k) } else { NONE };
        self.release(d_keys);
        if shape.head_norms {
            let own = self.buffer(z, q);
            self.give_back(saved.before_norms);
            self.release(own);
        }
        self.release(queries);
        self.give_back([weight]);
        // What flows back through three weights and, outside of a fused function, as many adapters is added at the end.
        let [of_queries, of_keys, of_values, ..] = &mut saved.adapters;
        if fused.qkv {
            let dropped = [0, 1, 2].map(|i| if arms[i].drops { self.buffer(z, h) } else { NONE });
            let weight = self.unpack_arm(z, &arms[1]);
            self.give_back([weight]);
            self.give_back(dropped);
            self.arm_gradients(z, &arms[..3], &mut gradients);
            self.give_back([of_queries.mask, of_keys.mask, of_values.mask]);
            for kept in [of_queries, of_keys, of_values] {
                self.give_back(kept.casts);
            }
            self.give_back([turned_back, summed, d_values]);
        } else {
            let mut flows = Vec::new();
            for (i, kept) in [(2, of_values), (1, of_keys), (0, of_queries)] {
                flows.push(self.through_arm(z, &arms[i], kept, &mut gradients));
                let weight = self.unpack_arm(z, &arms[i]);
                flows.push(self.buffer(z, h));
                self.give_back([weight]);
                flows.push(kept.mask);
            }
            self.give_back([turned_back, summed, d_values]);
            for flow in flows {
                self.give_back([flow]);
            }
        }
        self.give_back([saved.norms[0], saved.reciprocals[0], d_queries]);
        (out, gradients)
    }
}
