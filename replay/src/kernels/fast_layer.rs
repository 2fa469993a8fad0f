//! A hand-written decoder layer of Unsloth after `torch.compile`: one graph forward, one backward, with the buffers that
//! Inductor plans for them (`unsloth/models/_block_compile.py`; the generated code of torch 2.11 for CUDA).

mod partial;

use crate::autograd::grad::Gradient;
use crate::autograd::graph::MAX_OUTPUTS;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::ops::attention::{Shape, round_up};
use crate::tape::{Inner, NONE, Tensor};
use partial::{Arm, Arms};

/// Sizes of a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompiledShape {
    /// The attention call.
    pub attention: Shape,
    /// Width of the MLP.
    pub width: u64,
    /// Are queries and keys normed?
    pub head_norms: bool,
    /// Does the memory-efficient kernel attend, for which the keys and values of grouped heads are repeated?
    pub efficient: bool,
    /// Have queries, keys and values a bias? Their adapters then run as PEFT wrote them, outside of fused functions.
    pub biases: bool,
}

impl CompiledShape {
    /// Are there more keys and values than the projections make?
    fn repeats(&self) -> bool {
        self.efficient && self.attention.kv_heads != self.attention.heads
    }
}

/// A linear layer of a compiled layer.
#[derive(Clone, Copy, Debug)]
pub struct CompiledLinear<'a, 't> {
    /// Columns in.
    pub inputs: u64,
    /// Columns out.
    pub outputs: u64,
    /// Is its weight unpacked for every product?
    pub packed: bool,
    /// `lora_A` and `lora_B`.
    pub lora: Option<(&'a Tensor<'t>, &'a Tensor<'t>)>,
    /// Are values of the adapter's input dropped?
    pub drops: bool,
}

impl CompiledLinear<'_, '_> {
    fn arm(&self) -> Arm {
        Arm {
            inputs: self.inputs,
            outputs: self.outputs,
            packed: self.packed,
            adapter: self.lora.map(|(a, b)| [a.id, b.id]),
            drops: self.drops && self.lora.is_some(),
        }
    }
}

/// The linear layers, in order: queries, keys, values, output, gate, up, down.
pub type CompiledLinears<'a, 't> = [CompiledLinear<'a, 't>; 7];

/// What a layer's backward graph finds.
#[derive(Clone, Debug)]
pub(crate) struct CompiledLayer {
    shape: CompiledShape,
    rank: u64,
    arms: Arms,
    saved: Graph,
}

/// What the forward graph saved.
#[derive(Clone, Debug)]
enum Graph {
    /// Every linear layer has an adapter, in fused functions but for biases, and without dropout.
    Whole(Saved),
    Partial(Box<partial::Saved>),
}

/// Tensors that the forward graph hands to the backward graph.
#[derive(Clone, Copy, Debug)]
struct Saved {
    input: u32,
    /// Output and reciprocals of the norms.
    normed: [[u32; 2]; 2],
    /// Queries and keys before their norms, and the reciprocals.
    before_norms: [u32; 4],
    /// Queries, keys, values, output, log-sum-exp and random state of attention.
    attention: [u32; 7],
    /// Behind attention.
    middle: u32,
    /// Of queries, keys and values with a bias: both matrices of the adapter in the dtype of the layer, and the product
    /// between them.
    apart: [u32; 9],
    gate: u32,
    up: u32,
}

/// What [`Inner::attend`] leaves.
struct Attended {
    /// As [`Saved::attention`].
    saved: [u32; 7],
    /// As [`Saved::before_norms`].
    before_norms: [u32; 4],
    /// Projected queries whose memory is free for what comes next.
    reused: u32,
}

const OP: &str = "compiled_layer";

/// Rows and widths, and what makes buffers of them.
struct Sizes {
    rows: u64,
    hidden: u64,
    queries: u64,
    keys: u64,
    width: u64,
    rank: u64,
    dtype: Dtype,
    packed: bool,
}

