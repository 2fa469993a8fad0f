//! Adapters of bare parameters: routers and stacked experts (`peft/tuners/lora/layer.py: ParamWrapper`). While the
//! wrapped module runs, `torch.nn.utils.parametrize` answers for the parameter with its updated value.

use super::model::{Layer, Module};
use crate::estimate::Category;
use crate::plan::Adapter;
use crate::replay::{Dtype, Tape, Tensor};
use std::cell::OnceCell;

/// An adapter's matrix.
pub fn adapter<'t>(tape: &'t Tape, shape: [u64; 2], dtype: Dtype) -> Tensor<'t> {
    tape.tensor(&shape, dtype, Category::Adapters, "adapter")
}

/// `lora_A` and `lora_B` of a bare parameter.
#[derive(Debug)]
pub struct WeightAdapter<'t> {
    of: Adapter,
    /// `lora_A`: rank x inputs, the experts' behind each other.
    pub a: Tensor<'t>,
    /// `lora_B`: outputs x rank.
    pub b: Tensor<'t>,
}

/// A parameter while its wrapper is active.
#[derive(Debug)]
pub struct Wrapped<'t> {
    weight: Tensor<'t>,
    update: Update<'t>,
    /// `parametrize.cached()`: made at the first use, kept until the wrapper is left.
    updated: OnceCell<Tensor<'t>>,
}

/// What the parametrization holds.
#[derive(Debug)]
enum Update<'t> {
    None,
    /// `_LoraParameterProxy`.
    Whole(Tensor<'t>),
    /// `_LoraFactorsProxy`: left and right factor; scaled by a number other than 1?
    Factors(Tensor<'t>, Tensor<'t>, bool),
}

impl<'t> WeightAdapter<'t> {
    /// A new adapter, in the dtype of the weight.
    pub fn new(tape: &'t Tape, dtype: Dtype, of: Adapter) -> Self {
        WeightAdapter {
            of,
            a: adapter(tape, [of.rank, of.inputs], dtype),
            b: adapter(tape, [of.outputs, of.rank], dtype),
        }
    }

    /// `get_delta_weight` of a matrix, `get_delta_factors` of a stack.
    fn update(&self, dtype: Dtype) -> Update<'t> {
        if self.of.experts == 1 {
            let mut delta = {
                let product = self.b.matmul(&self.a);
                product.scale()
            };
            delta = delta.to(dtype);
            return Update::Whole(delta);
        }
        let (experts, rank) = (self.of.experts, self.of.rank / self.of.experts);
        let right = self.a.reshape(&[experts, rank, self.of.inputs]);
        // .permute(2, 0, 1)
        let left = self.b.reshape(&[self.of.outputs, rank, experts]);
        let left = left.transpose(0, 2).transpose(1, 2);
        Update::Factors(left.to(dtype), right.to(dtype), self.of.scaled)
    }
}

impl<'t> Wrapped<'t> {
    /// `_activate_lora`: the update is prepared, and tried once when it is registered.
    fn activate(weight: &Tensor<'t>, adapter: Option<&WeightAdapter<'t>>) -> Self {
        let update = match adapter {
            Some(adapter) => adapter.update(weight.dtype()),
            None => Update::None,
        };
        let wrapped = Wrapped {
            weight: weight.clone(),
            update,
            updated: OnceCell::new(),
        };
        if adapter.is_some() {
            // `ParametrizationList.__init__` compares shape and dtype of a result that it drops, with its graph.
            weight.tape().no_grad(|| drop(wrapped.compute()));
        }
        wrapped
    }

    fn compute(&self) -> Tensor<'t> {
        match &self.update {
            Update::None => self.weight.clone(),
            Update::Whole(delta) => self.weight.add(delta),
            Update::Factors(left, right, scaled) => self.weight.baddbmm(left, right, *scaled),
        }
    }

    /// Its dtype.
    pub fn dtype(&self) -> Dtype {
        self.weight.dtype()
    }

    /// The parameter as the wrapped module reads it.
    pub fn get(&self) -> &Tensor<'t> {
        self.updated.get_or_init(|| self.compute())
    }
}

impl<'t> Layer<'t> {
    /// The bare parameter of this path inside its wrapper.
    pub fn wrapped(&self, path: &'static str) -> Option<Wrapped<'t>> {
        match self.part(path) {
            Some(Module::Weight(weight, adapter)) => Some(Wrapped::activate(weight, adapter.as_ref())),
            _ => None,
        }
    }
}
