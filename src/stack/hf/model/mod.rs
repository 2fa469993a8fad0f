//! The modules of a decoder-only model with their weights, in the order of their registration.

mod layer;
mod load;

use super::forward::rotated_widths;
use crate::estimate::Category;
use crate::model::Norm;
use crate::plan::{Plan, Storage};
use crate::replay::{Dtype, Group, Tape, Tensor};
use crate::stack::{Detail, blocks};

pub use layer::{Layer, Module};

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

/// A weight of the base model.
fn weight<'t>(tape: &'t Tape, shape: &[u64], dtype: Dtype) -> Tensor<'t> {
    tape.tensor(shape, dtype, Category::Weights, "weight")
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
        self.for_each_by_decay(tape, &mut |w, _| f(w));
    }

    /// As [`Model::for_each_weight`], and whether the weight decays in Trainer: no bias and no norm does, by their names
    /// (`transformers/trainer.py: get_decay_parameter_names`).
    pub fn for_each_by_decay(&self, tape: &'t Tape, f: &mut dyn FnMut(&Tensor<'t>, bool)) {
        f(&self.embed, true);
        for layer in &self.layers {
            tape.enter_group(layer.group);
            layer.for_each_by_decay(f);
        }
        tape.enter_group(Group::default());
        f(&self.norm, false);
        if let Some(bias) = &self.norm_bias {
            f(bias, false);
        }
        if let Some(beside) = &self.beside {
            beside.for_each_by_decay(f);
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
        self.for_each_by_decay(tape, &mut |w, _| {
            if w.requires_grad() {
                f(w);
            }
        });
    }
}
