//! The forward and backward pass of a micro-batch over compiled layers.

use super::fused_loss;
use super::grouped_experts::Records;
use super::one_layer::{Kept, Step};
use super::sizes::{Buffer, Sizes};
use crate::estimate::Category;
use crate::model::Family;
use crate::plan::Plan;
use crate::replay::{Dtype, Group, Place, Tape, Tensor};
use crate::scenario::Checkpointing;
use crate::stack::hf::model::{Layer, Model};
use crate::stack::unsloth::batch::Batch;
use crate::stack::unsloth::checkpoint::Staging;
use crate::stack::unsloth::loss;
use std::cell::{Cell, RefCell};

/// How the loss waits for its backward pass.
enum Loss<'t> {
    /// In chunks of transformers' forward.
    Fused(fused_loss::Waiting<'t>),
    /// As hand-written layers have it, on the hidden states.
    Tiled { loss: Tensor<'t>, hidden: Tensor<'t> },
}

/// A forward pass that waits for its backward pass.
struct Pass<'t> {
    embeds: Option<Tensor<'t>>,
    /// Rotary tables and block masks.
    tables: Vec<Buffer<'t>>,
    /// By recorded layer: the input, where it stays on the GPU, and what is kept without checkpointing.
    layers: Vec<(Option<Tensor<'t>>, Option<Kept<'t>>)>,
    /// What the layers' first runs keep, where the scores of their routers hold it.
    tried: Vec<Option<Kept<'t>>>,
    last: Tensor<'t>,
    rstd: Buffer<'t>,
    loss: Loss<'t>,
}

/// Compiled layers between their forward and backward pass.
#[derive(Default)]
pub struct Compiled<'t> {
    pass: RefCell<Option<Pass<'t>>>,
    /// The gradient of the embedded tokens, where the model's forward holds the leaf until the next one.
    leaf_gradient: RefCell<Option<Tensor<'t>>>,
    /// Has every layer run once?
    is_tried: Cell<bool>,
}

impl std::fmt::Debug for Compiled<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Compiled")
    }
}

/// Names the place of what a layer does.
fn within<'t, T>(tape: &'t Tape, layer: &Layer<'t>, f: impl FnOnce() -> T) -> T {
    tape.enter_group(layer.group);
    let outer = tape.enter(Place {
        layer: Some(layer.index),
        module: "",
    });
    let out = f();
    tape.enter(outer);
    out
}

impl<'t> Compiled<'t> {
    /// What the first step leaves behind.
    pub fn settle(&self, tape: &'t Tape, plan: &Plan) {
        self.is_tried.set(true);
        if plan.is_packed_gpt_oss() {
            let s = Sizes::of(tape, plan);
            self.leaf_gradient.replace(Some(s.rows(s.hidden)));
        }
    }

