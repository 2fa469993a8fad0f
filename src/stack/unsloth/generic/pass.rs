//! The forward and backward pass of a micro-batch over compiled layers.

use super::grouped_experts::{self, Records};
use super::sizes::{Arm, Buffer, Sizes};
use super::{adapted, full, fused_loss, gpt_oss};
use crate::estimate::Category;
use crate::model::Family;
use crate::plan::Plan;
use crate::replay::{Dtype, Group, Place, Tape, Tensor};
use crate::scenario::Checkpointing;
use crate::stack::hf::linear::Base;
use crate::stack::hf::model::{Layer, Model, Module};
use crate::stack::unsloth::batch::Batch;
use crate::stack::unsloth::checkpoint::Staging;
use crate::stack::unsloth::loss;
use std::cell::RefCell;

/// The linear layers of a layer, in the order of [`adapted::Arms`].
const LINEARS: [&str; 7] = [
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
];
/// Its norms that every family has.
const NORMS: [&str; 2] = ["input_layernorm", "post_attention_layernorm"];

/// What a layer keeps.
enum Kept<'t> {
    Full(Box<full::Kept<'t>>),
    Adapted(Box<adapted::Kept<'t>>),
    GptOss(Box<gpt_oss::Kept<'t>>),
}

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
}

impl std::fmt::Debug for Compiled<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Compiled")
    }
}

/// The linear layers that compiled code computes with.
fn arms(layer: &Layer<'_>) -> adapted::Arms {
    LINEARS.map(|path| {
        let found = layer.parts.iter().find_map(|(part, module)| match module {
            Module::Linear(linear) if part.path == path => Some(Arm::of(linear)),
            _ => None,
        });
        found.unwrap_or_default()
    })
}

/// One layer of a model: its sizes and how it runs.
struct Step<'a, 't> {
    sizes: Sizes<'t>,
    layer: &'a Layer<'t>,
    arms: adapted::Arms,
    gpt_oss: Option<gpt_oss::Parts>,
    trains_all: bool,
}

/// The stacked weights of a layer's experts.
const EXPERTS: [&str; 2] = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"];

/// What a layer of GPT-OSS is made of, if it is one.
fn gpt_oss_parts(plan: &Plan, layer: &Layer<'_>, arms: &adapted::Arms) -> Option<gpt_oss::Parts> {
    if !plan.packs_experts() {
        return None;
    }
    let experts = plan.arch.experts.as_ref()?;
    let adapted = |path: &&str| {
        let lora = plan.lora.as_ref()?;
        let part = layer.parts.iter().find(|(part, _)| part.path == *path)?;
        lora.adapter_of(&part.0)
            .map(|adapter| adapter.rank / experts.count.max(1))
    };
    let [query, key, value, output, ..] = *arms;
    Some(gpt_oss::Parts {
        arms: [query, key, value, output],
        experts: grouped_experts::Shape::of(plan, [adapted(&EXPERTS[0]), adapted(&EXPERTS[1])])?,
        routed: [experts.count, experts.per_token],
        stream: if layer.index == 0 { plan.dtype } else { Dtype::F32 },
    })
}

impl<'a, 't> Step<'a, 't> {
    fn new(sizes: Sizes<'t>, plan: &Plan, layer: &'a Layer<'t>) -> Self {
        let arms = arms(layer);
        Step {
            sizes,
            layer,
            gpt_oss: gpt_oss_parts(plan, layer, &arms),
            arms,
            trains_all: plan.lora.is_none(),
        }
    }