impl Sizes {
    fn of(inner: &Inner, input: u32, shape: &CompiledShape, rank: u64, packed: bool) -> Self {
        let layout = inner.records[input as usize].layout;
        let hidden = layout.last();
        Sizes {
            rows: layout.numel() / hidden.max(1),
            hidden,
            queries: shape.attention.heads * shape.attention.head_dim,
            keys: shape.attention.kv_heads * shape.attention.head_dim,
            width: shape.width,
            rank,
            dtype: inner.records[input as usize].dtype,
            packed,
        }
    }
}

impl Inner {
    fn buffer(&mut self, sizes: &Sizes, columns: u64) -> u32 {
        self.alloc(Layout::contiguous(&[sizes.rows, columns]), sizes.dtype, OP)
    }

    fn fp32(&mut self, elements: u64) -> u32 {
        self.alloc(Layout::contiguous(&[elements]), Dtype::F32, OP)
    }

    /// Memory of a part of an adapter in the dtype of the layer.
    fn part(&mut self, sizes: &Sizes, columns: u64) -> u32 {
        self.alloc(Layout::contiguous(&[columns, sizes.rank]), sizes.dtype, OP)
    }

    /// An unpacked weight; nothing for plain ones.
    fn unpack(&mut self, sizes: &Sizes, inputs: u64, outputs: u64) -> u32 {
        match sizes.packed {
            true => self.alloc(Layout::contiguous(&[outputs, inputs]), sizes.dtype, OP),
            false => NONE,
        }
    }

    fn give_back<const N: usize>(&mut self, ids: [u32; N]) {
        for id in ids {
            if id != NONE {
                self.release(id);
            }
        }
    }

    /// The flash kernel's results: output, log-sum-exp, random state.
    fn flash_results(&mut self, sizes: &Sizes, s: &Shape) -> [u32; 4] {
        let out = self.buffer(sizes, sizes.queries);
        let lse = self.fp32(s.batch * s.heads * s.seq);
        let state = self.alloc(Layout::contiguous(&[2]), Dtype::I64, OP);
        let unused = self.alloc(Layout::contiguous(&[1]), Dtype::I64, OP);
        [out, lse, state, unused]
    }

    /// Attention over queries, keys and values as they are projected: norms over heads, rotation, repeated heads, the
    /// kernel.
    fn attend(
        &mut self,
        sizes: &Sizes,
        shape: &CompiledShape,
        [queries, keys, mut values]: [u32; 3],
    ) -> Attended {
        let (q, k) = (sizes.queries, sizes.keys);
        let [turned_queries, mut turned_keys] = [self.buffer(sizes, q), self.buffer(sizes, k)];
        let mut before_norms = [NONE; 4];
        let mut reused = NONE;
        if shape.head_norms {
            let s = &shape.attention;
            let reciprocals = [s.heads, s.kv_heads].map(|heads| self.fp32(sizes.rows * heads));
            before_norms = [queries, keys, reciprocals[0], reciprocals[1]];
        } else {
            self.release(keys);
            reused = queries;
        }
        if shape.repeats() {
            for one in [&mut turned_keys, &mut values] {
                self.release(*one);
                *one = self.buffer(sizes, q);
            }
        }
        let [out, lse, state, unused] = self.flash_results(sizes, &shape.attention);
        Attended {
            saved: [turned_queries, turned_keys, values, out, lse, state, unused],
            before_norms,
            reused,
        }
    }

