//! The forward graphs, without gradients and with them.

use super::{Arm, Arms, Fused, NOTHING, Saved};
use crate::dtype::Dtype;
use crate::kernels::fast_layer::{CompiledShape, OP, Sizes};
use crate::layout::Layout;
use crate::tape::{Inner, NONE};

impl Inner {
    /// The graph without gradients: Inductor packs what it needs into a few pools.
    pub(in crate::kernels::fast_layer) fn partial_inference(
        &mut self,
        z: &Sizes,
        shape: &CompiledShape,
        arms: &Arms,
    ) -> u32 {
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
    pub(in crate::kernels::fast_layer) fn partial_forward(
        &mut self,
        input: u32,
        z: &Sizes,
        shape: &CompiledShape,
        arms: &Arms,
    ) -> (u32, Saved) {
        let (h, q) = (z.hidden, z.queries);
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
        let attended = self.attend(z, shape, [queries, keys, values]);
        let reused = attended.reused;
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
            before_norms: attended.before_norms,
            attention: attended.saved,
            middle,
            gate,
            up,
            product,
            adapters: kept,
        };
        (out, saved)
    }
}
