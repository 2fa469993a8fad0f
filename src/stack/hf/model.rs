//! The modules of a decoder-only model with their weights, in the order of their registration.

use super::linear::{Base, Linear};
use super::quantize;
use super::weight_adapter::WeightAdapter;
use crate::estimate::Category;
use crate::model::{Family, Norm, Part, PartKind};
use crate::plan::{Plan, Storage};
use crate::replay::{Dtype, Group, Place, Tape, Tensor};
use crate::stack::{Detail, blocks};

/// A part of a layer on the tape.
#[derive(Debug)]
pub enum Module<'t> {
    /// A linear layer.
    Linear(Linear<'t>),
    /// A bare parameter, with an adapter of its own or without.
    Weight(Tensor<'t>, Option<WeightAdapter<'t>>),
}

/// One decoder layer.
#[derive(Debug)]
pub struct Layer<'t> {
    /// Its number.
    pub index: u32,
    /// The group of equal layers it is recorded for.
    pub group: Group,
    /// Does it run Liger's kernels?
    pub liger: bool,
    /// Its parts, in the order of registration.
    pub parts: Vec<(Part, Module<'t>)>,
    /// What it holds beside its parameters.
    buffers: Vec<Tensor<'t>>,
}

/// The model.
#[derive(Debug)]
pub struct Model<'t> {
    /// Token embedding.
    pub embed: Tensor<'t>,
    /// What embeddings are multiplied by.
    pub embed_scale: Option<Tensor<'t>>,
    /// The layers that are recorded.
    pub layers: Vec<Layer<'t>>,
    /// Final norm.
    pub norm: Tensor<'t>,
    /// Its bias.
    pub norm_bias: Option<Tensor<'t>>,
    /// Head; `None` when it is the embedding's weight.
    pub head: Option<Tensor<'t>>,
    /// Its bias.
    pub head_bias: Option<Tensor<'t>>,
    /// Does the embedding's output require gradients (`enable_input_require_grads`)?
    pub input_requires_grad: bool,
    /// Rotary frequencies, tables that quantization shares between weights, and towers that see no input.
    _constants: Vec<Tensor<'t>>,
    /// Weights that `modules_to_save` replaced.
    pub replaced: Vec<Tensor<'t>>,
}

/// A weight of the base model.
fn weight<'t>(tape: &'t Tape, shape: &[u64], dtype: Dtype) -> Tensor<'t> {
    tape.tensor(shape, dtype, Category::Weights, "weight")
}

fn shape_of(shape: &[u64; 3]) -> &[u64] {
    let dims = shape.iter().take_while(|&&s| s > 0).count();
    &shape[..dims]
}

impl<'t> Model<'t> {
    /// Loads the base model: quantized linear layers first, one after another, then the rest in the order of modules.
    pub fn load(tape: &'t Tape, plan: &Plan, detail: Detail) -> Self {
        let a = &plan.arch;
        let mut constants = Vec::new();
        let blocks = blocks(plan, detail);
        tape.layers_are(blocks.order, blocks.bounded);
        let mut layers: Vec<Layer<'t>> = blocks
            .recorded
            .into_iter()
            .map(|(index, group)| Layer {
                index,
                group,
                liger: plan.liger,
                parts: Vec::new(),
                buffers: Vec::new(),
            })
            .collect();
        if plan.storage != Storage::Plain {
            for layer in &mut layers {
                layer.on(tape, |layer| layer.load_quantized(tape, plan, &mut constants));
            }
            tape.enter_group(Group::default());
        }
        if plan.towers > 0 {
            constants.push(weight(tape, &[plan.towers], plan.dtype));
        }
        let embed = weight(tape, &[a.vocab, a.hidden], plan.dtype);
        let buffer = |shape: &[u64], dtype, name| tape.tensor(shape, dtype, Category::Buffers, name);
        let embed_scale = a
            .family
            .scales_embeddings()
            .then(|| buffer(&[], plan.dtype, "embed_scale"));
        for layer in &mut layers {
            layer.on(tape, |layer| layer.load_rest(tape, plan));
        }
        tape.enter_group(Group::default());
        let tables = if a.family.has_tables_by_window() { 2 } else { 1 };
        let frequencies =
            || (0..2 * tables).map(|_| buffer(&[a.attention.rotary_dim / 2], Dtype::F32, "inv_freq"));
        if a.family.rotates_before_its_norm() {
            constants.extend(frequencies());
        }
        let norm = weight(tape, &[a.hidden], plan.dtype);
        let norm_bias = (a.norm() == Norm::Layer).then(|| weight(tape, &[a.hidden], plan.dtype));
        if !a.family.rotates_before_its_norm() {
            constants.extend(frequencies());
        }
        let head = (!a.tied).then(|| weight(tape, &[a.vocab, a.hidden], plan.dtype));
        let head_bias = (a.family.has_head_bias()).then(|| weight(tape, &[a.vocab], plan.dtype));
        Model {
            embed,
            embed_scale,
            layers,
            norm,
            norm_bias,
            head,
            head_bias,
            input_requires_grad: false,
            _constants: constants,
            replaced: Vec::new(),
        }
    }

