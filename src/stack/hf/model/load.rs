//! Loading a layer: what is quantized first, then everything else.

use super::layer::{Layer, Module};
use super::{BESIDE, weight};
use crate::estimate::Category;
use crate::model::{Correction, Family, Part, PartKind};
use crate::plan::{Plan, Storage};
use crate::replay::{Dtype, Tape, Tensor};
use crate::stack::hf::linear::{Base, Linear};
use crate::stack::hf::quantize;

fn shape_of(shape: &[u64; 3]) -> &[u64] {
    let dims = shape.iter().take_while(|&&s| s > 0).count();
    &shape[..dims]
}

impl<'t> Layer<'t> {
    pub(super) fn load_quantized(&mut self, tape: &'t Tape, plan: &Plan, tables: &mut Vec<Tensor<'t>>) {
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
    pub(super) fn load_rest(&mut self, tape: &'t Tape, plan: &Plan) {
        let mut quantized = std::mem::take(&mut self.parts).into_iter().peekable();
        let parts = self.declared(plan);
        self.parts.reserve(parts.len());
        for part in parts {
            let module = match part.kind {
                PartKind::Weight([count, inputs, outputs]) if plan.packs_experts() && outputs > 0 => {
                    let elements = inputs.saturating_mul(outputs);
                    let (packed, scales) = match plan.storage {
                        Storage::Mxfp4 => quantize::mxfp4(tape, count.saturating_mul(elements)),
                        _ => quantize::experts(tape, count, elements),
                    };
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
            if plan.arch.family != Family::Llama {
                self.load_buffers_behind(tape, plan, part);
            }
        }
        if plan.arch.family != Family::Llama {
            self.load_buffers(tape, plan);
        }
    }

    /// What some families hold beside a part.
    #[inline(never)]
    fn load_buffers_behind(&mut self, tape: &'t Tape, plan: &Plan, part: Part) {
        if part.path == "embed_tokens_per_layer" {
            self.scale = Some(tape.tensor(&[], plan.dtype, Category::Buffers, "embed_scale"));
        }
        if part.path == "altup.correct_output_scale" {
            self.scale = Some(tape.tensor(&[], plan.dtype, Category::Buffers, "router_input_scale"));
        }
        // `beta` and `eps` (`XIELUActivation.__init__`)
        if part.path == "mlp.act_fn.alpha_n" {
            let numbers = ["beta", "eps"].map(|name| tape.tensor(&[], plan.dtype, Category::Buffers, name));
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

    /// What some families hold beside all parts.
    #[inline(never)]
    fn load_buffers(&mut self, tape: &'t Tape, plan: &Plan) {
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
