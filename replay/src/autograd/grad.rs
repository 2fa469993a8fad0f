//! Backward formulas: what each operation's gradient allocates, in PyTorch's order
//! (`tools/autograd/derivatives.yaml`, `torch/csrc/autograd/FunctionsManual.cpp`).

use super::graph::{MAX_EDGES, MAX_OUTPUTS};
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::ops::binary::promote;
use crate::tape::{Inner, NONE};

/// The backward formula of a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Gradient {
    /// Every input gets the incoming gradient (`AddBackward0`, `CloneBackward0`).
    Pass,
    /// The incoming gradient in the input's shape, copied when its strides do not allow a view.
    View,
    /// The incoming gradient with two dimensions exchanged.
    Transpose(usize, usize),
    /// The incoming gradient summed over the expanded dimensions.
    Expand,
    /// Zeros of the input's size, the incoming gradient copied into its part.
    Narrow,
    /// Parts of the incoming gradient along the last dimension.
    Cat,
    /// The incoming gradients of the parts, put beside each other (`SplitBackward0`).
    Split,
    /// The incoming gradient in the input's dtype.
    Cast,
    /// One new tensor like the incoming gradient: negation, activation functions, products with a number.
    Pointwise,
    /// `x ** 2`.
    Square,
    /// Mean over the last dimension.
    Mean,
    /// `1 / sqrt(x)`.
    Rsqrt,
    /// `nn.LayerNorm`.
    LayerNorm,
    /// Product of two tensors.
    Mul,
    /// Linear layer: `View`, `T`, `Mm` or `Addmm`, `UnsafeView`.
    Linear(LinearGrad),
    /// Linear layer in 8-bit floats.
    Float8(LinearGrad),
    /// Batched product `a @ b` of 4-D tensors, done as 3-D `bmm`.
    Bmm,
    /// Batched product added to a stack of weights; `scaled`: by a number other than 1.
    Baddbmm { scaled: bool },
    /// Product with a table of complex numbers.
    Turn,
    /// The incoming gradient, made contiguous.
    Contiguous,
    /// Copy into a part of a tensor.
    Fill(crate::ops::fill::Filled),
    /// The gradient of the elements that were put somewhere, picked there.
    Gather,
    /// The sum over the copies.
    Repeat,
    /// Rows put back where they were picked (`index_backward`).
    Index,
    /// Zeros, with the gradient of the selected elements (`value_selecting_reduction_backward`).
    Select,
    /// The incoming gradient, expanded over the dimension that was summed.
    Sum { dim: usize, keep: bool },
    /// The incoming gradient where no bound held.
    Clamp { bounds: u8 },
    /// Difference of two tensors: the gradient of the second is negated.
    Sub,
    /// Quotient of two tensors.
    Divide,
    /// Product of groups of rows with a matrix each.
    GroupedMm(crate::ops::grouped_mm::GroupedMm),
    /// A product or quotient with a function of the result: `exp(x) - 1`, the square root.
    ByResult,
    /// Parts along the first dimension.
    Unbind,
    /// A sum into a part of a tensor: all but the first, or the whole in another order.
    AddToPart { rest: bool },
    /// A copy into all but the first part of a tensor.
    CopyToRest,
    /// Standard deviation over the last dimension.
    Deviation,
    /// The largest magnitude over the last dimension.
    Largest,
    /// A linear layer on 8-bit floats with a scale for each row.
    Float8Rows { inputs: u64, outputs: u64 },
    /// The smaller of a tensor and a number.
    Minimum,
    /// One of two tensors, by element.
    Where,
    /// Softmax over the last dimension; `input` is the dtype of its argument.
    Softmax { input: Dtype },
    /// `LogSoftmaxBackward0`.
    LogSoftmax,
    /// `NllLossBackward0`: zeros like the log-probabilities.
    NllLoss,
    /// Rows of a weight (`embedding_dense_backward`).
    Embedding { tokens: u64 },
    /// SDPA's flash kernel.
    Flash(crate::ops::attention::Shape),
    /// SDPA's memory-efficient kernel.
    Efficient(crate::ops::attention::Shape),
    /// bitsandbytes' 4-bit product: the weight is dequantized again.
    Gemm4bit(crate::kernels::quantized::Gemm4bit),
    /// bitsandbytes' 8-bit product: the weight is dequantized.
    Gemm8bit(crate::kernels::int8::Gemm8bit),
    /// Unsloth's fused adapters, by the number of the call.
    FastLora(u32),
    /// A compiled layer of Unsloth, by the number of the call.
    CompiledLayer(u32),
    /// Unsloth's RMSNorm.
    FastNorm { reuse_grad: bool },
    /// Unsloth's rotation of queries and keys.
    FastRope,
    /// Unsloth's head and loss.
    FastLoss,
    /// Unsloth's cross entropy, which writes the gradient over the logits.
    FastCrossEntropy,
    /// Cross entropy without logits.
    CutCrossEntropy,
    /// Zeros of the input's size, the incoming gradient copied to a part of them.
    Place,
    /// The sum over what came later in the last dimension (`cumsum_backward`).
    CumulativeSum,
    /// The incoming gradient without the padding (`constant_pad_nd`, backward).
    Pad { dim: usize },
    /// Solution of a triangular system.
    SolveTriangular,
    /// Causal convolution of each channel.
    Convolution,
    /// Liger's RMSNorm.
    LigerNorm { in_place: bool },
    /// Liger's rotation of queries and keys.
    LigerRope,
    /// Liger's SwiGLU.
    LigerSwiglu,
    /// Liger's head and loss.
    LigerLoss,
    /// A reentrant checkpoint: the layer is run again and has a backward pass of its own.
    Checkpoint { layer: u32, autocast: Option<Dtype> },
}

