//! The backward graph.

use super::{Arm, Arms, Fused, Gradients, Kept, Saved};
use crate::dtype::Dtype;
use crate::kernels::fast_layer::{CompiledShape, OP, Sizes};
use crate::layout::Layout;
use crate::tape::{Inner, NONE};

impl Inner {
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
    pub(in crate::kernels::fast_layer) fn partial_backward(
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
