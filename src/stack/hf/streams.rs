//! Several residual streams around the layers (`Gemma3nTextModel.forward`): projections of the embeddings, each as
//! large as they are, and back.

use super::model::Layer;
use crate::replay::{Dtype, Tensor};

/// Projections of the embeddings to further streams.
const INTO: [&str; 3] = [
    "altup_projections.0",
    "altup_projections.1",
    "altup_projections.2",
];
/// And back.
const BACK: [&str; 3] = [
    "altup_unembed_projections.0",
    "altup_unembed_projections.1",
    "altup_unembed_projections.2",
];

/// What the function names while the layers run, and later until it returns.
#[derive(Debug, Default)]
pub struct Named<'t> {
    dtype: Option<Dtype>,
    target: Option<Tensor<'t>>,
    projected: Option<Tensor<'t>>,
    before: Option<Tensor<'t>>,
    magnitude: Option<Tensor<'t>>,
    streams: Vec<Tensor<'t>>,
    last: Option<Tensor<'t>>,
}

impl<'t> Named<'t> {
    /// A stream from a projection of these hidden states, in the dtype of the embeddings, made as large as the first.
    fn project(&mut self, beside: &Layer<'t>, path: &'static str, hidden: &Tensor<'t>) -> Tensor<'t> {
        let projected = beside.linear(path, hidden);
        let current = self
            .dtype
            .map_or_else(|| projected.clone(), |dtype| projected.to(dtype));
        // The name of the projection before is given to this one.
        self.projected = Some(projected);
        drop(self.last.take());
        let mean = mean_of_squares(&current);
        drop(self.magnitude.take());
        let root = {
            let larger = {
                let least = current.tape().temporary(&[], Dtype::F32, "to");
                mean.minimum(&least)
            };
            larger.root()
        };
        drop(mean);
        self.magnitude = Some(root.clone());
        match &self.target {
            Some(target) => {
                let product = current.mul(target);
                product.divide(&root)
            }
            None => current,
        }
    }
}

/// The embeddings and their projections.
pub fn entered<'t>(beside: &Layer<'t>, embeds: &Tensor<'t>) -> (Tensor<'t>, Named<'t>) {
    let mut named = Named {
        dtype: Some(embeds.dtype()),
        target: Some(magnitude(embeds)),
        streams: vec![embeds.clone()],
        ..Named::default()
    };
    for path in INTO {
        let stream = named.project(beside, path, embeds);
        named.streams.push(stream);
    }
    named.before = named.projected.take();
    (Tensor::stack(&named.streams), named)
}

/// The mean of the streams.
pub fn left<'t>(beside: &Layer<'t>, hidden: Tensor<'t>, named: &mut Named<'t>) -> Tensor<'t> {
    named.target = Some(magnitude(&hidden.one_of(0)));
    named.last = named.streams.pop();
    named.streams = vec![hidden.one_of(0)];
    for path in BACK {
        let stream = named.project(beside, path, &hidden.one_of(0));
        named.streams.push(stream);
    }
    let stacked = Tensor::stack(&named.streams);
    drop(hidden);
    stacked.mean_first()
}

/// `torch.mean(x**2, dim=-1, keepdim=True) ** 0.5`.
fn magnitude<'t>(x: &Tensor<'t>) -> Tensor<'t> {
    // A root that is a power takes as much as a square.
    mean_of_squares(x).in_fp32_of_autocast().square()
}

/// `torch.mean(x**2, dim=-1, keepdim=True)`.
fn mean_of_squares<'t>(x: &Tensor<'t>) -> Tensor<'t> {
    let squares = {
        let x = x.in_fp32_of_autocast();
        x.square()
    };
    squares.mean_last()
}
