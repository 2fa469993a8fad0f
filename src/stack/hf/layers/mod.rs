//! Decoder layers, one architecture a file, each written as its modeling code in transformers.

mod llama;

use super::model::Layer;
use super::norm::rms_norm;
use super::rotary::Shared;
use crate::plan::Plan;
use crate::replay::{Place, Tensor};

impl<'t> Layer<'t> {
    /// `decoder_layer(hidden_states, ...)`.
    pub fn forward(&self, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
        let tape = x.tape();
        let outer = tape.enter(Place {
            layer: Some(self.index),
            module: "",
        });
        let out = llama::layer(self, plan, x, shared);
        tape.enter(outer);
        out
    }

    /// RMSNorm by the weight of this path.
    fn rms_norm(&self, path: &'static str, x: &Tensor<'t>) -> Tensor<'t> {
        match self.weight(path) {
            Some(weight) => x.tape().within(path, || rms_norm(x, weight)),
            None => x.clone(),
        }
    }
}
