//! Unsloth's fused adapters (`unsloth/kernels/fast_lora.py`): queries, keys and values at once, one linear layer, or a
//! whole gated MLP, each one autograd function that keeps its input and little else.

use super::fake_quantized::{FakeWeight, HeldScales, fakes};
use crate::autograd::grad::Gradient;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::{Inner, NONE, Tape, Tensor};
use std::cell::RefCell;

/// The buffer that packed weights are unpacked into, one for all (`unsloth/kernels/utils.py: _scratch`): it grows to the
/// largest weight and stays.
#[derive(Debug, Default)]
pub struct UnpackBuffer<'t>(RefCell<Option<Tensor<'t>>>);

impl<'t> UnpackBuffer<'t> {
    /// The buffer, grown to hold this many elements.
    pub fn of(&self, tape: &'t Tape, elements: u64, dtype: Dtype) -> Tensor<'t> {
        let mut buffer = self.0.borrow_mut();
        match &*buffer {
            Some(held) if held.layout().numel() >= elements => held.clone(),
            _ => {
                let grown = tape.temporary(&[elements], dtype, "dequantize_nf4");
                *buffer = Some(grown.clone());
                grown
            }
        }
    }
}

/// How a weight becomes an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FastWeight {
    /// It is one.
    Plain,
    /// It is unpacked for each product.
    Packed,
    /// 8-bit floats by rows: forward multiplies them with a quantized input, backward dequantizes them.
    Float8Rows,
    /// 8-bit floats by blocks: forward multiplies them with a quantized input by a kernel of Unsloth's, backward dequantizes
    /// them (`unsloth/kernels/fp8.py: FP8BlockQuantLinear`).
    Float8Blocks,
}

/// A linear layer with its adapter, as a fused function sees it.
#[derive(Clone, Copy, Debug)]
pub struct FastLinear<'a, 't> {
    /// Columns in.
    pub inputs: u64,
    /// Columns out.
    pub outputs: u64,
    /// The base weight.
    pub weight: FastWeight,
    /// `lora_A` and `lora_B`.
    pub lora: (&'a Tensor<'t>, &'a Tensor<'t>),
    /// As up to the end of 2024: the adapter's product is a tensor of its own, then added; a packed weight is unpacked
    /// into memory of its own.
    pub apart: bool,
    /// The base weight, where products take a fake-quantized copy of it.
    pub fake: Option<(&'a Tensor<'t>, FakeWeight, &'a HeldScales<'t>)>,
    /// Where its weight was unpacked last: each weight keeps that until it is unpacked again (`_NF4Plan`).
    pub plan: &'a RefCell<Option<Tensor<'t>>>,
}

/// What a fused function remembers of a linear layer.
#[derive(Clone, Copy, Debug)]
struct Arm {
    inputs: u64,
    outputs: u64,
    weight: FastWeight,
    apart: bool,
    a: u32,
    b: u32,
}

/// The fused functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `LoRA_QKV`.
    Qkv,
    /// `LoRA_W`.
    Single,
    /// `LoRA_MLP`.
    Mlp,
}

/// A call of a fused function, as its backward pass finds it.
#[derive(Clone, Debug)]
pub(crate) struct FastLora {
    kind: Kind,
    arms: Vec<Arm>,
    dropout: bool,
}

const OP: &str = "fast_lora";

/// Slots of what is saved: the input, the halves of the MLP, the masks.
const X: usize = 0;
const GATE: usize = 1;
const MASKS: usize = 3;

impl<'a, 't> FastLinear<'a, 't> {
    fn arm(&self) -> Arm {
        Arm {
            inputs: self.inputs,
            outputs: self.outputs,
            weight: self.weight,
            apart: self.apart,
            a: self.lora.0.id,
            b: self.lora.1.id,
        }
    }

