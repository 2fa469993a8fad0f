//! Quantization-aware training (`unsloth/models/_utils.py: _prepare_model_for_qat`): what each scheme rounds, and what its
//! quantizers hold.

use super::model::Model;
use crate::estimate::Category;
use crate::plan::Plan;
use crate::replay::{FakeInput, FakeWeight, Group, HeldScales, Tape, Tensor};
use crate::scenario::Qat;
use crate::stack::hf::linear::{Base, Linear};
use crate::stack::hf::model::{Layer, Module};

/// Columns that share a scale in the schemes that round to integers by groups.
const GROUP: u64 = 32;

/// What a scheme rounds.
#[derive(Clone, Copy, Debug)]
pub struct Fakes {
    /// Weights of linear layers, the head's too.
    pub weight: FakeWeight,
    /// Their inputs.
    pub input: Option<FakeInput>,
    /// The embedding.
    pub embedding: Option<FakeWeight>,
}

impl Fakes {
    /// What a scheme rounds.
    pub fn of(scheme: Qat) -> Option<Self> {
        let grouped = FakeWeight::Integers { group: Some(GROUP) };
        let by_rows = FakeWeight::Integers { group: None };
        let (weight, input, embedding) = match scheme {
            Qat::Off => return None,
            Qat::Int4 => (FakeWeight::Int4, None, None),
            Qat::Int8 => (by_rows, None, None),
            Qat::Cactus => (grouped, None, None),
            Qat::Int8Int4 => (grouped, Some(FakeInput::Int8), Some(by_rows)),
            Qat::Fp8Int4 => (FakeWeight::Float8Int4, Some(FakeInput::Float8), None),
            Qat::Fp8Fp8 => (FakeWeight::Float8, Some(FakeInput::Float8), None),
        };
        Some(Fakes {
            weight,
            input,
            embedding,
        })
    }
}

/// What quantizers hold from call to call.
#[derive(Debug, Default)]
pub struct Quantizers<'t> {
    /// By recorded layer and part.
    layers: Vec<Vec<HeldScales<'t>>>,
    head: HeldScales<'t>,
    embedding: HeldScales<'t>,
}

impl<'t> Quantizers<'t> {
    /// Those of a model.
    pub fn of(layers: &[Layer<'t>]) -> Self {
        let parts = |layer: &Layer<'t>| layer.parts.iter().map(|_| HeldScales::default()).collect();
        Quantizers {
            layers: layers.iter().map(parts).collect(),
            ..Quantizers::default()
        }
    }

    /// That of a part of a recorded layer.
    pub fn part(&self, position: usize, index: usize) -> Option<&HeldScales<'t>> {
        self.layers.get(position)?.get(index)
    }
}

impl<'t> Model<'t> {
    /// An embedding that is rounded by itself has a weight of its own (`_untie_input_output_embeddings`).
    pub fn untie_fakes(&mut self, tape: &'t Tape, plan: &Plan) {
        let rounds = self.fakes.is_some_and(|fakes| fakes.embedding.is_some());
        if rounds && self.base.head.is_none() {
            let layout = self.base.embed.layout();
            let copy = tape.tensor(layout.shape(), plan.dtype, Category::Weights, "clone");
            self.base.head = Some(copy);
        }
    }

    /// What the first step leaves in the quantizers.
    pub fn settle_fakes(&self, tape: &'t Tape) {
        let Some(fakes) = self.fakes else { return };
        if let Some(how) = fakes.embedding {
            how.settle(&self.base.embed, &self.quantizers.embedding);
        }
        fakes
            .weight
            .settle(self.base.head_weight(), &self.quantizers.head);
        for (layer, held) in self.base.layers.iter().zip(&self.quantizers.layers) {
            tape.enter_group(layer.group);
            for ((_, module), held) in layer.parts.iter().zip(held) {
                if let Module::Linear(Linear {
                    base: Base::Plain(weight),
                    ..
                }) = module
                {
                    fakes.weight.settle(weight, held);
                }
            }
        }
        tape.enter_group(Group::default());
    }

    /// Embedded tokens.
    pub fn embedded(&self, ids: &Tensor<'t>) -> Tensor<'t> {
        let how = self.fakes.and_then(|fakes| fakes.embedding);
        match how.and_then(|how| self.base.embed.fake_weight(how, &self.quantizers.embedding)) {
            Some(rounded) => rounded.embedding(ids),
            None => self.base.embed.embedding(ids),
        }
    }

    /// The head as a product takes it, and the hidden states (`unsloth/models/llama.py: fake_quantize_lm_head_inputs`).
    pub fn fake_head(&self, hidden: Tensor<'t>) -> (Tensor<'t>, Option<Tensor<'t>>) {
        let Some(fakes) = self.fakes else {
            return (hidden, None);
        };
        let hidden = match fakes.input {
            Some(how) => hidden.fake_input(how),
            None => hidden,
        };
        let head = self.base.head_weight();
        let rounded = head.fake_weight(fakes.weight, &self.quantizers.head);
        (hidden, rounded)
    }

    /// `layer.path(x)` for a linear layer outside of fused functions: fake-quantized (`torchao/quantization/qat/linear.py:
    /// FakeQuantizedLinear.forward` below PEFT's), on 8-bit floats, or as it is.
    pub fn linear(&self, position: usize, path: &'static str, x: &Tensor<'t>) -> Tensor<'t> {
        let layer = &self.base.layers[position];
        let index = layer.parts.iter().position(|(part, _)| part.path == path);
        let found =
            index.and_then(|index| Some((layer.parts.get(index)?, self.quantizers.part(position, index)?)));
        let Some(((_, Module::Linear(linear)), held)) = found else {
            return layer.linear(path, x);
        };
        let (fakes, weight) = match (&linear.base, self.fakes) {
            (Base::Plain(weight), Some(fakes)) => (fakes, weight),
            (Base::Fused { .. }, _) => {
                return x.tape().within(path, || {
                    // The product adds the bias.
                    let base = x.float8_rows_linear(linear.inputs, linear.outputs);
                    linear.forward_over(x, base)
                });
            }
            _ => return layer.linear(path, x),
        };
        x.tape().within(path, || {
            let base = {
                let input = fakes.input.map(|how| x.fake_input(how));
                let rounded = weight.fake_weight(fakes.weight, held);
                let (input, weight) = (input.as_ref().unwrap_or(x), rounded.as_ref().unwrap_or(weight));
                input.linear(weight, linear.bias.as_ref())
            };
            linear.forward_over(x, base)
        })
    }
}