    /// The graph without gradients: Inductor plans one pool of the MLP's width and reuses it.
    fn compiled_inference(&mut self, sizes: &Sizes, shape: &CompiledShape) -> u32 {
        let s = &shape.attention;
        let out = self.buffer(sizes, sizes.hidden);
        let pool = self.buffer(sizes, sizes.width.max(sizes.queries + 2 * sizes.keys));
        // Repeated keys and values lie where a half of the MLP will.
        let early = (shape.efficient).then(|| self.buffer(sizes, sizes.width.max(2 * sizes.queries)));
        let attended = self.flash_results(sizes, s);
        self.touch_workspace();
        if shape.biases {
            self.touch_lt_workspace();
        }
        self.give_back([attended[3], attended[2], attended[1]]);
        let projected = self.buffer(sizes, sizes.hidden);
        self.release(attended[0]);
        let first = early.unwrap_or_else(|| self.buffer(sizes, sizes.width));
        let second = self.buffer(sizes, sizes.width);
        self.give_back([first, second]);
        self.give_back([projected, pool]);
        out
    }

    /// The graph with gradients: the output, and what is saved.
    fn compiled_forward(&mut self, input: u32, sizes: &Sizes, shape: &CompiledShape) -> (u32, Saved) {
        let (h, q, k, f) = (sizes.hidden, sizes.queries, sizes.keys, sizes.width);
        let first = [self.buffer(sizes, h), self.fp32(sizes.rows)];
        let weight = self.unpack(sizes, h, q);
        let queries = self.buffer(sizes, q);
        self.touch_workspace();
        let mut apart = [NONE; 9];
        if shape.biases {
            self.touch_lt_workspace();
            let parts = [h, sizes.rows, q, h, sizes.rows, k, h, sizes.rows, k];
            apart = parts.map(|columns| self.part(sizes, columns));
        }
        let (part, reduced) = (self.part(sizes, h), self.part(sizes, sizes.rows));
        let narrow = self.unpack(sizes, h, k);
        let keys = self.buffer(sizes, k);
        let other = self.part(sizes, k);
        let values = self.buffer(sizes, k);
        self.give_back([narrow, other]);
        let attended = self.attend(sizes, shape, [queries, keys, values]);
        // The output projection takes the memory of the queries where that fits; the residual is added to it there.
        let middle = match attended.reused {
            NONE => self.buffer(sizes, h),
            queries if q == h => queries,
            queries => {
                let own = self.buffer(sizes, h);
                self.release(queries);
                own
            }
        };
        self.give_back([weight]);
        let second = [self.buffer(sizes, h), self.fp32(sizes.rows)];
        let weight = self.unpack(sizes, h, f);
        let gate = self.buffer(sizes, f);
        let wide = self.part(sizes, f);
        let up = self.buffer(sizes, f);
        self.give_back([part, reduced, wide]);
        let product = self.buffer(sizes, f);
        let down = self.buffer(sizes, h);
        self.give_back([weight]);
        let (wide, reduced) = (self.part(sizes, f), self.part(sizes, sizes.rows));
        self.give_back([product, wide]);
        let part = self.part(sizes, h);
        self.give_back([reduced, part]);
        let out = self.buffer(sizes, h);
        self.release(down);
        let saved = Saved {
            input: self.retain(input),
            normed: [first, second],
            before_norms: attended.before_norms,
            attention: attended.saved,
            middle,
            apart,
            gate,
            up,
        };
        (out, saved)
    }

    /// Gradients of adapters in fp32, each beside its half in the dtype of the layer.
    fn compiled_adapter_gradients(
        &mut self,
        layer: &CompiledLayer,
        sizes: &Sizes,
        which: &[usize],
    ) -> Vec<u32> {
        let mut grads = Vec::new();
        for &index in which {
            let Arm { inputs, outputs, .. } = layer.arms[index];
            for columns in [inputs, outputs] {
                let half = self.part(sizes, columns);
                let shape = if columns == inputs && grads.len() % 2 == 0 {
                    [layer.rank, inputs]
                } else {
                    [outputs, layer.rank]
                };
                grads.push(self.alloc(Layout::contiguous(&shape), Dtype::F32, OP));
                self.release(half);
            }
        }
        grads
    }