    /// `matmul_lora`, and with a dropped copy of the input `_matmul_lora_ext`, which unpacks into memory of its own.
    fn product(&self, x: &Tensor<'t>, dropped: Option<&Tensor<'t>>, buffer: &UnpackBuffer<'t>) -> Tensor<'t> {
        let (tape, dtype, layout) = (x.tape, x.dtype(), x.layout());
        let mut own = None;
        let mut quantized = None;
        match (self.weight, dropped) {
            (FastWeight::Plain, _) => {}
            (FastWeight::Float8Rows, _) => quantized = Some(x.quantized_rows()),
            (FastWeight::Float8Blocks, _) => quantized = Some(x.quantized_blocks()),
            (FastWeight::Packed, None) if !self.apart => {
                let elements = self.inputs.saturating_mul(self.outputs);
                let held = buffer.of(tape, elements, dtype);
                self.plan.replace(Some(held));
            }
            (FastWeight::Packed, _) => {
                own = Some(tape.temporary(&[self.outputs, self.inputs], dtype, "dequantize_nf4"));
            }
        }
        let out = {
            let id = tape
                .inner
                .borrow_mut()
                .alloc(layout.with_last(self.outputs), dtype, "matmul");
            Tensor { tape, id }
        };
        if self.weight == FastWeight::Float8Rows {
            // `torch._scaled_mm` is cuBLASLt's.
            tape.inner.borrow_mut().touch_lt_workspace();
        }
        tape.touch_workspace();
        drop((own, quantized));
        let (a, b) = self.lora;
        let reduced = {
            let _a = a.to(dtype);
            let rank = a.layout().shape().first().copied().unwrap_or(0);
            let id = tape
                .inner
                .borrow_mut()
                .alloc(layout.with_last(rank), dtype, "matmul");
            Tensor { tape, id }
        };
        drop(b.to(dtype));
        if self.apart {
            drop(tape.temporary(out.layout().shape(), dtype, "matmul"));
        }
        drop(reduced);
        out
    }
}

impl<'t> Tensor<'t> {
    /// `_dropout_forward`: the dropped copy, and the mask of a byte an element.
    fn fast_dropout(&self) -> (Tensor<'t>, Tensor<'t>) {
        let (tape, layout) = (self.tape, self.layout());
        let mask = tape.temporary(layout.shape(), Dtype::Bool, "native_dropout");
        let dropped = tape.temporary(layout.shape(), self.dtype(), "native_dropout");
        (dropped, mask)
    }

    /// `LoRA_QKV`: queries, keys and values of `self`.
    pub fn fast_qkv(
        &self,
        linears: [FastLinear<'_, 't>; 3],
        dropout: bool,
        buffer: &UnpackBuffer<'t>,
    ) -> [Tensor<'t>; 3] {
        let fakes = fakes(&linears);
        let mut masks = Vec::new();
        let outputs = self.tape.no_grad(|| {
            let mut dropped = None;
            linears.map(|linear| {
                if dropout {
                    let (copy, mask) = self.fast_dropout();
                    masks.push(mask);
                    dropped = Some(copy);
                }
                linear.product(self, dropped.as_ref(), buffer)
            })
        });
        let node = self.fast_node(Kind::Qkv, "LoRA_QKVBackward", &linears, dropout);
        if let Some(node) = node {
            self.save_fast(node, &[], &masks, &fakes);
            let mut inner = self.tape.inner.borrow_mut();
            for (output, tensor) in outputs.iter().enumerate() {
                inner.set_node(tensor.id, node, output as u8);
            }
        }
        outputs
    }

    /// `LoRA_W`: one linear layer.
    pub fn fast_linear(
        &self,
        linear: FastLinear<'_, 't>,
        dropout: bool,
        buffer: &UnpackBuffer<'t>,
    ) -> Tensor<'t> {
        let fakes = fakes(&[linear]);
        let mut masks = Vec::new();
        let out = self.tape.no_grad(|| {
            let dropped = dropout.then(|| {
                let (copy, mask) = self.fast_dropout();
                masks.push(mask);
                copy
            });
            linear.product(self, dropped.as_ref(), buffer)
        });
        if let Some(node) = self.fast_node(Kind::Single, "LoRA_WBackward", &[linear], dropout) {
            self.save_fast(node, &[], &masks, &fakes);
            self.tape.inner.borrow_mut().set_node(out.id, node, 0);
        }
        out
    }

