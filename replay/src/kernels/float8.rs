//! Products of matrices in 8-bit floats, each with one scale found anew (`torchao/float8/float8_linear.py:
//! matmul_with_hp_or_float8_args`, `float8_scaling_utils.py`, `float8_ops.py`).

use crate::autograd::grad::{Gradient, LinearGrad};
use crate::autograd::graph::MAX_EDGES;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::{Inner, NONE, Tensor};

const OP: &str = "matmul_with_hp_or_float8_args";
/// A scale while it is worked out is a double.
const DOUBLE: u64 = 8;

impl<'t> Tensor<'t> {
    /// `matmul_with_hp_or_float8_args.apply(self, weight.t(), ...)`, tensorwise.
    pub fn float8_linear(&self, weight: &Tensor<'t>) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let ids = [self.id, weight.id];
        let (x, w) = (
            inner.records[self.id as usize].layout,
            inner.records[weight.id as usize].layout,
        );
        let dtypes = ids.map(|id| inner.records[id as usize].dtype);
        let (outputs, inputs) = (w.shape()[0], w.last());
        let rows = x.numel() / inputs.max(1);
        let node = inner.records_grad(&ids).then(|| {
            let op = LinearGrad {
                rows,
                inputs,
                outputs,
                bias: false,
                flattened: x.shape().len() > 2,
            };
            inner.node(
                Gradient::Float8(op),
                "matmul_with_hp_or_float8_argsBackward",
                &ids,
            )
        });
        let input = inner.cast_to_float8(x, dtypes[0]);
        let weight8 = inner.cast_to_float8(w.transposed(0, 1), dtypes[1]);
        let out = inner.scaled_mm(x.with_last(outputs), dtypes[0], [0, 0]);
        for scratch in weight8.into_iter().chain(input) {
            inner.free_scratch(scratch);
        }
        if let Some(node) = node {
            inner.set_node(out, node, 0);
            // `save_for_backward` keeps its arguments when forward has returned.
            inner.save(node, 0, weight.id);
            inner.save(node, 1, self.id);
        }
        self.beside(out)
    }
}

impl Inner {
    /// `hp_tensor_to_float8_dynamic`: the scratch of its data and scale, which the caller frees.
    fn cast_to_float8(&mut self, layout: Layout, dtype: Dtype) -> [u32; 2] {
        let n = layout.numel();
        // torch.max(torch.abs(x)): a tensor that is not in rows is copied.
        let magnitudes = self.scratch(n.saturating_mul(dtype.size()), OP);
        let largest = self.scratch(dtype.size(), OP);
        let copy = match layout.is_contiguous() {
            true => NONE,
            false => self.scratch(n.saturating_mul(dtype.size()), OP),
        };
        self.whole_max(n, dtype);
        self.free_scratch(copy);
        self.free_scratch(magnitudes);
        // amax_to_scale
        let wide = [(); 4].map(|()| self.scratch(DOUBLE, OP));
        self.free_scratch(wide[2]);
        self.free_scratch(wide[1]);
        let scale = self.scratch(Dtype::F32.size(), OP);
        for scratch in [wide[3], wide[0], largest] {
            self.free_scratch(scratch);
        }
        // _ToFloat8ConstrFunc
        let fp32 = n.saturating_mul(Dtype::F32.size());
        let cast = match dtype {
            Dtype::F32 => NONE,
            _ => self.scratch(fp32, OP),
        };
        let scaled = self.scratch(fp32, OP);
        self.free_scratch(cast);
        let clamped = self.scratch(fp32, OP);
        let data = self.scratch(n, OP);
        self.free_scratch(clamped);
        self.free_scratch(scaled);
        [data, scale]
    }

    /// `float8_mm`: operands that are not as the kernel wants them are copied, these bytes of each.
    fn scaled_mm(&mut self, out: Layout, dtype: Dtype, copies: [u64; 2]) -> u32 {
        let copies = copies.map(|bytes| self.scratch(bytes, OP));
        let scales = [(); 2].map(|()| self.scratch(Dtype::F32.size(), OP));
        let out = self.alloc(out, dtype, OP);
        self.touch_lt_workspace();
        for scratch in scales.into_iter().chain(copies) {
            self.free_scratch(scratch);
        }
        out
    }

    /// The input's gradient, then the weight's, whether they are wanted or not; everything is cast again for each.
    pub(crate) fn float8_gradients(&mut self, node: u32, g: u32, l: LinearGrad, out: &mut [u32; MAX_EDGES]) {
        let inputs = self.nodes[node as usize].inputs;
        let flat = self.reshape_gradient(g, &[l.rows, l.outputs]);
        let dtype = self.records[flat as usize].dtype;
        let grad = self.records[flat as usize].layout;
        let saved = [0, 1].map(|slot| self.saved(node, slot));
        let [weight, x] = saved.map(|id| match id {
            NONE => (grad, dtype),
            id => (self.records[id as usize].layout, self.records[id as usize].dtype),
        });

        let mut held = self.cast_to_float8(grad, dtype).to_vec();
        held.extend(self.cast_to_float8(weight.0.transposed(0, 1), weight.1));
        let rows = Layout::contiguous(&[l.rows, l.inputs]);
        let gx = self.scaled_mm(rows, dtype, [0, weight.0.numel()]);
        held.extend(self.cast_to_float8(grad, dtype));
        held.extend(self.cast_to_float8(rows, x.1));
        let gw = self.scaled_mm(weight.0.dense(), dtype, [grad.numel(), x.0.numel()]);
        for scratch in held {
            self.free_scratch(scratch);
        }
        self.release(flat);

        match self.input(inputs[0]) {
            Some(input) if l.flattened => {
                out[0] = self.alias(gx, input.layout.dense(), true);
                self.release(gx);
            }
            Some(_) => out[0] = gx,
            None => self.release(gx),
        }
        match self.input(inputs[1]) {
            Some(_) => {
                self.records[gw as usize].view = true;
                out[1] = gw;
            }
            None => self.release(gw),
        }
    }
}