/// What a gradient must look like for the input it belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input {
    pub layout: Layout,
    pub dtype: Dtype,
}

/// What decides a linear layer's backward.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LinearGrad {
    /// Rows after flattening.
    pub rows: u64,
    pub inputs: u64,
    pub outputs: u64,
    pub bias: bool,
    /// Was the input flattened (so that its gradient is a view)?
    pub flattened: bool,
}

impl Inner {
    /// Runs one node: computes its gradients, drops what it held, hands the gradients on.
    pub fn run(&mut self, node: u32, op: Gradient) {
        if let Gradient::Linear(linear) = op {
            return self.run_linear(node, linear);
        }
        match op {
            Gradient::LigerRope => return self.run_liger_rope(node),
            Gradient::FastRope | Gradient::FastLora(_) | Gradient::CompiledLayer(_) => {
                return self.run_unsloth(node, op);
            }
            _ => {}
        }
        let buffers = std::mem::replace(&mut self.nodes[node as usize].buffers, [NONE; MAX_OUTPUTS]);
        let g = buffers[0];
        let mut out = [NONE; MAX_EDGES];
        match op {
            Gradient::Split => out[0] = self.split_gradient(node, &buffers),
            _ => self.gradients(node, op, g, &mut out),
        }
        self.hand_on(node, &buffers, &mut out);
    }

    /// Nodes of Unsloth's own, as `uncommon_gradients`.
    #[inline(never)]
    fn run_unsloth(&mut self, node: u32, op: Gradient) {
        match op {
            Gradient::FastRope => self.run_fast_rope(node),
            Gradient::FastLora(call) => self.run_fast_lora(node, call),
            Gradient::CompiledLayer(call) => self.run_compiled_layer(node, call),
            _ => {}
        }
    }