    /// `LoRA_MLP`: gate, up and down projections around an activation.
    pub fn fast_mlp(
        &self,
        [gate, up, down]: [FastLinear<'_, 't>; 3],
        dropout: bool,
        buffer: &UnpackBuffer<'t>,
    ) -> Tensor<'t> {
        let fakes = fakes(&[gate, up, down]);
        let mut masks = Vec::new();
        let (e, g, out) = self.tape.no_grad(|| {
            let mut dropped = None;
            let mut half = |linear: FastLinear<'_, 't>| {
                if dropout {
                    let (copy, mask) = self.fast_dropout();
                    masks.push(mask);
                    dropped = Some(copy);
                }
                linear.product(self, dropped.as_ref(), buffer)
            };
            let (e, g) = (half(gate), half(up));
            drop(dropped);
            let product = self
                .tape
                .temporary(e.layout().shape(), e.dtype(), "swiglu_fg_kernel");
            let dropped = dropout.then(|| {
                let (copy, mask) = product.fast_dropout();
                masks.push(mask);
                copy
            });
            let out = down.product(&product, dropped.as_ref(), buffer);
            (e, g, out)
        });
        let node = self.fast_node(Kind::Mlp, "LoRA_MLPBackward", &[gate, up, down], dropout);
        if let Some(node) = node {
            self.save_fast(node, &[&e, &g], &masks, &fakes);
            self.tape.inner.borrow_mut().set_node(out.id, node, 0);
        }
        out
    }

    fn fast_node(
        &self,
        kind: Kind,
        name: &'static str,
        linears: &[FastLinear<'_, 't>],
        dropout: bool,
    ) -> Option<u32> {
        let mut inner = self.tape.inner.borrow_mut();
        let arms: Vec<Arm> = linears.iter().map(FastLinear::arm).collect();
        let leaves = || arms.iter().flat_map(|arm| [arm.a, arm.b]);
        let ids: Vec<u32> = std::iter::once(self.id).chain(leaves()).collect();
        if !inner.records_grad(&ids) {
            return None;
        }
        let index = inner.fused.len() as u32;
        let node = inner.node(Gradient::FastLora(index), name, &[self.id]);
        for leaf in leaves() {
            if inner.needs_grad(leaf) {
                let record = &mut inner.records[leaf as usize];
                record.uses += 1;
                record.refs += 1;
            }
        }
        inner.fused.push(FastLora { kind, arms, dropout });
        Some(node)
    }

    fn save_fast(&self, node: u32, halves: &[&Tensor<'t>], masks: &[Tensor<'t>], fakes: &[Tensor<'t>]) {
        let mut inner = self.tape.inner.borrow_mut();
        // `ctx.custom_saved_tensors` is an attribute: what it holds goes with the graph.
        for fake in fakes {
            inner.keep_with_graph(fake.id);
        }
        inner.save(node, X, self.id);
        for (slot, half) in halves.iter().enumerate() {
            inner.save(node, GATE + slot, half.id);
        }
        for (slot, mask) in masks.iter().enumerate() {
            inner.save(node, MASKS + slot, mask.id);
        }
    }
}

/// What a backward pass works with.
struct Pass {
    rows: u64,
    width: u64,
    rank: u64,
    dtype: Dtype,
    /// Copies of the adapters in the dtype of the input.
    copies: Vec<[u32; 2]>,
    grads: Vec<[u32; 2]>,
    /// `y_dB` of each arm.
    reduced: Vec<u32>,
}

impl Inner {
    fn made(&mut self, shape: &[u64], dtype: Dtype) -> u32 {
        self.alloc(Layout::contiguous(shape), dtype, OP)
    }

    /// A weight unpacked for one product, if it has to be.
    fn unpacked(&mut self, arm: Arm, dtype: Dtype) -> u32 {
        match arm.weight {
            FastWeight::Plain => NONE,
            FastWeight::Packed | FastWeight::Float8Blocks => self.made(&[arm.outputs, arm.inputs], dtype),
            FastWeight::Float8Rows => self.dequantized_rows(arm.inputs, arm.outputs, dtype),
        }
    }

    fn drop_made(&mut self, id: u32) {
        if id != NONE {
            self.release(id);
        }
    }

    /// Takes and gives back.
    fn passing(&mut self, shape: &[u64], dtype: Dtype) {
        let id = self.made(shape, dtype);
        self.release(id);
    }

    fn cast_or_same(&mut self, id: u32, dtype: Dtype) -> u32 {
        if self.records[id as usize].dtype == dtype {
            return self.retain(id);
        }
        let layout = self.records[id as usize].layout;
        self.alloc(layout, dtype, OP)
    }

