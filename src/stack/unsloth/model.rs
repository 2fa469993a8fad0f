//! The model as Unsloth patches it: the modules that transformers and PEFT made, and what its kernels keep beside them.

use super::batch::Boundaries;
use super::checkpoint::Staging;
use super::fake::{Fakes, Quantizers};
use super::generic::Compiled;
use super::rope::Tables;
use crate::estimate::Category;
use crate::model::Family;
use crate::plan::{Plan, Storage};
use crate::replay::{Dtype, FastLinear, FastWeight, Group, Tape, Tensor, UnpackBuffer};
use crate::scenario::Release;
use crate::stack::Detail;
use crate::stack::hf::linear::{Base, Linear};
use crate::stack::hf::model::{Layer, Model as Base16, Module};
use std::cell::RefCell;

/// Where a weight was unpacked last.
pub type UnpackPlan<'t> = RefCell<Option<Tensor<'t>>>;

/// The model.
#[derive(Debug)]
pub struct Model<'t> {
    /// The modules.
    pub base: Base16<'t>,
    /// The buffer of unpacked weights.
    pub buffer: UnpackBuffer<'t>,
    /// By recorded layer and part.
    plans: Vec<Vec<UnpackPlan<'t>>>,
    /// Rotary tables.
    pub tables: Tables<'t>,
    /// Off-loaded checkpointing.
    pub staging: Staging<'t>,
    /// Boundaries of packed documents.
    pub boundaries: Boundaries<'t>,
    /// Are adapters' products made apart?
    apart: bool,
    /// What is fake-quantized.
    pub fakes: Option<Fakes>,
    /// What fake quantizers hold.
    pub quantizers: Quantizers<'t>,
    /// Transformers' own layers, compiled.
    pub generic: Option<Compiled<'t>>,
    /// The adapters that preferences are compared with, frozen.
    reference: Vec<Tensor<'t>>,
    /// Placeholders of tables: with the frequencies one more buffer than transformers' rotary embedding has.
    _placeholder: Option<Tensor<'t>>,
}

impl<'t> Model<'t> {
    /// Loads the base model.
    pub fn load(tape: &'t Tape, plan: &Plan, detail: Detail) -> Self {
        let base = Base16::load(tape, plan, detail);
        let plans = base
            .layers
            .iter()
            .map(|layer| layer.parts.iter().map(|_| UnpackPlan::default()).collect())
            .collect();
        let quantizers = Quantizers::of(&base.layers);
        let tables = match plan.release {
            Release::AllLogits => Tables::of_layers(tape, plan, &base.layers),
            _ => Tables::default(),
        };
        Model {
            base,
            buffer: UnpackBuffer::default(),
            plans,
            tables,
            staging: Staging::default(),
            boundaries: Boundaries::default(),
            apart: plan.release == Release::AllLogits,
            fakes: Fakes::of(plan.qat),
            quantizers,
            generic: plan.generic.then(Compiled::default),
            reference: Vec::new(),
            _placeholder: (!plan.generic)
                .then(|| tape.tensor(&[1], plan.dtype, Category::Buffers, "cos_cached")),
        }
    }

    /// Adapters; the embedding's output requires gradients (`prepare_model_for_training`).
    pub fn prepare(&mut self, tape: &'t Tape, plan: &Plan) {
        let is_forced = plan.dtype == Dtype::F16 && plan.arch.family == Family::Gemma3;
        if plan.generic && is_forced {
            // The files hold bf16: what is not quantized is cast once it is there (`unsloth_zoo/patching_utils.py:
            // patch_model_and_tokenizer, _bounded_cast_module`).
            let cast = tape.tensor(
                self.base.embed.layout().shape(),
                plan.dtype,
                Category::Weights,
                "to",
            );
            self.base.embed = cast;
        }
        if plan.generic && (plan.lora.is_none() || is_forced) {
            // Trained norms are kept in fp32 (`unsloth_zoo/training_utils.py: prepare_model_for_training`), and those of
            // models that are forced into fp32.
            self.base.norms_to_fp32(tape);
        }
        if plan.saves_on_disk() {
            self.put_on_disk(tape, plan);
        }
        self.base.prepare(tape, plan);
        if plan.saves_on_disk() {
            self.read_from_disk(tape, plan);
        }
        self.base.input_requires_grad = true;
        self.untie_fakes(tape, plan);
        if plan.reference {
            self.add_reference(tape);
        }
    }

    /// The originals of a trained embedding and head leave the card before adapters come. One that both share stays for
    /// the other.
    fn put_on_disk(&mut self, tape: &'t Tape, plan: &Plan) {
        let [embed, head] = plan.lora.as_ref().map_or([false; 2], |lora| lora.saves);
        let nothing = || tape.tensor(&[0], plan.dtype, Category::Weights, "to");
        if embed && (head || self.base.head.is_some()) {
            self.base.embed = nothing();
        }
        if head && self.base.head.is_some() {
            self.base.head = Some(nothing());
        }
    }