    fn gradients(&mut self, node: u32, op: Gradient, g: u32, out: &mut [u32; MAX_EDGES]) {
        let inputs = self.nodes[node as usize].inputs;
        let (layout, dtype) = self.gradient_like(g);
        match op {
            Gradient::Pass => {
                for (slot, input) in out.iter_mut().zip(&inputs) {
                    if *input != NONE {
                        *slot = self.retain(g);
                    }
                }
            }
            Gradient::Sub => {
                if inputs[0] != NONE {
                    out[0] = self.retain(g);
                }
                if inputs[1] != NONE {
                    out[1] = self.alloc(layout.like(), dtype, "neg");
                }
            }
            Gradient::View => {
                if let Some(input) = self.input(inputs[0]) {
                    out[0] = self.reshape_gradient(g, input.layout.shape());
                }
            }
            Gradient::Transpose(a, b) => out[0] = self.alias(g, layout.transposed(a, b), true),
            Gradient::Expand => {
                if let Some(input) = self.input(inputs[0]) {
                    out[0] = self.alloc(input.layout.dense(), dtype, "sum");
                    // `UnsqueezeBackward0` hands on a view.
                    self.records[out[0] as usize].view = true;
                }
            }
            Gradient::Narrow => {
                if let Some(input) = self.input(inputs[0]) {
                    out[0] = self.alloc(input.layout.dense(), dtype, "slice_backward");
                }
            }
            Gradient::Cat => {
                for (slot, input) in out.iter_mut().zip(&inputs) {
                    if let Some(input) = self.input(*input) {
                        *slot = self.alias(g, layout.narrowed_last(input.layout.last()), true);
                    }
                }
            }
            Gradient::Cast => {
                if let Some(input) = self.input(inputs[0]) {
                    out[0] = if input.dtype == dtype {
                        self.retain(g)
                    } else {
                        self.alloc(layout.like(), input.dtype, "to")
                    };
                }
            }
            Gradient::Pointwise => out[0] = self.alloc(layout.like(), dtype, "pointwise"),
            Gradient::Square => {
                // grad * (2 * self.pow(1))
                let x = self.saved(node, 0);
                let x_layout = self.records[x as usize].layout;
                let power = self.alloc(x_layout, dtype, "pow");
                let doubled = self.alloc(x_layout, dtype, "mul");
                out[0] = self.alloc(x_layout, dtype, "mul");
                self.release(doubled);
                self.release(power);
            }
            Gradient::Mean => {
                if let Some(input) = self.input(inputs[0]) {
                    out[0] = self.alloc(input.layout.dense(), dtype, "div");
                }
            }
            Gradient::Rsqrt => {
                // -0.5 * grad * result.pow(3)
                let scaled = self.alloc(layout, dtype, "mul");
                let cubed = self.alloc(layout, dtype, "pow");
                out[0] = self.alloc(layout, dtype, "mul");
                self.release(cubed);
                self.release(scaled);
            }
            Gradient::Mul => {
                // slot 0 saved `self`, slot 1 `other`; the gradient of `other` is made first
                for (input, factor) in [(1usize, 0usize), (0, 1)] {
                    let saved = self.saved(node, factor);
                    if inputs[input] != NONE && saved != NONE {
                        let f = &self.records[saved as usize];
                        let product = Layout::elementwise(&[&layout, &f.layout]);
                        let product_dtype = promote(dtype, &layout, f.dtype, &f.layout);
                        out[input] = self.alloc(product, product_dtype, "mul");
                    }
                }
            }
            Gradient::FastNorm { .. }
            | Gradient::FastLoss
            | Gradient::FastCrossEntropy
            | Gradient::CutCrossEntropy
            | Gradient::CumulativeSum
            | Gradient::SolveTriangular
            | Gradient::Convolution
            | Gradient::Fill(_)
            | Gradient::AddToPart { .. }
            | Gradient::CopyToRest
            | Gradient::Deviation
            | Gradient::Largest
            | Gradient::Float8Rows { .. }
            | Gradient::Minimum
            | Gradient::GroupedMm(_) => self.uncommon_gradients(node, op, g, out),
            Gradient::LayerNorm
            | Gradient::Pad { .. }
            | Gradient::Place
            | Gradient::LigerNorm { .. }
            | Gradient::LigerSwiglu
            | Gradient::LigerLoss
            | Gradient::Float8(_)
            | Gradient::Baddbmm { .. }
            | Gradient::Turn
            | Gradient::Contiguous
            | Gradient::Index
            | Gradient::Select
            | Gradient::Clamp { .. }
            | Gradient::Gather
            | Gradient::Repeat
            | Gradient::ByResult
            | Gradient::Unbind
            | Gradient::Where
            | Gradient::Divide
            | Gradient::Efficient(_) => self.rare_gradients(node, op, g, out),
            Gradient::Linear(_)
            | Gradient::Split
            | Gradient::LigerRope
            | Gradient::FastRope
            | Gradient::FastLora(_)
            | Gradient::CompiledLayer(_)
            | Gradient::Checkpoint { .. } => {}
            Gradient::Bmm => self.bmm_gradients(node, g, out),
            Gradient::Sum { dim, keep } => {
                if let Some(input) = self.input(inputs[0]) {
                    let size = input.layout.shape()[dim];
                    out[0] = self.alias(g, layout.expanded(dim, size, !keep), true);
                }
            }
            Gradient::Softmax { input } => {
                // The kernel wants grad * output, made beside the result.
                let product_bytes = layout.numel().saturating_mul(dtype.size());
                out[0] = self.alloc(layout.dense(), input, "softmax_backward");
                let product = self.scratch(product_bytes, "softmax_backward");
                self.free_scratch(product);
            }
            Gradient::LogSoftmax => out[0] = self.alloc(layout, dtype, "log_softmax_backward"),
            Gradient::NllLoss => {
                if let Some(input) = self.input(inputs[0]) {
                    out[0] = self.alloc(input.layout, input.dtype, "nll_loss_backward");
                }
            }
            Gradient::Embedding { tokens } => {
                if let Some(input) = self.input(inputs[0]) {
                    out[0] = self.embedding_gradient(g, tokens, input.layout);
                }
            }
            Gradient::Flash(shape) => self.flash_gradients(node, g, shape, out),
            Gradient::Gemm4bit(gemm) => out[0] = self.gemm_4bit_gradient(g, gemm),
            Gradient::Gemm8bit(gemm) => out[0] = self.gemm_8bit_gradient(g, gemm),
        }
    }