    /// The weight of the head.
    pub fn head_weight(&self) -> &Tensor<'t> {
        self.head.as_ref().unwrap_or(&self.embed)
    }

    /// Calls `f` with every unpacked weight in the order of `model.parameters()`, inside its group.
    pub fn for_each_weight(&self, tape: &'t Tape, mut f: impl FnMut(&Tensor<'t>)) {
        self.for_each_by_decay(tape, |w, _| f(w));
    }

    /// As [`Model::for_each_weight`], and whether the weight decays in Trainer: no bias and no norm does, by their names
    /// (`transformers/trainer.py: get_decay_parameter_names`).
    pub fn for_each_by_decay(&self, tape: &'t Tape, mut f: impl FnMut(&Tensor<'t>, bool)) {
        f(&self.embed, true);
        for layer in &self.layers {
            tape.enter_group(layer.group);
            let is_own = |(part, _): &&(Part, Module<'t>)| part.is_own();
            let own = layer.parts.iter().filter(is_own);
            for (part, module) in own.chain(layer.parts.iter().filter(|entry| !is_own(entry))) {
                match module {
                    Module::Linear(linear) => linear.for_each_weight(&mut f),
                    Module::Weight(weight, adapter) => {
                        let decays = !["norm", "bias"].iter().any(|name| part.path.contains(name));
                        f(weight, decays);
                        if let Some(adapter) = adapter {
                            f(&adapter.a, true);
                            f(&adapter.b, true);
                        }
                    }
                }
            }
        }
        tape.enter_group(Group::default());
        f(&self.norm, false);
        if let Some(bias) = &self.norm_bias {
            f(bias, false);
        }
        if let Some(head) = &self.head {
            f(head, true);
        }
        if let Some(bias) = &self.head_bias {
            f(bias, false);
        }
    }

    /// As [`Model::for_each_weight`], the trained ones.
    pub fn for_each_trained(&self, tape: &'t Tape, mut f: impl FnMut(&Tensor<'t>)) {
        self.for_each_weight(tape, |w| {
            if w.requires_grad() {
                f(w);
            }
        });
    }
}

impl<'t> Layer<'t> {
    /// Runs `f` inside the layer's group and place.
    pub fn on<T>(&mut self, tape: &'t Tape, f: impl FnOnce(&mut Self) -> T) -> T {
        tape.enter_group(self.group);
        let outer = tape.enter(Place {
            layer: Some(self.index),
            module: "",
        });
        let out = f(self);
        tape.enter(outer);
        out
    }

