//! The modules of a decoder-only model with their weights, in the order of their registration.

use super::forward::rotated_widths;
use super::linear::{Base, Linear};
use super::quantize;
use super::weight_adapter::WeightAdapter;
use crate::estimate::Category;
use crate::model::{Correction, Family, Norm, Part, PartKind};
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
    /// What its result, or its embedding, is multiplied by.
    scale: Option<Tensor<'t>>,
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
    /// What it holds beside its layers, where it does.
    pub beside: Option<Layer<'t>>,
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

/// The index of what a model holds beside its layers.
pub(super) const BESIDE: u32 = u32::MAX;

/// Parameters of modules that also have children, with the module.
const OWN: [(&str, &str); 8] = [
    ("self_attn.", "self_attn.sinks"),
    ("linear_attn.", "linear_attn.dt_bias"),
    ("linear_attn.", "linear_attn.A_log"),
    ("router.", "router.scale"),
    ("router.", "router.per_expert_scale"),
    ("altup.", "altup.correct_output_scale"),
    ("", "cross_attn_attn_gate"),
    ("", "cross_attn_mlp_gate"),
];

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
            .map(|(index, group)| Layer::new(plan, index, group))
            .collect();
        let mut beside = a.per_layer.map(|_| Layer::new(plan, BESIDE, Group::default()));
        if plan.storage != Storage::Plain {
            for layer in layers.iter_mut().chain(&mut beside) {
                layer.on(tape, |layer| layer.load_quantized(tape, plan, &mut constants));
            }
            tape.enter_group(Group::default());
        }
        if plan.towers > 0 {
            constants.push(weight(tape, &[plan.towers], plan.dtype));
        }
        let embed = weight(tape, &[a.embedding_rows(), a.hidden], plan.dtype);
        let buffer = |shape: &[u64], dtype, name| tape.tensor(shape, dtype, Category::Buffers, name);
        let embed_scale = a
            .family
            .scales_embeddings()
            .then(|| buffer(&[], plan.dtype, "embed_scale"));
        for layer in &mut layers {
            layer.on(tape, |layer| layer.load_rest(tape, plan));
        }
        tape.enter_group(Group::default());
        // As they are and `original_inv_freq`, by kind of layer.
        let [of_full, of_windowed] = rotated_widths(plan);
        // Of the kinds of layers that there are (`Gemma3RotaryEmbedding`: `sorted(set(config.layer_types))`).
        let has = |windowed| (0..a.layers).any(|index| a.is_windowed(index) == windowed);
        let kinds: Vec<u64> = if a.family.has_tables_by_window() {
            [(false, of_full), (true, of_windowed)]
                .into_iter()
                .filter_map(|(windowed, width)| has(windowed).then_some(width))
                .collect()
        } else {
            vec![of_windowed]
        };
        let frequencies = || {
            kinds
                .iter()
                .flat_map(|width| [width / 2; 2])
                .map(|count| buffer(&[count], Dtype::F32, "inv_freq"))
        };
        if a.family.rotates_before_its_norm() {
            constants.extend(frequencies());
        }
        let norm = weight(tape, &[a.hidden], plan.dtype);
        let norm_bias = (a.norm() == Norm::Layer).then(|| weight(tape, &[a.hidden], plan.dtype));
        if !a.family.rotates_before_its_norm() {
            constants.extend(frequencies());
        }
        if let Some(beside) = &mut beside {
            beside.on(tape, |beside| beside.load_rest(tape, plan));
        }
        let head = (!a.tied).then(|| weight(tape, &[a.vocab, a.hidden], plan.dtype));
        let head_bias = (a.family.has_head_bias()).then(|| weight(tape, &[a.vocab], plan.dtype));
        Model {
            embed,
            embed_scale,
            layers,
            beside,
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
            layer.for_each_by_decay(&mut f);
        }
        tape.enter_group(Group::default());
        f(&self.norm, false);
        if let Some(bias) = &self.norm_bias {
            f(bias, false);
        }
        if let Some(beside) = &self.beside {
            beside.for_each_by_decay(&mut f);
        }
        if let Some(head) = &self.head {
            f(head, true);
        }
        if let Some(bias) = &self.head_bias {
            f(bias, false);
        }
    }

    /// The layers, and what the model holds beside them, to be changed.
    pub fn modules_mut(&mut self) -> impl Iterator<Item = &mut Layer<'t>> {
        self.layers.iter_mut().chain(&mut self.beside)
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
    fn new(plan: &Plan, index: u32, group: Group) -> Self {
        Layer {
            index,
            group,
            liger: plan.liger,
            parts: Vec::new(),
            buffers: Vec::new(),
            scale: None,
        }
    }

    /// The parts that it is to hold.
    fn declared(&self, plan: &Plan) -> Vec<Part> {
        match self.index {
            BESIDE => plan.arch.beside_layers(),
            index => plan.arch.layer(index.into()),
        }
    }

    /// Its weights as `model.parameters()` goes through them, and whether each decays.
    pub(super) fn for_each_by_decay(&self, f: &mut dyn FnMut(&Tensor<'t>, bool)) {
        for (part, module) in self.in_order_of_parameters() {
            match module {
                Module::Linear(linear) => linear.for_each_weight(f),
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

    /// Runs `f` inside the layer's group and place.
    pub fn on<T>(&mut self, tape: &'t Tape, f: impl FnOnce(&mut Self) -> T) -> T {
        tape.enter_group(self.group);
        let outer = tape.enter(Place {
            layer: Some(self.index).filter(|&index| index != BESIDE),
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

    /// What its result, or its embedding, is multiplied by.
    pub fn scale(&self) -> Option<&Tensor<'t>> {
        self.scale.as_ref()
    }

    /// The numbers that its activation function holds as buffers.
    pub fn numbers(&self) -> [Option<&Tensor<'t>>; 2] {
        [self.buffers.first(), self.buffers.get(1)]
    }

    /// Its parts as `model.parameters()` goes through them: what a module holds itself comes before what its children
    /// hold, though it is loaded after them.
    fn in_order_of_parameters(&self) -> impl Iterator<Item = &(Part, Module<'t>)> {
        let module_of = |part: &Part| OWN.iter().find(|own| own.1 == part.path).map(|own| own.0);
        let own = self
            .parts
            .iter()
            .filter(move |(part, _)| module_of(part).is_some());
        let has_own = own.clone().next().is_some();
        let mut open = None;
        self.parts.iter().flat_map(move |entry| {
            let part = &entry.0;
            let of = OWN
                .iter()
                .map(|own| own.0)
                .find(|module| has_own && part.path.starts_with(module));
            let begins = of.filter(|_| open != of);
            open = of;
            let first = own
                .clone()
                .filter(move |(part, _)| begins.is_some() && module_of(part) == begins);
            first.chain(Some(entry).filter(|_| module_of(part).is_none()))
        })
    }

    /// The bare parameter of this path.
    pub fn weight(&self, path: &'static str) -> Option<&Tensor<'t>> {
        match self.part(path) {
            Some(Module::Weight(weight, _)) => Some(weight),
            _ => None,
        }
    }

    /// The weight of the linear layer of this path, without its adapter.
    pub fn base_weight(&self, path: &'static str) -> Option<&Tensor<'t>> {
        match self.part(path) {
            Some(Module::Linear(Linear {
                base: Base::Plain(weight),
                ..
            })) => Some(weight),
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
        let parts = self.declared(plan);
        self.parts.reserve(parts.len());
        for part in parts {
            let PartKind::Linear { inputs, outputs, .. } = part.kind else {
                continue;
            };
            let base = match plan.storage_of(self.index.into(), &part) {
                Storage::Plain => continue,
                Storage::EightBit => quantize::eight_bit(tape, inputs, outputs),
                Storage::FourBit { double_quant } => {
                    let dtypes = [plan.dtype, plan.compute_dtype()];
                    quantize::four_bit(tape, dtypes, inputs, outputs, double_quant, tables)
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
        let parts = self.declared(plan);
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
            if part.path == "embed_tokens_per_layer" {
                self.scale = Some(tape.tensor(&[], plan.dtype, Category::Buffers, "embed_scale"));
            }
            if part.path == "altup.correct_output_scale" {
                self.scale = Some(tape.tensor(&[], plan.dtype, Category::Buffers, "router_input_scale"));
            }
            // `beta` and `eps` (`XIELUActivation.__init__`)
            if part.path == "mlp.act_fn.alpha_n" {
                let numbers =
                    ["beta", "eps"].map(|name| tape.tensor(&[], plan.dtype, Category::Buffers, name));
                self.buffers.extend(numbers);
            }
            // `e_score_correction_bias`, a buffer in fp32 of the router that it corrects.
            let correction = plan.arch.corrections(self.index.into());
            let behind = match plan.arch.family {
                Family::MiniMaxM2 => "mlp.experts.down_proj",
                _ => "mlp.gate.weight",
            };
            if part.path == behind && correction > 0 {
                let groups = plan.arch.experts.as_ref().and_then(|experts| experts.groups);
                let dtype = match groups.and_then(|groups| groups.correction) {
                    Some(Correction::Fp32) => Dtype::F32,
                    _ => plan.dtype,
                };
                let bias = tape.tensor(&[correction], dtype, Category::Buffers, "buffer");
                self.buffers.push(bias);
            }
        }
        if plan.arch.family == Family::Gemma3n && self.index == BESIDE {
            let numbers = ["per_layer_projection_scale", "per_layer_input_scale"];
            let numbers = numbers.map(|name| tape.tensor(&[], plan.dtype, Category::Buffers, name));
            self.buffers.extend(numbers);
        }
        if plan.arch.family.scales_layers() && self.index != BESIDE {
            self.scale = Some(tape.tensor(&[1], plan.dtype, Category::Buffers, "layer_scalar"));
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