    /// Of operations that most runs do not have: the JavaScript module has them in the part that it loads when it is needed
    /// (`doors` of xtask).
    #[inline(never)]
    fn rare_gradients(&mut self, node: u32, op: Gradient, g: u32, out: &mut [u32; MAX_EDGES]) {
        let inputs = self.nodes[node as usize].inputs;
        let (layout, dtype) = self.gradient_like(g);
        match op {
            Gradient::LayerNorm => {
                // native_layer_norm_backward: input, weight, bias
                for (slot, input) in out.iter_mut().zip(&inputs) {
                    if let Some(input) = self.input(*input) {
                        *slot = self.alloc(
                            Layout::contiguous(input.layout.shape()),
                            input.dtype,
                            "layer_norm_backward",
                        );
                    }
                }
            }
            Gradient::Pad { dim } => {
                if let Some(input) = self.input(inputs[0]) {
                    let part = layout.narrowed(dim, input.layout.shape()[dim]);
                    out[0] = self.alloc(part.like(), dtype, "constant_pad_nd");
                }
            }
            Gradient::Place => {
                if let Some(input) = self.input(inputs[0]) {
                    out[0] = self.alloc(Layout::contiguous(input.layout.shape()), dtype, "select_backward");
                }
            }
            Gradient::LigerNorm { in_place } => self.liger_norm_gradients(node, g, in_place, out),
            Gradient::LigerSwiglu => self.liger_swiglu_gradients(node, out),
            Gradient::LigerLoss => self.liger_loss_gradients(node, out),
            Gradient::Float8(linear) => self.float8_gradients(node, g, linear, out),
            Gradient::Baddbmm { scaled } => self.baddbmm_gradients(node, g, scaled, out),
            Gradient::Turn => self.turn_gradient(node, g, out),
            Gradient::Contiguous => out[0] = self.contiguous_gradient(g),
            Gradient::Index => self.index_gradient(node, g, out),
            Gradient::Select => {
                if let Some(input) = self.input(inputs[0]) {
                    out[0] = self.alloc(Layout::contiguous(input.layout.shape()), dtype, "zeros");
                }
            }
            Gradient::Clamp { bounds } => self.clamp_gradient(g, bounds, out),
            Gradient::Gather | Gradient::Repeat => {
                if let Some(input) = self.input(inputs[0]) {
                    out[0] = self.alloc(input.layout.dense(), dtype, "sum");
                }
            }
            Gradient::ByResult => self.by_result_gradient(g, out),
            Gradient::Unbind => self.unbind_gradient(node, g, out),
            Gradient::Where => self.where_gradients(node, g, out),
            Gradient::Divide => self.divide_gradients(node, g, out),
            Gradient::Efficient(shape) => self.efficient_gradients(g, shape, out),
            _ => {}
        }
    }

    /// Layout and dtype of an incoming gradient.
    fn gradient_like(&self, g: u32) -> (Layout, Dtype) {
        match g {
            NONE => (Layout::contiguous(&[]), Dtype::F32),
            g => (self.records[g as usize].layout, self.records[g as usize].dtype),
        }
    }

