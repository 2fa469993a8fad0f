//! DoRA: adapters beside a trained magnitude for each output (`peft/tuners/lora/dora.py: DoraLinearLayer`). Every forward
//! pass builds the whole updated weight to take its norms.

use super::linear::{Adapters, Linear};
use crate::estimate::Category;
use crate::replay::{Dtype, Tape, Tensor};

/// `update_layer`: the magnitudes begin as the norms of the updated weight. bitsandbytes' 4-bit layers are copied first.
pub fn magnitude<'t>(tape: &'t Tape, linear: &Linear<'t>, a: &Tensor<'t>) -> Tensor<'t> {
    let shape = [linear.outputs, linear.inputs];
    let half = a.dtype() == Dtype::F16;
    let matrix = |dtype, op| tape.temporary(&shape, dtype, op);
    let _factors = half.then(|| {
        [
            [a.layout().shape()[0], linear.inputs],
            [linear.outputs, a.layout().shape()[0]],
        ]
        .map(|shape| tape.temporary(&shape, Dtype::F32, "float"))
    });
    let _copy = linear.copied(tape);
    let weight = tape.no_grad(|| linear.dequantized(tape));
    let mut product = matrix(if half { Dtype::F32 } else { a.dtype() }, "matmul");
    tape.touch_workspace();
    if half {
        product = matrix(Dtype::F16, "half");
    }
    let norm = tape.no_grad(|| norms(&weight, &product));
    norm.set_category(Category::Adapters);
    norm
}

/// `get_weight_norm`.
fn norms<'t>(weight: &Tensor<'t>, update: &Tensor<'t>) -> Tensor<'t> {
    let updated = weight.add(&update.scale());
    let tape = weight.tape();
    // Autocast has norms in fp32, without a cast of what they are of.
    let dtype = tape.autocast().map_or(updated.dtype(), |_| Dtype::F32);
    let norm = tape.temporary(&[updated.layout().shape()[0]], dtype, "linalg_norm");
    norm.to(updated.dtype())
}

/// `get_lora_weight`: the product of the adapters, by sending the identity through them. Nothing flows back through it;
/// its graph holds what it saves until the layer returns.
fn lora_weight<'t>(linear: &Linear<'t>, lora: &Adapters<'t>) -> (Tensor<'t>, Vec<Tensor<'t>>) {
    let tape = lora.a.tape();
    // Autocast keeps casts of fp32 weights, which serve the layer's input again.
    let cast = |w: &Tensor<'t>| match w.dtype() {
        Dtype::F32 => w.in_autocast(),
        _ => tape.no_grad(|| w.in_autocast()),
    };
    let mut graph = Vec::new();
    let holds_graph = tape.holds_graph();
    let eye = tape.temporary(&[linear.inputs, linear.inputs], lora.a.dtype(), "eye");
    let hidden = {
        let a = cast(&lora.a);
        let input = eye.in_autocast();
        let hidden = tape.no_grad(|| input.linear(&a, None));
        graph.extend(holds_graph.then_some(input));
        hidden
    };
    let b = cast(&lora.b);
    let weight = tape.no_grad(|| hidden.linear(&b, None)).transpose(0, 1);
    if holds_graph {
        graph.extend([hidden, b]);
    }
    (weight, graph)
}

/// `DoraLinearLayer.forward`: what is added to the result of the base, which is passed where there is no dropout.
pub fn forward<'t>(
    linear: &Linear<'t>,
    lora: &Adapters<'t>,
    magnitude: &Tensor<'t>,
    x: &Tensor<'t>,
    base_result: Option<&Tensor<'t>>,
) -> Tensor<'t> {
    let tape = x.tape();
    let (mut update, _graph) = lora_weight(linear, lora);
    update = update.to(x.dtype());
    let mut weight = tape.no_grad(|| linear.dequantized(tape));
    weight = weight.to(x.dtype());
    let norm = tape.no_grad(|| norms(&weight, &update));
    let scale = magnitude.divide(&norm).reshape(&[1, linear.outputs]);
    let lora_result = {
        let hidden = x.linear(&lora.a, None);
        hidden.linear(&lora.b, None)
    };
    let base_result = match (base_result, &linear.bias) {
        (Some(result), Some(bias)) => result.sub(bias),
        (Some(result), None) => result.clone(),
        (None, _) => x.linear(&weight, None),
    };
    let direction = {
        let factor = scale.add_number();
        factor.mul(&base_result)
    };
    let turned = scale.mul(&lora_result).scale();
    direction.add(&turned)
}