    /// The backward graph.
    pub(crate) fn run_compiled_layer(&mut self, node: u32, index: u32) {
        let Some(layer) = self.compiled.get(index as usize).cloned() else {
            return;
        };
        let buffers = std::mem::replace(&mut self.nodes[node as usize].buffers, [NONE; MAX_OUTPUTS]);
        let input = match &layer.saved {
            Graph::Whole(saved) => saved.input,
            Graph::Partial(saved) => saved.input,
        };
        let sizes = Sizes::of(self, input, &layer.shape, layer.rank, layer.arms[0].packed);
        let (out, grads) = match &layer.saved {
            Graph::Whole(saved) => self.whole_backward(&layer, &sizes, *saved),
            Graph::Partial(saved) => self.partial_backward(&sizes, &layer.shape, &layer.arms, **saved),
        };
        for b in buffers {
            if b != NONE {
                self.release(b);
            }
        }
        // Layers before it run the same kernels.
        self.tuner = 0;
        self.release(input);
        let of = self.nodes[node as usize].inputs[0];
        match of {
            NONE => self.release(out),
            of => {
                let layout = self.records[of as usize].layout.dense();
                let shaped = self.alias(out, layout, false);
                self.release(out);
                self.deliver(of, shaped);
            }
        }
        for (leaf, grad) in grads {
            if self.needs_grad(leaf) {
                // The graph's results are not taken over but copied.
                self.retain(grad);
                self.deliver(leaf, grad);
            }
            self.release(grad);
        }
    }

    /// The backward graph where every adapter is fused: the gradient of the input, and those of the adapters.
    fn whole_backward(
        &mut self,
        layer: &CompiledLayer,
        sizes: &Sizes,
        saved: Saved,
    ) -> (u32, Vec<(u32, u32)>) {
        let (h, q, k, f) = (sizes.hidden, sizes.queries, sizes.keys, sizes.width);
        // The MLP: nothing is reused while its three halves are made.
        let weight = self.unpack(sizes, f, h);
        let incoming = self.buffer(sizes, f);
        self.touch_workspace();
        self.give_back([weight]);
        let (wide, reduced) = (self.part(sizes, f), self.part(sizes, sizes.rows));
        let [product, d_up, d_gate] = [0, 1, 2].map(|_| self.buffer(sizes, f));
        self.generated_kernel();
        self.give_back([saved.gate, saved.up, incoming, wide]);
        let small = [h, h, h, f, f, f].map(|columns| self.part(sizes, columns));
        self.release(product);
        let more = [0, 1].map(|_| self.part(sizes, sizes.rows));
        self.release(saved.normed[1][0]);
        let weight = self.unpack(sizes, h, f);
        let mut gradient = self.buffer(sizes, h);
        self.release(d_up);
        self.give_back([weight]);
        self.release(d_gate);
        self.give_back(small);
        self.give_back(more);
        self.give_back([reduced]);
        let mlp = self.compiled_adapter_gradients(layer, sizes, &[4, 5, 6]);
        let out = self.buffer(sizes, h);
        self.give_back([saved.normed[1][1], saved.middle]);
        // Attention.
        let weight = self.unpack(sizes, q, h);
        let output = self.compiled_adapter_gradients(layer, sizes, &[3]);
        if q != h {
            let own = self.buffer(sizes, q);
            self.release(gradient);
            gradient = own;
        }
        let d_turned = match layer.shape.efficient {
            true => self.efficient_input_gradients(layer.shape.attention),
            false => self.compiled_attention_gradients(sizes, &layer.shape.attention),
        };
        self.release(gradient);
        let [queries, keys, values, attended, lse, state, unused] = saved.attention;
        self.give_back([keys, attended, lse, state, unused, values]);
        let [d_queries, d_keys, d_values] = d_turned;
        let turned_back = self.buffer(sizes, k);
        let summed = if layer.shape.repeats() {
            self.buffer(sizes, k)
        } else {
            NONE
        };
        self.release(d_keys);
        if layer.shape.head_norms {
            let own = self.buffer(sizes, q);
            self.give_back(saved.before_norms);
            self.release(own);
        }
        let reduced = self.part(sizes, sizes.rows);
        self.release(queries);
        self.give_back([weight, reduced]);
        let weight = self.unpack(sizes, h, k);
        self.give_back([turned_back, summed, weight, d_values]);
        self.give_back(saved.apart);
        let qkv = self.compiled_adapter_gradients(layer, sizes, &[0, 1, 2]);
        self.give_back([saved.normed[0][0], saved.normed[0][1], d_queries]);
        let leaves = layer.arms.iter().flat_map(|arm| arm.adapter.unwrap_or([NONE; 2]));
        let grads = leaves.zip(qkv.into_iter().chain(output).chain(mlp));
        (out, grads.collect())
    }