    /// Of operations that only some architectures and Unsloth have. The page has them, as these operations themselves, in the
    /// part of its program that it loads for those (`doors` of xtask).
    #[inline(never)]
    fn uncommon_gradients(&mut self, node: u32, op: Gradient, g: u32, out: &mut [u32; MAX_EDGES]) {
        match op {
            Gradient::FastNorm { reuse_grad } => self.fast_norm_gradients(node, g, reuse_grad, out),
            Gradient::FastLoss => self.fast_loss_gradients(node, out),
            Gradient::FastCrossEntropy => self.fast_cross_entropy_gradient(node, out),
            Gradient::CutCrossEntropy => self.cut_cross_entropy_gradient(node, out),
            Gradient::CumulativeSum => out[0] = self.cumulative_sum_gradient(g),
            Gradient::SolveTriangular => self.solve_triangular_gradients(node, g, out),
            Gradient::Convolution => self.convolution_gradients(node, g, out),
            Gradient::Fill(part) => self.fill_gradients(node, g, part, out),
            Gradient::AddToPart { rest } => self.add_to_part_gradients(node, g, rest, out),
            Gradient::CopyToRest => self.copy_to_rest_gradients(node, g, out),
            Gradient::Deviation => self.deviation_gradient(node, g, out),
            Gradient::Largest => self.largest_gradient(node, out),
            Gradient::Float8Rows { inputs, outputs } => self.float8_rows_gradient(g, inputs, outputs, out),
            Gradient::Minimum => self.minimum_gradient(g, out),
            Gradient::GroupedMm(product) => self.grouped_mm_gradients(node, g, product, out),
            _ => {}
        }
    }

    /// Shape and dtype of an input that takes a gradient.
    pub(crate) fn input(&self, of: u32) -> Option<Input> {
        let record = self.records.get(of as usize)?;
        Some(Input {
            layout: record.layout,
            dtype: record.dtype,
        })
    }

    /// `grad.reshape(shape)` as a view where strides allow, else a copy that is viewed.
    pub(crate) fn reshape_gradient(&mut self, g: u32, shape: &[u64]) -> u32 {
        let (layout, dtype) = (self.records[g as usize].layout, self.records[g as usize].dtype);
        match layout.viewed(shape) {
            Some(view) => self.alias(g, view, true),
            None => self.alloc(Layout::contiguous(shape), dtype, "clone"),
        }
    }

    fn run_linear(&mut self, node: u32, l: LinearGrad) {
        let inputs = self.nodes[node as usize].inputs;
        let mut g = std::mem::replace(&mut self.nodes[node as usize].buffers[0], NONE);
        // UnsafeViewBackward0 / ViewBackward0 of the output.
        if l.flattened {
            let flat = self.reshape_gradient(g, &[l.rows, l.outputs]);
            self.release(g);
            g = flat;
        }
        let dtype = self.records[g as usize].dtype;
        let (mut gx, mut gb) = (NONE, NONE);
        let gw;
        let weight = |inner: &mut Self| match inner.input(inputs[1]) {
            Some(w) => inner.alloc(w.layout, dtype, "mm"),
            None => NONE,
        };
        let input = |inner: &mut Self| match inner.input(inputs[0]) {
            Some(_) => inner.alloc(Layout::contiguous(&[l.rows, l.inputs]), dtype, "mm"),
            None => NONE,
        };
        if l.bias {
            // AddmmBackward0: mat1, mat2, then self
            gx = input(self);
            if gx != NONE {
                self.touch_workspace();
            }
            gw = weight(self);
            self.touch_workspace();
            if inputs[2] != NONE {
                let same = self.retain(g);
                gb = self.fit_gradient(same, inputs[2]);
            }
        } else {
            // MmBackward0: mat2, then self
            gw = weight(self);
            if gw != NONE {
                self.touch_workspace();
            }
            if inputs[0] != NONE {
                gx = input(self);
                self.touch_workspace();
            }
        }
        self.release_recomputed(node);
        self.release(g);
        self.release_saved(node);
        if let (true, Some(x)) = (gx != NONE, self.input(inputs[0])) {
            if l.flattened {
                let shaped = self.alias(gx, x.layout.dense(), true);
                self.release(gx);
                gx = shaped;
            }
            self.deliver(inputs[0], gx);
        }
        if gw != NONE && inputs[1] != NONE {
            // TBackward0: the weight's gradient is a view of the product.
            self.records[gw as usize].view = true;
            self.deliver(inputs[1], gw);
        }
        if gb != NONE && inputs[2] != NONE {
            self.deliver(inputs[2], gb);
        }
    }

    /// `embedding_dense_backward` on CUDA (`aten/src/ATen/native/cuda/Embedding.cu`).
    fn embedding_gradient(&mut self, g: u32, tokens: u64, weight: Layout) -> u32 {
        let (layout, dtype) = (self.records[g as usize].layout, self.records[g as usize].dtype);
        // grad_.contiguous()
        let copy = if layout.is_contiguous() {
            NONE
        } else {
            self.alloc(layout.dense(), dtype, "clone")
        };
        let out = crate::ops::embedding::backward(self, tokens, weight, dtype);
        if copy != NONE {
            self.release(copy);
        }
        out
    }
}
