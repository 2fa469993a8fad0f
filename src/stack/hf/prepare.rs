//! What happens between loading and training: freezing, `prepare_model_for_kbit_training`, adapters.

use super::linear::Adapters;
use super::model::{Model, Module};
use super::weight_adapter::{WeightAdapter, adapter};
use super::{biases, dora};
use crate::estimate::Category;
use crate::model::Family;
use crate::plan::Plan;
use crate::replay::{Dtype, Group, Tape, Tensor};
use crate::scenario::{Checkpointing, Stack};

impl<'t> Model<'t> {
    /// Readies the model for training: which weights train, in which dtype, what the embedding's output needs.
    pub fn prepare(&mut self, tape: &'t Tape, plan: &Plan) {
        if plan.prepare_kbit {
            self.prepare_kbit(tape);
        }
        if !biases::are_converted_late(tape, plan) {
            self.convert_biases(tape);
        }
        // `gradient_checkpointing_enable` calls `enable_input_require_grads` for models of token ids
        // (`transformers/modeling_utils.py`).
        self.input_requires_grad = plan.checkpointing != Checkpointing::None;
        match &plan.lora {
            None => self.for_each_weight(tape, |w| w.set_requires_grad(true)),
            Some(_) => self.add_adapters(tape, plan),
        }
        // A layer of which only the weight is read asks no adapter (`Gemma3nTextAltUp.correct`).
        if plan.lora.is_some() && plan.arch.family == Family::Gemma3n {
            for layer in &mut self.layers {
                for (name, linear) in layer.linears_mut() {
                    if let ("correction_coefs", Some(unasked)) = (name, &linear.lora) {
                        unasked.a.set_requires_grad(false);
                        unasked.b.set_requires_grad(false);
                    }
                }
            }
        }
        // No gradient comes to layers that are passed by, and optimizers pass by what has none.
        for layer in &self.layers {
            if plan.arch.is_skipped(layer.index.into()) {
                layer.for_each_by_decay(&mut |w, _| w.set_requires_grad(false));
            }
        }
    }