    /// `_flash_attention_backward` with its scratch.
    fn compiled_attention_gradients(&mut self, sizes: &Sizes, s: &Shape) -> [u32; 3] {
        let grads = [sizes.queries, sizes.keys, sizes.keys].map(|columns| self.buffer(sizes, columns));
        let rows = s.batch * s.heads * round_up(s.seq, 128);
        let sums = self.fp32(rows);
        let accumulated = self.fp32(rows * round_up(s.head_dim, if s.head_dim <= 128 { 32 } else { 64 }));
        let mut all = [NONE; 2];
        if s.kv_heads != s.heads {
            all = [0, 1].map(|_| self.buffer(sizes, sizes.queries));
        }
        self.give_back(all);
        self.give_back([accumulated, sums]);
        grads
    }
}

impl<'t> Tensor<'t> {
    /// A compiled decoder layer.
    pub fn compiled_layer(&self, shape: &CompiledShape, linears: &CompiledLinears<'_, 't>) -> Tensor<'t> {
        let arms = linears.map(|linear| linear.arm());
        let rank = linears.iter().find_map(|linear| linear.lora);
        let rank = rank.and_then(|(a, _)| a.layout().shape().first().copied());
        let rank = rank.unwrap_or(0);
        let is_whole = arms.iter().all(|arm| arm.adapter.is_some() && !arm.drops);
        let layout = self.layout();
        let mut inner = self.tape.inner.borrow_mut();
        let sizes = Sizes::of(&inner, self.id, shape, rank, arms[0].packed);
        let leaves = arms.iter().filter_map(|arm| arm.adapter).flatten();
        let ids: Vec<u32> = std::iter::once(self.id).chain(leaves).collect();
        if !inner.records_grad(&ids) {
            let out = match is_whole {
                true => inner.compiled_inference(&sizes, shape),
                false => inner.partial_inference(&sizes, shape, &arms),
            };
            let shaped = inner.alias(out, layout.dense(), false);
            inner.release(out);
            return Tensor {
                tape: self.tape,
                id: shaped,
            };
        }
        let (out, saved) = match is_whole {
            true => {
                let (out, saved) = inner.compiled_forward(self.id, &sizes, shape);
                (out, Graph::Whole(saved))
            }
            false => {
                let (out, saved) = inner.partial_forward(self.id, &sizes, shape, &arms);
                (out, Graph::Partial(Box::new(saved)))
            }
        };
        let shaped = inner.alias(out, layout.dense(), false);
        inner.release(out);
        let index = inner.compiled.len() as u32;
        let node = inner.node(
            Gradient::CompiledLayer(index),
            "CompiledFunctionBackward",
            &[self.id],
        );
        for leaf in ids.into_iter().skip(1) {
            if inner.needs_grad(leaf) {
                let record = &mut inner.records[leaf as usize];
                record.uses += 1;
                record.refs += 1;
            }
        }
        inner.compiled.push(CompiledLayer {
            shape: *shape,
            rank,
            arms,
            saved,
        });
        inner.set_node(shaped, node, 0);
        Tensor {
            tape: self.tape,
            id: shaped,
        }
    }
}