    fn fast_pass(&mut self, node: u32, arms: &[Arm]) -> Pass {
        let x = self.saved(node, X);
        let (layout, dtype) = (self.records[x as usize].layout, self.records[x as usize].dtype);
        let width = layout.last();
        let rank = arms.first().map_or(0, |arm| {
            self.records[arm.a as usize]
                .layout
                .shape()
                .first()
                .copied()
                .unwrap_or(0)
        });
        let copies = arms
            .iter()
            .map(|arm| [arm.a, arm.b].map(|id| self.cast_or_same(id, dtype)))
            .collect();
        Pass {
            rows: layout.numel() / width.max(1),
            width,
            rank,
            dtype,
            copies,
            grads: vec![[NONE; 2]; arms.len()],
            reduced: vec![NONE; arms.len()],
        }
    }

    /// `torch.empty_like` of both adapters.
    fn empty_gradients(&mut self, pass: &mut Pass, arm: Arm, index: usize) {
        pass.grads[index] =
            [[pass.rank, arm.inputs], [arm.outputs, pass.rank]].map(|shape| self.made(&shape, pass.dtype));
    }

    /// The base weight's share of the input's gradient: the first is written, further ones are added.
    fn add_base_input(&mut self, pass: &Pass, arm: Arm, further: bool) {
        let weight = self.unpacked(arm, pass.dtype);
        if arm.apart && further {
            self.passing(&[pass.rows, arm.inputs], pass.dtype);
        }
        self.drop_made(weight);
    }

    /// `_add_lora_dX`: in place, by way of the mask when the adapter saw a dropped input.
    fn add_adapter_input(&mut self, pass: &Pass, arm: Arm, dropout: bool) {
        let width = arm.inputs;
        if arm.apart {
            self.passing(&[pass.rows, width], pass.dtype);
        }
        if dropout {
            let product = self.made(&[pass.rows, width], pass.dtype);
            self.passing(&[pass.rows, width], pass.dtype);
            self.release(product);
        }
    }

    /// Runs the backward pass of a fused function, adapters' gradients included.
    pub(crate) fn run_fast_lora(&mut self, node: u32, index: u32) {
        let Some(call) = self.fused.get(index as usize).cloned() else {
            return;
        };
        let buffers = std::mem::replace(
            &mut self.nodes[node as usize].buffers,
            [NONE; crate::autograd::graph::MAX_OUTPUTS],
        );
        let mut pass = self.fast_pass(node, &call.arms);
        let dx = match call.kind {
            Kind::Mlp => self.mlp_gradients(&call, &mut pass, node),
            Kind::Qkv => self.qkv_gradients(&call, &mut pass, node),
            Kind::Single => self.single_gradients(&call, &mut pass, node),
        };
        for id in pass.copies.drain(..).flatten().chain(pass.reduced.drain(..)) {
            self.drop_made(id);
        }
        self.touch_workspace();
        self.release_recomputed(node);
        let of = self.nodes[node as usize].inputs[0];
        let dx = if of == NONE { dx } else { self.fit_gradient(dx, of) };
        for (arm, grads) in call.arms.iter().zip(&mut pass.grads) {
            for (leaf, grad) in [arm.a, arm.b].into_iter().zip(grads) {
                *grad = self.fit_gradient(*grad, leaf);
            }
        }
        for b in buffers {
            self.drop_made(b);
        }
        self.release_saved(node);
        match of {
            NONE => self.release(dx),
            of => self.deliver(of, dx),
        }
        for (arm, grads) in call.arms.iter().zip(pass.grads) {
            for (leaf, grad) in [arm.a, arm.b].into_iter().zip(grads) {
                if self.needs_grad(leaf) {
                    self.deliver(leaf, grad);
                } else {
                    self.release(grad);
                }
            }
        }
    }

    /// The input's memory, which the gradient is written into (`out = X`).
    fn over_input(&mut self, node: u32) -> u32 {
        let x = self.saved(node, X);
        let layout = self.records[x as usize].layout;
        self.alias(x, layout, false)
    }

    /// The dropped input again (`_dropout_replay`), replacing the one before.
    fn dropped_again(&mut self, pass: &Pass, before: u32) -> u32 {
        let dropped = self.made(&[pass.rows, pass.width], pass.dtype);
        self.drop_made(before);
        dropped
    }