    /// The norms' weights become fp32, one after another.
    pub fn norms_to_fp32(&mut self, tape: &'t Tape) {
        let up = |w: &mut Tensor<'t>| {
            if w.layout().shape().len() == 1 {
                w.convert_in_place(Dtype::F32, Category::Weights);
            }
        };
        for layer in &mut self.layers {
            tape.enter_group(layer.group);
            for (_, module) in &mut layer.parts {
                if let Module::Weight(weight, _) = module {
                    up(weight);
                }
            }
        }
        tape.enter_group(Group::default());
        up(&mut self.norm);
    }

    /// `peft.prepare_model_for_kbit_training`: every unquantized 16-bit weight becomes fp32, one after another.
    fn prepare_kbit(&mut self, tape: &'t Tape) {
        let up = |w: &mut Tensor<'t>| w.convert_in_place(Dtype::F32, Category::Weights);
        up(&mut self.embed);
        for layer in &mut self.layers {
            tape.enter_group(layer.group);
            for (_, module) in &mut layer.parts {
                match module {
                    Module::Linear(linear) => linear.bias.iter_mut().for_each(up),
                    Module::Weight(weight, _) => up(weight),
                }
            }
        }
        tape.enter_group(Group::default());
        up(&mut self.norm);
        if let Some(bias) = &mut self.norm_bias {
            up(bias);
        }
        for (_, module) in self.beside.iter_mut().flat_map(|beside| &mut beside.parts) {
            if let Module::Weight(weight, _) = module {
                up(weight);
            }
        }
        if let Some(head) = &mut self.head {
            up(head);
        }
        if let Some(bias) = &mut self.head_bias {
            up(bias);
        }
        // "gc.collect(); torch.cuda.empty_cache()"
        tape.empty_cache();
    }

    /// `get_peft_model`: adapters come to the GPU in the dtype of the base, all of them, and are then cast to their own
    /// (`autocast_adapter_dtype`).
    fn add_adapters(&mut self, tape: &'t Tape, plan: &Plan) {
        let Some(lora) = &plan.lora else { return };
        for layer in self.modules_mut() {
            layer.on(tape, |layer| {
                for (name, linear) in layer.linears_mut() {
                    if lora.adapts(name) {
                        let first = linear.adapter_dtype(plan.dtype);
                        let a = adapter(tape, [lora.rank, linear.inputs], first);
                        let b = adapter(tape, [linear.outputs, lora.rank], first);
                        let magnitude = lora.dora.then(|| dora::magnitude(tape, linear, &a));
                        linear.lora = Some(Adapters { a, b, magnitude });
                    }
                }
            });
        }
        // `_inject_parameters` comes after all modules.
        for layer in &mut self.layers {
            layer.on(tape, |layer| {
                for (part, module) in &mut layer.parts {
                    if let (Module::Weight(weight, adapted), Some(of)) = (module, lora.adapter_of(part)) {
                        let dtype = match weight.dtype() {
                            Dtype::U8 => plan.dtype,
                            dtype => dtype,
                        };
                        *adapted = Some(WeightAdapter::new(tape, dtype, of));
                    }
                }
            });
        }
        if lora.saves != [false; 2] && !plan.saves_on_disk() {
            self.save_modules(tape, plan, lora.saves);
        }
        for layer in self.modules_mut() {
            layer.on(tape, |layer| {
                for (_, module) in &mut layer.parts {
                    let weights = match module {
                        Module::Linear(linear) => linear
                            .lora
                            .as_mut()
                            .map(|l| [Some(&mut l.a), Some(&mut l.b), l.magnitude.as_mut()]),
                        Module::Weight(_, adapter) => {
                            adapter.as_mut().map(|w| [Some(&mut w.a), Some(&mut w.b), None])
                        }
                    };
                    for w in weights.into_iter().flatten().flatten() {
                        if let Some(dtype) = lora.dtype {
                            w.convert_in_place(dtype, Category::Adapters);
                        }
                        w.set_requires_grad(true);
                    }
                }
            });
        }
        tape.enter_group(Group::default());
    }

    /// `ModulesToSaveWrapper`: a copy is trained, the module itself stays.
    #[inline(never)]
    fn save_modules(&mut self, tape: &'t Tape, plan: &Plan, [embed, head]: [bool; 2]) {
        tape.enter_group(Group::default());
        let copy = |of: &Tensor<'t>| {
            let layout = of.layout();
            let copy = tape.tensor(layout.shape(), of.dtype(), Category::Adapters, "clone");
            // Unsloth trains in fp32 what is fp16 (`unsloth/models/llama.py: _offload_frozen_module_for_training`).
            let copy = match (plan.stack, of.dtype()) {
                (Stack::Unsloth, Dtype::F16) => {
                    tape.tensor(layout.shape(), Dtype::F32, Category::Adapters, "to")
                }
                _ => copy,
            };
            copy.set_requires_grad(true);
            copy
        };
        // A head that shares the embedding's weight keeps the original when only one of them is saved.
        let original = self.embed.clone();
        if embed {
            self.replaced
                .push(std::mem::replace(&mut self.embed, copy(&original)));
            if !plan.trains_tied_weight() {
                self.head.get_or_insert_with(|| original.clone());
            }
            // Its buffer is copied with it, by way of a first element.
            if let Some(scale) = &self.embed_scale {
                let copied = tape.tensor(&[], scale.dtype(), Category::Buffers, "__deepcopy__");
                tape.scratch(scale.dtype().size(), "__deepcopy__");
                self.replaced.extend(self.embed_scale.replace(copied));
            }
        }
        if head && !plan.trains_tied_weight() {
            let of = self.head.clone().unwrap_or(original);
            self.replaced.extend(self.head.replace(copy(&of)));
            if let Some(bias) = self.head_bias.take() {
                self.head_bias = Some(copy(&bias));
                self.replaced.push(bias);
            }
        }
    }
}