    /// What is trained, in fp32 where the rest is fp16, and the originals, which Trainer moves to the card again.
    fn read_from_disk(&mut self, tape: &'t Tape, plan: &Plan) {
        let [embed, head] = plan.lora.as_ref().map_or([false; 2], |lora| lora.saves);
        let shape = [plan.arch.vocab, plan.arch.hidden];
        let trained = || {
            let dtype = match plan.dtype {
                Dtype::F16 => Dtype::F32,
                dtype => dtype,
            };
            let weight = tape.tensor(&shape, dtype, Category::Adapters, "to");
            weight.set_requires_grad(true);
            weight
        };
        if embed {
            let original = std::mem::replace(&mut self.base.embed, trained());
            if !plan.trains_tied_weight() {
                self.base.head.get_or_insert(original);
            }
        }
        let head = head && !plan.trains_tied_weight();
        if head {
            self.base.head = Some(trained());
        }
        for _ in [embed, head].into_iter().filter(|saved| *saved) {
            let original = tape.tensor(&shape, plan.dtype, Category::Weights, "to");
            self.base.replaced.push(original);
        }
    }

    /// A copy of the adapters as they are before training, in fp32 and frozen (`trl/trainer/dpo_trainer.py`:
    /// `model.add_adapter("ref", ...)`).
    fn add_reference(&mut self, tape: &'t Tape) {
        for layer in &self.base.layers {
            tape.enter_group(layer.group);
            for (_, module) in &layer.parts {
                if let Module::Linear(Linear { lora: Some(own), .. }) = module {
                    let copies = [&own.a, &own.b].map(|of| {
                        tape.tensor(of.layout().shape(), of.dtype(), Category::Adapters, "add_adapter")
                    });
                    self.reference.extend(copies);
                }
            }
        }
        tape.enter_group(Group::default());
    }

    /// What the first step leaves behind beside states: buffers and tables.
    pub fn settle(&self, tape: &'t Tape, plan: &Plan) {
        self.staging.settle(tape, plan);
        if let Some(generic) = &self.generic {
            return generic.settle(tape, plan);
        }
        self.settle_fakes(tape);
        self.tables.ensure(tape, plan);
        self.boundaries.settle(tape, plan);
        if !plan.runs_eagerly() {
            return;
        }
        for (layer, plans) in self.base.layers.iter().zip(&self.plans) {
            for ((_, module), unpacked) in layer.parts.iter().zip(plans) {
                if let Module::Linear(linear) = module
                    && self.is_fused_in_buffer(layer, linear)
                {
                    let elements = linear.inputs.saturating_mul(linear.outputs);
                    unpacked.replace(Some(self.buffer.of(tape, elements, plan.dtype)));
                }
            }
        }
        for unpacked in self.plans.iter().flatten() {
            unpacked.replace(None);
        }
    }

    fn is_fused_in_buffer(&self, layer: &Layer<'t>, linear: &Linear<'t>) -> bool {
        let in_buffer = matches!(linear.base, Base::FourBit { .. }) && !linear.dropout && !self.apart;
        in_buffer && super::layer::fused(layer).any(|own| std::ptr::eq(own, linear))
    }

    /// A linear layer of a recorded layer as fused functions see it: one with an adapter and without a bias, on a base
    /// that they can read.
    pub fn fast<'a>(&'a self, position: usize, path: &'static str) -> Option<FastLinear<'a, 't>> {
        let has_bias = |layer: &Layer<'t>| {
            let mut parts = layer.parts.iter().filter(|(part, _)| part.path == path);
            parts.any(|(_, module)| matches!(module, Module::Linear(linear) if linear.bias.is_some()))
        };
        // Functions that round inputs stand outside.
        if self.fakes.is_some_and(|fakes| fakes.input.is_some()) {
            return None;
        }
        match self.base.layers.get(position) {
            Some(layer) if !has_bias(layer) => self.adapted(position, path),
            _ => None,
        }
    }

    /// A linear layer with an adapter.
    pub fn adapted<'a>(&'a self, position: usize, path: &'static str) -> Option<FastLinear<'a, 't>> {
        let layer = self.base.layers.get(position)?;
        let index = layer.parts.iter().position(|(part, _)| part.path == path)?;
        let (_, Module::Linear(linear)) = &layer.parts[index] else {
            return None;
        };
        let (weight, (a, b)) = fast_parts(linear)?;
        let fake = match &linear.base {
            Base::Plain(weight) => {
                let held = self.quantizers.part(position, index)?;
                self.fakes.map(|fakes| (weight, fakes.weight, held))
            }
            _ => None,
        };
        Some(FastLinear {
            fake,
            inputs: linear.inputs,
            outputs: linear.outputs,
            weight,
            lora: (a, b),
            apart: self.apart,
            plan: &self.plans[position][index],
        })
    }
}

/// What a fused function needs of a linear layer (`LlamaModel.patch_peft_model`).
pub fn fast_parts<'a, 't>(linear: &'a Linear<'t>) -> Option<(FastWeight, (&'a Tensor<'t>, &'a Tensor<'t>))> {
    let weight = match &linear.base {
        Base::Plain(_) => FastWeight::Plain,
        Base::FourBit { .. } => FastWeight::Packed,
        Base::Fused {
            storage: Storage::Float8Blocks,
            ..
        } => FastWeight::Float8Blocks,
        Base::Fused { .. } => FastWeight::Float8Rows,
        Base::Float8 { .. } | Base::EightBit { .. } => return None,
    };
    let adapters = linear.lora.as_ref()?;
    if adapters.magnitude.is_some() {
        return None;
    }
    let (a, b) = (&adapters.a, &adapters.b);
    Some((weight, (a, b)))
}
