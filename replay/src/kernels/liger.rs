//! Liger's fused operations (`liger_kernel/ops`): their backward passes write into what they were given.

use crate::autograd::grad::Gradient;
use crate::autograd::graph::{MAX_EDGES, MAX_OUTPUTS};
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::{Inner, NONE, Tensor};

impl<'t> Tensor<'t> {
    fn made(&self, id: u32) -> Tensor<'t> {
        Tensor { tape: self.tape, id }
    }

    /// `LigerRMSNormFunction` (`rms_norm.py`): keeps input, weight and fp32 reciprocals. `in_place`: the gradient is written
    /// over the incoming one.
    pub fn liger_rms_norm(&self, weight: &Tensor<'t>, in_place: bool) -> Tensor<'t> {
        const OP: &str = "LigerRMSNorm";
        let x = self.contiguous();
        let mut inner = self.tape.inner.borrow_mut();
        let (layout, dtype) = (
            inner.records[x.id as usize].layout,
            inner.records[x.id as usize].dtype,
        );
        let node = inner.records_grad(&[x.id, weight.id]).then(|| {
            inner.node(
                Gradient::LigerNorm { in_place },
                "LigerRMSNormFunctionBackward",
                &[x.id, weight.id],
            )
        });
        let out = inner.alloc(layout, dtype, OP);
        let rows = layout.numel() / layout.last().max(1);
        let reciprocals = inner.alloc(Layout::contiguous(&[rows]), Dtype::F32, OP);
        if let Some(node) = node {
            inner.set_node(out, node, 0);
            for (slot, id) in [x.id, weight.id, reciprocals].into_iter().enumerate() {
                inner.save(node, slot, id);
            }
        }
        inner.release(reciprocals);
        drop(inner);
        self.made(out)
    }

    /// `LigerRopeFunction` (`rope.py`): rotates queries and keys of batch x heads x sequence x width where they are.
    pub fn liger_rope(
        &self,
        key: &Tensor<'t>,
        cos: &Tensor<'t>,
        sin: &Tensor<'t>,
    ) -> (Tensor<'t>, Tensor<'t>) {
        let mut inner = self.tape.inner.borrow_mut();
        let ids = [self.id, key.id];
        let node = inner.node_over(Gradient::LigerRope, "LigerRopeFunctionBackward", &ids);
        let out = ids.map(|id| inner.rotated_in_place(id));
        if let Some(node) = node {
            for (output, id) in out.into_iter().enumerate() {
                inner.set_node(id, node, output as u8);
            }
            inner.save(node, 0, cos.id);
            inner.save(node, 1, sin.id);
        }
        drop(inner);
        (self.made(out[0]), self.made(out[1]))
    }

    /// `LigerSiLUMulFunction` (`swiglu.py`): the gradients overwrite both operands.
    pub fn liger_swiglu(&self, up: &Tensor<'t>) -> Tensor<'t> {
        let (a, b) = (self.contiguous(), up.contiguous());
        let mut inner = self.tape.inner.borrow_mut();
        let ids = [a.id, b.id];
        let node = inner.node_over(Gradient::LigerSwiglu, "LigerSiLUMulFunctionBackward", &ids);
        let (layout, dtype) = (
            inner.records[a.id as usize].layout,
            inner.records[a.id as usize].dtype,
        );
        let out = inner.alloc(layout, dtype, "LigerSiLUMul");
        if let Some(node) = node {
            inner.set_node(out, node, 0);
            inner.save(node, 0, a.id);
            inner.save(node, 1, b.id);
        }
        drop(inner);
        self.made(out)
    }

    /// `LigerFusedLinearCrossEntropyFunction` (`fused_linear_cross_entropy.py`): logits a chunk of tokens at a time, their
    /// gradients made at once. `self` is tokens x width, `weight` vocabulary x width.
    pub fn liger_cross_entropy(&self, weight: &Tensor<'t>) -> Tensor<'t> {
        const OP: &str = "LigerFusedLinearCrossEntropy";
        let mut inner = self.tape.inner.borrow_mut();
        let (x, w) = (
            inner.records[self.id as usize].layout,
            inner.records[weight.id as usize].layout,
        );
        let (dtype, weight_dtype) = (
            inner.records[self.id as usize].dtype,
            inner.records[weight.id as usize].dtype,
        );
        let (tokens, width, vocabulary) =
            (x.numel() / x.last().max(1), x.last(), w.numel() / w.last().max(1));
        let ids = [self.id, weight.id];
        let (trains, trains_weight) = (
            inner.grad_enabled && inner.needs_grad(self.id),
            inner.grad_enabled && inner.needs_grad(weight.id),
        );
        let node = inner.records_grad(&ids).then(|| {
            inner.node(
                Gradient::LigerLoss,
                "LigerFusedLinearCrossEntropyFunctionBackward",
                &ids,
            )
        });
        let grad = inner.alloc(x, dtype, OP);
        let weight_grad = if trains && trains_weight {
            inner.alloc(w, weight_dtype, OP)
        } else {
            NONE
        };
        let losses = inner.scratch(tokens.saturating_mul(4), OP);
        let labelled = inner.scratch(tokens, OP);
        let count = inner.scratch(8, OP);
        let wide = inner.scratch(tokens.saturating_mul(8), OP);
        inner.free_scratch(wide);
        inner.free_scratch(count);
        // `_can_use_mm_out`: the products write into place when autocast would not cast their operands.
        let compute = inner.autocast.unwrap_or(dtype);
        let in_place = dtype == weight_dtype && compute == dtype;
        let chunk = tokens
            .div_ceil(vocabulary.div_ceil(width.max(1)).max(1))
            .max(1)
            .next_power_of_two()
            .min(tokens.max(1));
        let logits_bytes = |rows: u64| rows.saturating_mul(vocabulary).saturating_mul(compute.size());
        let storage = if in_place {
            inner.scratch(logits_bytes(chunk), OP)
        } else {
            NONE
        };
        let weight_bytes = w.numel();
        let cast = |inner: &mut Inner, elements: u64, from: Dtype| {
            if from == compute {
                NONE
            } else {
                inner.scratch(elements.saturating_mul(compute.size()), OP)
            }
        };
        let mut done = 0;
        while done < tokens {
            let rows = chunk.min(tokens - done);
            done += rows;
            let logits = if in_place {
                NONE
            } else {
                let weight = cast(&mut inner, weight_bytes, weight_dtype);
                let input = cast(&mut inner, rows * width, dtype);
                let logits = inner.scratch(logits_bytes(rows), OP);
                inner.free_scratch(input);
                inner.free_scratch(weight);
                logits
            };
            inner.touch_workspace();
            if trains && !in_place {
                // Autocast keeps the cast of a trained fp32 weight until it ends.
                let keeps = trains_weight && weight_dtype == Dtype::F32 && compute != Dtype::F32;
                if keeps && inner.records[weight.id as usize].cast == NONE && !inner.stopped {
                    let kept = inner.alloc(w, compute, OP);
                    let group = inner.group;
                    inner.records[weight.id as usize].cast = kept;
                    inner.casts.push((weight.id, group));
                }
                let cast_weight = match keeps {
                    true => NONE,
                    false => cast(&mut inner, weight_bytes, weight_dtype),
                };
                let product = inner.scratch(rows * width * compute.size(), OP);
                inner.free_scratch(cast_weight);
                inner.free_scratch(product);
            }
            if weight_grad != NONE {
                let narrow = compute != Dtype::F32 && inner.device.capability.0 >= 8;
                if narrow && (weight_dtype == Dtype::F32 || weight_dtype == compute) {
                    let input = cast(&mut inner, rows * width, dtype);
                    inner.free_scratch(input);
                } else {
                    // grad_weight += torch.mm(grad_logits.t(), input).float()
                    let input = cast(&mut inner, rows * width, dtype);
                    let product = inner.scratch(weight_bytes.saturating_mul(compute.size()), OP);
                    inner.free_scratch(input);
                    if compute != Dtype::F32 {
                        let float = inner.scratch(weight_bytes.saturating_mul(4), OP);
                        inner.free_scratch(product);
                        inner.free_scratch(float);
                    } else {
                        inner.free_scratch(product);
                    }
                }
            }
            inner.free_scratch(logits);
        }
        inner.free_scratch(storage);
        let loss = inner.alloc(Layout::contiguous(&[]), Dtype::F32, OP);
        inner.whole_sum(tokens);
        inner.free_scratch(labelled);
        inner.free_scratch(losses);
        if let Some(node) = node {
            inner.set_node(loss, node, 0);
            inner.save(node, 0, grad);
            inner.save(node, 1, weight_grad);
        }
        for id in [grad, weight_grad] {
            if id != NONE {
                inner.release(id);
            }
        }
        drop(inner);
        self.made(loss)
    }
}

impl Inner {
    /// A rotated view of the same memory; of a copy when heads do not lie behind each other by token.
    fn rotated_in_place(&mut self, id: u32) -> u32 {
        let (layout, dtype) = (self.records[id as usize].layout, self.records[id as usize].dtype);
        let by_token = layout.transposed(1, 2);
        if by_token.is_contiguous() {
            self.alias(id, layout, true)
        } else {
            let dense = Layout::contiguous(by_token.shape()).transposed(1, 2);
            self.alloc(dense, dtype, "LigerRope")
        }
    }

    /// Two gradients arrive, two leave.
    pub(crate) fn run_liger_rope(&mut self, node: u32) {
        let buffers = std::mem::replace(&mut self.nodes[node as usize].buffers, [NONE; MAX_OUTPUTS]);
        let mut out = [NONE; MAX_EDGES];
        for (slot, &g) in out.iter_mut().zip(&buffers) {
            if g != NONE {
                *slot = self.rotated_in_place(g);
            }
        }
        self.hand_on(node, &buffers, &mut out);
    }

    /// `rms_norm_backward`: the weight's gradient is summed by multiprocessor.
    pub(crate) fn liger_norm_gradients(
        &mut self,
        node: u32,
        g: u32,
        in_place: bool,
        out: &mut [u32; MAX_EDGES],
    ) {
        const OP: &str = "LigerRMSNorm";
        let (layout, dtype) = (self.records[g as usize].layout, self.records[g as usize].dtype);
        let width = layout.last();
        let dense = if layout.is_contiguous() {
            self.alias(g, layout, true)
        } else {
            self.alloc(Layout::contiguous(layout.shape()), dtype, OP)
        };
        let processors = self.device.multiprocessors;
        let weight = self.input(self.nodes[node as usize].inputs[1]);
        let partial = match weight {
            Some(_) => self.scratch(processors.saturating_mul(width).saturating_mul(4), OP),
            None => NONE,
        };
        out[0] = match in_place {
            true => self.retain(dense),
            false => {
                let zeros = self.alloc(Layout::contiguous(layout.shape()), dtype, OP);
                // `dX.view(*shape)`
                self.records[zeros as usize].view = true;
                zeros
            }
        };
        if let Some(weight) = weight {
            let sum = self.alloc(weight.layout, Dtype::F32, OP);
            self.reduction_scratch(processors.saturating_mul(width), width, true);
            out[1] = sum;
            if weight.dtype != Dtype::F32 {
                out[1] = self.alloc(weight.layout, weight.dtype, OP);
                self.release(sum);
            }
        }
        self.free_scratch(partial);
        self.release(dense);
    }

    /// The gradients lie where the operands were.
    pub(crate) fn liger_swiglu_gradients(&mut self, node: u32, out: &mut [u32; MAX_EDGES]) {
        for (slot, gradient) in out.iter_mut().take(2).enumerate() {
            let saved = self.saved(node, slot);
            if saved != NONE {
                let layout = self.records[saved as usize].layout;
                *gradient = self.alias(saved, layout, true);
            }
        }
    }

    /// The gradients were made in forward; `torch.equal(grad_output, torch.tensor(1.0))` decides whether to scale them.
    pub(crate) fn liger_loss_gradients(&mut self, node: u32, out: &mut [u32; MAX_EDGES]) {
        const OP: &str = "LigerFusedLinearCrossEntropy";
        let (one, equal, all) = (self.scratch(4, OP), self.scratch(1, OP), self.scratch(1, OP));
        for scratch in [all, equal, one] {
            self.free_scratch(scratch);
        }
        for (slot, gradient) in out.iter_mut().take(2).enumerate() {
            let saved = self.saved(node, slot);
            if saved != NONE {
                let layout = self.records[saved as usize].layout;
                *gradient = self.alias(saved, layout, false);
            }
        }
    }
}