    /// `LoRA_MLP.backward`.
    fn mlp_gradients(&mut self, call: &FastLora, pass: &mut Pass, node: u32) -> u32 {
        let &[gate, up, down] = &call.arms[..] else {
            return NONE;
        };
        let (rows, rank, dtype) = (pass.rows, pass.rank, pass.dtype);
        let inner_width = down.inputs;
        let mut dw;
        if call.dropout {
            let weight = self.unpacked(down, dtype);
            dw = self.made(&[rows, inner_width], dtype);
            self.drop_made(weight);
            let reduced = self.made(&[rows, rank], dtype);
            let product = self.made(&[rows, inner_width], dtype);
            self.release(reduced);
            let masked = self.made(&[rows, inner_width], dtype);
            self.release(product);
            self.release(masked);
        } else {
            // A packed weight lies in the common buffer.
            let weight = match down.weight {
                FastWeight::Float8Rows | FastWeight::Float8Blocks => self.unpacked(down, dtype),
                FastWeight::Packed if down.apart => self.unpacked(down, dtype),
                FastWeight::Plain | FastWeight::Packed => NONE,
            };
            dw = self.made(&[rows, inner_width], dtype);
            let reduced = self.made(&[rows, rank], dtype);
            self.drop_made(weight);
            if down.apart {
                self.passing(&[rows, inner_width], dtype);
            }
            self.release(reduced);
        }
        let mut dropped_product = NONE;
        if call.dropout {
            dropped_product = self.made(&[rows, inner_width], dtype);
        }
        for (index, arm) in [(2, down), (0, gate), (1, up)] {
            self.empty_gradients(pass, arm, index);
        }
        self.passing(&[rows, rank], dtype);
        self.passing(&[rank, rows], dtype);
        for index in [1, 0] {
            pass.reduced[index] = self.made(&[rows, rank], dtype);
        }
        let mut dropped = NONE;
        for _ in 0..2 {
            if call.dropout {
                dropped = self.dropped_again(pass, dropped);
            }
            self.passing(&[rank, rows], dtype);
        }
        self.drop_made(dropped);
        for (index, arm) in [up, gate].into_iter().enumerate() {
            self.add_base_input(pass, arm, index > 0);
            self.add_adapter_input(pass, arm, call.dropout);
        }
        for id in [dropped_product, std::mem::replace(&mut dw, NONE)] {
            self.drop_made(id);
        }
        self.over_input(node)
    }

    /// `LoRA_QKV.backward`.
    fn qkv_gradients(&mut self, call: &FastLora, pass: &mut Pass, node: u32) -> u32 {
        let (rows, rank, dtype) = (pass.rows, pass.rank, pass.dtype);
        for (index, &arm) in call.arms.iter().enumerate() {
            self.empty_gradients(pass, arm, index);
        }
        for index in 0..call.arms.len() {
            pass.reduced[index] = self.made(&[rows, rank], dtype);
        }
        let mut dropped = NONE;
        for _ in &call.arms {
            if call.dropout {
                dropped = self.dropped_again(pass, dropped);
            }
            self.passing(&[rank, rows], dtype);
        }
        self.drop_made(dropped);
        for (index, &arm) in call.arms.iter().enumerate() {
            self.add_base_input(pass, arm, index > 0);
            self.add_adapter_input(pass, arm, call.dropout);
        }
        self.over_input(node)
    }

    /// `LoRA_W.backward`: the gradient has memory of its own.
    fn single_gradients(&mut self, call: &FastLora, pass: &mut Pass, node: u32) -> u32 {
        let Some(&arm) = call.arms.first() else {
            return NONE;
        };
        let (rows, rank, dtype) = (pass.rows, pass.rank, pass.dtype);
        self.empty_gradients(pass, arm, 0);
        pass.reduced[0] = self.made(&[rows, rank], dtype);
        let mut dropped = NONE;
        if call.dropout {
            dropped = self.dropped_again(pass, dropped);
        }
        self.passing(&[rank, rows], dtype);
        self.drop_made(dropped);
        let weight = self.unpacked(arm, dtype);
        let x = self.saved(node, X);
        let layout = self.records[x as usize].layout;
        let dx = self.alloc(Layout::contiguous(layout.shape()), dtype, OP);
        self.drop_made(weight);
        self.add_adapter_input(pass, arm, call.dropout);
        dx
    }
}