    /// The loss of a micro-batch.
    pub fn forward(
        &self,
        tape: &'t Tape,
        plan: &Plan,
        model: &Model<'t>,
        staging: &Staging<'t>,
        batch: &Batch<'t>,
    ) -> Tensor<'t> {
        let s = Sizes::of(tape, plan);
        let mut hidden = embed(&s, plan);
        let embeds = model.has_leaf().then(|| hidden.clone());
        let mut tables = masks(&s);
        tables.extend(rotary_tables(&s, plan));
        let mut layers = Vec::with_capacity(model.layers.len());
        let mut tried = Vec::new();
        let tries = !self.is_tried.replace(true)
            && plan.checkpointing != Checkpointing::None
            && !plan.is_packed_gpt_oss()
            && !s.is_forced();
        for layer in &model.layers {
            let step = Step::new(s, plan, layer);
            let staged = match plan.checkpointing {
                Checkpointing::None => None,
                _ => Some(staging.of(tape, plan, layer.index)),
            };
            // Before a layer first runs without a graph it is tried with one, which is dropped but where its router's
            // scores are recorded (`unsloth/models/_block_compile.py: forward`, "Grad-mode trial first").
            let kept = tries.then(|| within(tape, layer, || step.forward(Records::Once).0));
            tried.push(kept.filter(|kept| kept.is_routed()));
            let (kept, out) = within(tape, layer, || match &staged {
                Some(_) => (None, step.forward_only()),
                None => {
                    let (kept, out) = step.forward(Records::Once);
                    (Some(kept), out)
                }
            });
            let input = std::mem::replace(&mut hidden, out);
            layers.push((
                match staged {
                    Some(Some(_)) => None,
                    _ => Some(input),
                },
                kept,
            ));
        }
        tape.enter_group(Group::default());
        let _logits = router_logits(&s, plan, s.dtype);
        // Trained norms are kept in fp32, and so is what comes out of them (`prepare_model_for_training`).
        let rstd = s.scalars(1);
        let wide = plan.widens_stream();
        let stream = match wide {
            true => Dtype::F32,
            // Gemma's norm gives back the dtype of its input.
            false if s.sandwich => s.dtype,
            false => model.norm.dtype(),
        };
        let mut normed = s.buffer(s.tokens.saturating_mul(s.hidden), stream);
        if wide {
            normed = s.rows(s.hidden);
        }
        let head = model.head_weight();
        let (own, loss) = if plan.arch.family == Family::Gemma3 {
            let hidden = normed.viewed_as_leaf();
            let loss = loss::loss(tape, plan, hidden.clone(), head, batch);
            (
                tape.temporary(&[], Dtype::F32, "loss"),
                Loss::Tiled { loss, hidden },
            )
        } else {
            let (own, waiting) = fused_loss::forward(&s, plan, normed, head);
            (own, Loss::Fused(waiting))
        };
        // Outputs become fp32 (`accelerate/utils/operations.py: convert_to_fp32`).
        drop(router_logits(&s, plan, Dtype::F32));
        self.pass.replace(Some(Pass {
            embeds,
            tables,
            layers,
            tried,
            last: hidden,
            rstd,
            loss,
        }));
        own
    }

    /// `loss.backward()`.
    pub fn backward(&self, tape: &'t Tape, plan: &Plan, model: &Model<'t>) {
        let Some(pass) = self.pass.take() else { return };
        let s = Sizes::of(tape, plan);
        let (for_normed, for_head) = match pass.loss {
            Loss::Fused(waiting) => {
                tape.as_backward("UnslothFusedLossBackward", || fused_loss::backward(&s, waiting))
            }
            Loss::Tiled { loss, hidden } => {
                tape.backward(&loss, &|_, x, _| x);
                drop(loss);
                let gradient = hidden.leave_grad();
                (gradient.unwrap_or(hidden), None)
            }
        };
        if let Some(gradient) = for_head {
            model.head_weight().take_grad(gradient);
        }
        let mut gradient = tape.as_backward("CompiledFunctionBackward", || {
            if model.norm.requires_grad() {
                let sums = s.buffer(s.parts(s.hidden).saturating_mul(s.hidden), Dtype::F32);
                let weight = s.buffer(s.hidden, Dtype::F32);
                drop(sums);
                model.norm.take_grad(weight);
            }
            if plan.widens_stream() {
                // The residual stream is fp32.
                let elements = s.tokens.saturating_mul(s.hidden);
                let _wide = s.buffer(elements, Dtype::F32);
                return s.buffer(elements, Dtype::F32);
            }
            if s.is_forced() {
                return s.buffer(s.tokens.saturating_mul(s.hidden), Dtype::F32);
            }
            s.rows(s.hidden)
        });
        drop((pass.last, pass.rstd, for_normed));
        // The loss that balances experts flows through the first runs.
        for (layer, kept) in model.layers.iter().zip(pass.tried).rev() {
            let Some(kept) = kept else { continue };
            let step = Step::new(s, plan, layer);
            within(tape, layer, || {
                tape.as_backward("CompiledFunctionBackward", || {
                    let _zeros = s.rows(s.hidden);
                    step.backward(kept, None)
                })
            });
        }
        for (layer, (input, kept)) in model.layers.iter().zip(pass.layers).rev() {
            let step = Step::new(s, plan, layer);
            gradient = within(tape, layer, || {
                if let Some(kept) = kept {
                    let through =
                        tape.as_backward("CompiledFunctionBackward", || step.backward(kept, Some(gradient)));
                    drop(input);
                    tape.kernels_are_new(false);
                    return through;
                }
                let restored = input.is_none().then(|| step.restored()).flatten();
                let (kept, out) = tape.as_recomputation(|| step.forward(Records::Again));
                let through = tape.as_backward("CompiledFunctionBackward", || step.backward(kept, None));
                drop(out);
                drop(gradient);
                drop((input, restored));
                tape.kernels_are_new(false);
                through
            });
        }
        tape.enter_group(Group::default());
        if model.embed.requires_grad() {
            tape.as_backward("EmbeddingBackward0", || {
                if plan.arch.family.scales_embeddings() {
                    let unscaled = s.rows(s.hidden);
                    drop(std::mem::replace(&mut gradient, unscaled));
                }
                let dense = tape.embedding_gradient(s.tokens, &model.embed);
                drop(gradient);
                model.embed.take_grad(dense);
            });
            drop(pass.tables);
        } else {
            drop(pass.tables);
            if plan.is_packed_gpt_oss() {
                self.leaf_gradient.replace(Some(gradient));
            }
        }
        drop(pass.embeds);
    }
}

