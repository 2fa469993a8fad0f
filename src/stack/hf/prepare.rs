//! What happens between loading and training: freezing, `prepare_model_for_kbit_training`, adapters.

use super::model::{Layer, Model};
use crate::estimate::Category;
use crate::plan::Plan;
use crate::replay::{Dtype, Group, Place, Tape, Tensor};
use crate::scenario::Checkpointing;

impl<'t> Model<'t> {
    /// Readies the model for training: which weights train, in which dtype, what the embedding's output needs.
    pub fn prepare(&mut self, tape: &'t Tape, plan: &Plan) {
        if plan.prepare_kbit {
            self.prepare_kbit(tape);
        }
        // `gradient_checkpointing_enable` calls `enable_input_require_grads` for models of token ids
        // (`transformers/modeling_utils.py`).
        self.input_requires_grad = plan.checkpointing != Checkpointing::None;
        match &plan.lora {
            None => {
                self.embed.set_requires_grad(true);
                for layer in &self.layers {
                    layer.for_each_weight(&mut |w| w.set_requires_grad(true));
                }
                self.norm.set_requires_grad(true);
                if let Some(head) = &self.head {
                    head.set_requires_grad(true);
                }
            }
            Some(_) => self.add_adapters(tape, plan),
        }
    }

    /// `peft.prepare_model_for_kbit_training`: every unquantized 16-bit weight becomes fp32, one after another.
    fn prepare_kbit(&mut self, tape: &'t Tape) {
        let up = |w: &mut Tensor<'t>| w.convert_in_place(Dtype::F32, Category::Weights);
        up(&mut self.embed);
        for layer in &mut self.layers {
            tape.enter_group(layer.group);
            for linear in layer.linears_mut() {
                if let Some(bias) = &mut linear.bias {
                    up(bias);
                }
            }
            if let Some((q, k)) = &mut layer.head_norms {
                up(q);
                up(k);
            }
            up(&mut layer.input_norm);
            up(&mut layer.mlp_norm);
        }
        tape.enter_group(Group::default());
        up(&mut self.norm);
        if let Some(head) = &mut self.head {
            up(head);
        }
        // "gc.collect(); torch.cuda.empty_cache()"
        tape.empty_cache();
    }

    /// `get_peft_model`: adapters are made in fp32, moved in the dtype of the base, then cast back to fp32
    /// (`autocast_adapter_dtype`).
    fn add_adapters(&mut self, tape: &'t Tape, plan: &Plan) {
        let Some(lora) = &plan.lora else { return };
        for layer in &mut self.layers {
            on_layer(tape, layer, |layer| {
                for linear in layer.linears_mut() {
                    if lora.targets.contains(linear.name) {
                        let make = |rows, columns| {
                            tape.tensor(&[rows, columns], plan.dtype, Category::Adapters, "adapter")
                        };
                        let a = make(lora.rank, linear.inputs);
                        let b = make(linear.outputs, lora.rank);
                        linear.lora = Some((a, b));
                    }
                }
            });
        }
        for layer in &mut self.layers {
            on_layer(tape, layer, |layer| {
                for linear in layer.linears_mut() {
                    if let Some((a, b)) = &mut linear.lora {
                        for w in [a, b] {
                            w.convert_in_place(lora.dtype, Category::Adapters);
                            w.set_requires_grad(true);
                        }
                    }
                }
            });
        }
        tape.enter_group(Group::default());
    }
}

fn on_layer<'t>(tape: &'t Tape, layer: &mut Layer<'t>, f: impl FnOnce(&mut Layer<'t>)) {
    tape.enter_group(layer.group);
    let outer = tape.enter(Place {
        layer: Some(layer.index),
        module: "",
    });
    f(layer);
    tape.enter(outer);
}