    /// `self.path(x)` for a linear layer.
    pub fn linear(&self, path: &'static str, x: &Tensor<'t>) -> Tensor<'t> {
        match self.part(path) {
            Some(Module::Linear(linear)) => x.tape().within(path, || linear.forward(x)),
            // An architecture names only parts that it declares; a test runs every architecture.
            _ => x.clone(),
        }
    }

    /// The bare parameter of this path.
    pub fn weight(&self, path: &'static str) -> Option<&Tensor<'t>> {
        match self.part(path) {
            Some(Module::Weight(weight, _)) => Some(weight),
            _ => None,
        }
    }

    /// The bias of the norm of this path.
    pub fn bias_of(&self, path: &'static str) -> Option<&Tensor<'t>> {
        self.parts.iter().find_map(|(part, module)| match module {
            Module::Weight(bias, _) if part.path.strip_suffix(".bias") == Some(path) => Some(bias),
            _ => None,
        })
    }

    pub(super) fn part(&self, path: &'static str) -> Option<&Module<'t>> {
        // Most paths are the very literals that parts are declared with.
        let same = |(part, _): &&(Part, Module<'t>)| std::ptr::eq(part.path, path);
        let equal = |(part, _): &&(Part, Module<'t>)| part.path == path;
        let found = self
            .parts
            .iter()
            .find(same)
            .or_else(|| self.parts.iter().find(equal));
        found.map(|(_, module)| module)
    }

    /// The linear layers, to be changed.
    pub fn linears_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut Linear<'t>)> {
        self.parts.iter_mut().filter_map(|(part, module)| match module {
            Module::Linear(linear) => Some((part.name(), linear)),
            Module::Weight(..) => None,
        })
    }

    fn load_quantized(&mut self, tape: &'t Tape, plan: &Plan, tables: &mut Vec<Tensor<'t>>) {
        let parts = plan.arch.layer(self.index.into());
        self.parts.reserve(parts.len());
        for part in parts {
            let PartKind::Linear { inputs, outputs, .. } = part.kind else {
                continue;
            };
            let base = match plan.storage_of(self.index.into(), &part) {
                Storage::Plain => continue,
                Storage::EightBit => quantize::eight_bit(tape, inputs, outputs),
                Storage::FourBit { double_quant } => {
                    quantize::four_bit(tape, plan.dtype, inputs, outputs, double_quant, tables)
                }
                Storage::Float8 => quantize::float8(tape, plan.dtype, inputs, outputs),
                // `Plan::new` refuses it.
                storage @ (Storage::Float8Rows | Storage::Float8Blocks) => {
                    quantize::stored(tape, storage, plan.dtype, inputs, outputs)
                }
                Storage::Mxfp4 => continue,
            };
            self.parts
                .push((part, Module::Linear(linear(plan, inputs, outputs, base))));
        }
    }

    /// Everything that is not quantized, and the order of registration.
    fn load_rest(&mut self, tape: &'t Tape, plan: &Plan) {
        let mut quantized = std::mem::take(&mut self.parts).into_iter().peekable();
        let parts = plan.arch.layer(self.index.into());
        self.parts.reserve(parts.len());
        for part in parts {
            let module = match part.kind {
                PartKind::Weight([count, inputs, outputs]) if plan.packs_experts() && outputs > 0 => {
                    let (packed, scales) = quantize::experts(tape, count, inputs.saturating_mul(outputs));
                    self.buffers.push(scales);
                    Module::Weight(packed, None)
                }
                PartKind::Weight(shape) => Module::Weight(weight(tape, shape_of(&shape), plan.dtype), None),
                PartKind::Linear {
                    inputs,
                    outputs,
                    bias,
                } => {
                    let mut module = match quantized.next_if(|(q, _)| q.path == part.path) {
                        Some((_, Module::Linear(linear))) => linear,
                        _ => {
                            let base = Base::Plain(weight(tape, &[outputs, inputs], plan.dtype));
                            linear(plan, inputs, outputs, base)
                        }
                    };
                    // bitsandbytes' layers replace the model's when it has been made, in PyTorch's default dtype
                    // (`transformers/integrations/bitsandbytes.py: replace_with_bnb_linear`).
                    let dtype = match module.base {
                        Base::FourBit { .. } | Base::EightBit { .. } => Dtype::F32,
                        _ => plan.dtype,
                    };
                    module.bias = bias.then(|| weight(tape, &[outputs], dtype));
                    Module::Linear(module)
                }
            };
            self.parts.push((part, module));
            // `e_score_correction_bias`, a buffer in fp32 of the router that it corrects.
            let correction = plan.arch.buffers(self.index.into());
            let behind = match plan.arch.family {
                Family::MiniMaxM2 => "mlp.experts.down_proj",
                _ => "mlp.gate.weight",
            };
            if part.path == behind && correction > 0 {
                let groups = plan.arch.experts.as_ref().and_then(|experts| experts.groups);
                let fp32 = groups.is_some_and(|groups| groups.fp32_correction);
                let dtype = if fp32 { Dtype::F32 } else { plan.dtype };
                let bias = tape.tensor(&[correction], dtype, Category::Buffers, "buffer");
                self.buffers.push(bias);
            }
        }
    }
}

fn linear<'t>(plan: &Plan, inputs: u64, outputs: u64, base: Base<'t>) -> Linear<'t> {
    let dropout = plan.lora.as_ref().is_some_and(|l| l.dropout);
    Linear {
        inputs,
        outputs,
        base,
        bias: None,
        lora: None,
        dropout,
        float8: plan.float8,
    }
}