/// Scores of every layer's router, which the model's output holds, for the loss that balances experts.
fn router_logits<'t>(s: &Sizes<'t>, plan: &Plan, dtype: Dtype) -> Option<Buffer<'t>> {
    let experts = plan.arch.experts.as_ref()?;
    (!plan.is_packed_gpt_oss()).then(|| {
        let scores = s.tokens.saturating_mul(experts.count);
        s.buffer(scores.saturating_mul(plan.arch.layers), dtype)
    })
}

/// Embedded tokens; a family that scales them makes a second tensor.
fn embed<'t>(s: &Sizes<'t>, plan: &Plan) -> Tensor<'t> {
    if s.is_forced() {
        return s.buffer(s.tokens.saturating_mul(s.hidden), Dtype::F32);
    }
    let embeds = s.rows(s.hidden);
    if plan.arch.family.scales_embeddings() {
        let scaled = s.rows(s.hidden);
        drop(embeds);
        return scaled;
    }
    embeds
}

/// Cosines and sines of the batch's positions, for each kind of layer that the model has where windows have their own
/// (`modeling_gemma3.py: Gemma3TextModel.forward`, over `set(config.layer_types)`).
fn rotary_tables<'t>(s: &Sizes<'t>, plan: &Plan) -> Vec<Buffer<'t>> {
    let mixed = || {
        let mut windowed = (0..plan.arch.layers).map(|layer| plan.arch.is_windowed(layer));
        let first = windowed.next();
        windowed.any(|other| Some(other) != first)
    };
    let sets = if plan.arch.family.has_tables_by_window() && mixed() {
        2
    } else {
        1
    };
    let mut width = plan.arch.attention.rotary_dim;
    let mut rows = s.tokens;
    if plan.is_packed_gpt_oss() {
        // One row of positions, half of the columns.
        (rows, width) = (plan.row_length(), width / 2);
    }
    let mut tables = Vec::new();
    for _ in 0..sets {
        let table = || {
            let shape = [rows, width];
            s.tape.tensor(&shape, s.dtype, Category::Buffers, "rotary_emb")
        };
        if s.is_forced() {
            let single = |width: u64| {
                let shape = [rows, width];
                s.tape.tensor(&shape, Dtype::F32, Category::Buffers, "rotary_emb")
            };
            tables.push(single(width));
            let angles = single(width / 2);
            tables.push(single(width));
            drop(angles);
            continue;
        }
        tables.push(table());
        let angles = table();
        tables.push(table());
        drop(angles);
    }
    tables
}

/// Additive masks in fp32, of full attention and of windows, where attention is not flex attention
/// (`transformers/masking_utils.py: create_causal_mask, create_sliding_window_causal_mask`).
fn masks<'t>(s: &Sizes<'t>) -> Vec<Buffer<'t>> {
    if !s.is_forced() {
        return Vec::new();
    }
    let rows = s.attention.batch.saturating_mul(s.attention.seq);
    let elements = rows.saturating_mul(s.attention.seq);
    let boolean = || s.buffer(elements, Dtype::Bool);
    let additive = || s.buffer(elements, Dtype::F32);
    let full = {
        let causal = boolean();
        let _unmasked = boolean();
        drop(causal);
        additive()
    };
    let windows = {
        let window = boolean();
        let overlay = boolean();
        drop(window);
        let causal = boolean();
        let both = boolean();
        drop((causal, overlay));
        let _unmasked = boolean();
        drop(both);
        additive()
    };
    vec![full, windows]
}