    /// The input of a layer that comes back from the host in 16 bit, in the dtype of the residual stream.
    fn restored(&self) -> Option<Tensor<'t>> {
        let parts = self
            .gpt_oss
            .as_ref()
            .filter(|parts| parts.stream != self.sizes.dtype)?;
        let elements = self.sizes.tokens.saturating_mul(self.sizes.hidden);
        Some(self.sizes.buffer(elements, parts.stream))
    }

    fn forward_only(&self) -> Tensor<'t> {
        if let Some(parts) = &self.gpt_oss {
            return gpt_oss::forward_only(&self.sizes, parts);
        }
        match self.trains_all {
            true => full::forward_only(&self.sizes),
            false => adapted::forward_only(&self.sizes, &self.arms),
        }
    }

    fn forward(&self, records: Records) -> (Kept<'t>, Tensor<'t>) {
        if let Some(parts) = &self.gpt_oss {
            let (kept, out) = gpt_oss::forward(&self.sizes, parts, records);
            return (Kept::GptOss(Box::new(kept)), out);
        }
        if self.trains_all {
            let (kept, out) = full::forward(&self.sizes);
            return (Kept::Full(Box::new(kept)), out);
        }
        let (kept, out) = adapted::forward(&self.sizes, &self.arms);
        (Kept::Adapted(Box::new(kept)), out)
    }

    /// The gradient of the layer's input; those of its weights go to them.
    fn backward(&self, kept: Kept<'t>, incoming: Option<Tensor<'t>>) -> Tensor<'t> {
        match kept {
            Kept::Full(kept) => {
                let (gradient, weights) = full::backward(&self.sizes, *kept, incoming);
                for (path, gradient) in LINEARS.into_iter().zip(weights.linears) {
                    self.each_linear(path, |linear| {
                        if let Base::Plain(weight) = &linear.base {
                            weight.take_grad(gradient.clone());
                        }
                    });
                }
                for (path, gradient) in NORMS.into_iter().zip(weights.norms) {
                    if let Some(weight) = self.layer.weight(path) {
                        weight.take_grad(gradient);
                    }
                }
                self.rest();
                gradient
            }
            Kept::GptOss(kept) => self.gpt_oss_backward(*kept, incoming),
            Kept::Adapted(kept) => {
                let (gradient, adapters) = adapted::backward(&self.sizes, &self.arms, *kept, incoming);
                for (path, gradients) in LINEARS.into_iter().zip(adapters) {
                    let Some([first, second]) = gradients else {
                        continue;
                    };
                    self.each_linear(path, |linear| {
                        if let Some(adapters) = &linear.lora {
                            adapters.a.take_grad(first.clone());
                            adapters.b.take_grad(second.clone());
                        }
                    });
                }
                gradient
            }
        }
    }

    fn gpt_oss_backward(&self, kept: gpt_oss::Kept<'t>, incoming: Option<Tensor<'t>>) -> Tensor<'t> {
        let Some(parts) = &self.gpt_oss else {
            return self.sizes.rows(self.sizes.hidden);
        };
        let (gradient, (linears, stacks)) = gpt_oss::backward(&self.sizes, parts, kept);
        drop(incoming);
        for (path, gradients) in LINEARS.into_iter().zip(linears) {
            let Some([first, second]) = gradients else {
                continue;
            };
            self.each_linear(path, |linear| {
                if let Some(adapters) = &linear.lora {
                    adapters.a.take_grad(first);
                    adapters.b.take_grad(second);
                }
            });
        }
        for (path, gradients) in EXPERTS.into_iter().zip(stacks) {
            let found = self.layer.parts.iter().find(|(part, _)| part.path == path);
            if let (Some([first, second]), Some((_, Module::Weight(_, Some(adapter))))) = (gradients, found) {
                // The stacks are declared inputs x outputs.
                adapter.a.take_grad(second);
                adapter.b.take_grad(first);
            }
        }
        gradient
    }

    fn each_linear(&self, path: &str, f: impl FnOnce(&crate::stack::hf::linear::Linear<'t>)) {
        let found = self.layer.parts.iter().find_map(|(part, module)| match module {
            Module::Linear(linear) if part.path == path => Some(linear),
            _ => None,
        });
        if let Some(linear) = found {
            f(linear);
        }
    }

    /// Gradients of biases and of norms over heads: small sums over all tokens.
    fn rest(&self) {
        let tape = self.sizes.tape;
        let give = |weight: &Tensor<'t>| {
            if weight.requires_grad() && !weight.has_grad() {
                weight.take_grad(tape.temporary(weight.layout().shape(), weight.dtype(), "sum"));
            }
        };
        for (_, module) in &self.layer.parts {
            match module {
                Module::Linear(linear) => {
                    if let Some(bias) = &linear.bias {
                        give(bias);
                    }
                }
                Module::Weight(weight, _) => give(weight),
            }
        }
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
        if plan.packs_experts() {
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
        let embeds = plan.lora.is_some().then(|| hidden.clone());
        let tables = tables(&s, plan);
        let mut layers = Vec::with_capacity(model.layers.len());
        for layer in &model.layers {
            let step = Step::new(s, plan, layer);
            let staged = match plan.checkpointing {
                Checkpointing::None => None,
                _ => Some(staging.of(tape, plan, layer.index)),
            };
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
        // Trained norms are kept in fp32, and so is what comes out of them (`prepare_model_for_training`).
        let rstd = s.scalars(1);
        let wide = plan.packs_experts();
        let stream = if wide { Dtype::F32 } else { model.norm.dtype() };
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
        self.pass.replace(Some(Pass {
            embeds,
            tables,
            layers,
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
            if plan.packs_experts() {
                // The residual stream is fp32.
                let elements = s.tokens.saturating_mul(s.hidden);
                let _wide = s.buffer(elements, Dtype::F32);
                return s.buffer(elements, Dtype::F32);
            }
            s.rows(s.hidden)
        });
        drop((pass.last, pass.rstd, for_normed));
        for (layer, (input, kept)) in model.layers.iter().zip(pass.layers).rev() {
            let step = Step::new(s, plan, layer);
            gradient = within(tape, layer, || {
                if let Some(kept) = kept {
                    let through =
                        tape.as_backward("CompiledFunctionBackward", || step.backward(kept, Some(gradient)));
                    drop(input);
                    return through;
                }
                let restored = input.is_none().then(|| step.restored()).flatten();
                let (kept, out) = tape.as_recomputation(|| step.forward(Records::Again));
                let through = tape.as_backward("CompiledFunctionBackward", || step.backward(kept, None));
                drop(out);
                drop(gradient);
                drop((input, restored));
                through
            });
        }
        tape.enter_group(Group::default());
        if model.embed.requires_grad() {
            tape.as_backward("EmbeddingBackward0", || {
                let dense = tape.embedding_gradient(s.tokens, &model.embed);
                drop(gradient);
                model.embed.take_grad(dense);
            });
            drop(pass.tables);
        } else {
            drop(pass.tables);
            if plan.packs_experts() {
                self.leaf_gradient.replace(Some(gradient));
            }
        }
        drop(pass.embeds);
    }
}

/// Embedded tokens; a family that scales them makes a second tensor.
fn embed<'t>(s: &Sizes<'t>, plan: &Plan) -> Tensor<'t> {
    let embeds = s.rows(s.hidden);
    if plan.arch.family.scales_embeddings() {
        let scaled = s.rows(s.hidden);
        drop(embeds);
        return scaled;
    }
    embeds
}

/// Cosines and sines of the batch's positions, for windows too where they differ.
fn tables<'t>(s: &Sizes<'t>, plan: &Plan) -> Vec<Buffer<'t>> {
    let sets = if plan.arch.family.has_tables_by_window() {
        2
    } else {
        1
    };
    let mut width = plan.arch.attention.rotary_dim;
    let mut rows = s.tokens;
    if plan.packs_experts() {
        // One row of positions, half of the columns.
        (rows, width) = (plan.row_length(), width / 2);
    }
    let mut tables = Vec::new();
    for _ in 0..sets {
        let table = || {
            let shape = [rows, width];
            s.tape.tensor(&shape, s.dtype, Category::Buffers, "rotary_emb")
        };
        tables.push(table());
        let angles = table();
        tables.push(table());
        drop(angles);
    }
    tables
}
