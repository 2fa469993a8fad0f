//! One layer of a model on transformers' own layers: which of the programs runs it, and whose gradients come out.

use super::adapter::Gradients;
use super::grouped_experts::{self, Records};
use super::sizes::{Arm, Sizes};
use super::{adapted, forced, full, full_phi, full_sandwich, gpt_oss, phi, routed};
use crate::model::Family;
use crate::plan::Plan;
use crate::replay::{Dtype, Tensor};
use crate::stack::hf::linear::Base;
use crate::stack::hf::model::{Layer, Module};

/// The linear layers of a layer, in the order of [`adapted::Arms`].
const LINEARS: [&str; 7] = [
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
];
/// Its norms that every family has.
const NORMS: [&str; 2] = ["input_layernorm", "post_attention_layernorm"];
/// And of a family that norms what comes out of attention and MLP.
const SANDWICH_NORMS: [&str; 4] = [
    "input_layernorm",
    "post_attention_layernorm",
    "pre_feedforward_layernorm",
    "post_feedforward_layernorm",
];

/// What a layer keeps.
pub(super) enum Kept<'t> {
    Full(Box<full::Kept<'t>>),
    FullSandwich(Box<full_sandwich::Kept<'t>>),
    FullPhi(Box<full_phi::Kept<'t>>),
    Adapted(Box<adapted::Kept<'t>>),
    GptOss(Box<gpt_oss::Kept<'t>>),
    Phi(Box<phi::Kept<'t>>),
    Forced(Box<forced::Kept<'t>>),
    Routed(Box<routed::Kept<'t>>),
}

impl Kept<'_> {
    /// Is it of a mixture of experts whose routers' scores are recorded?
    pub(super) fn is_routed(&self) -> bool {
        matches!(self, Kept::Routed(_))
    }
}

/// The linear layers that compiled code computes with.
fn arms<const N: usize>(layer: &Layer<'_>, paths: [&str; N]) -> [Arm; N] {
    paths.map(|path| {
        let found = layer.parts.iter().find_map(|(part, module)| match module {
            Module::Linear(linear) if part.path == path => Some(Arm::of(linear)),
            _ => None,
        });
        found.unwrap_or_default()
    })
}

/// One layer of a model: its sizes and how it runs.
pub(super) struct Step<'a, 't> {
    sizes: Sizes<'t>,
    layer: &'a Layer<'t>,
    arms: adapted::Arms,
    gpt_oss: Option<gpt_oss::Parts>,
    phi: Option<phi::Arms>,
    routed: Option<routed::Parts>,
    trains_all: bool,
}

/// The stacked weights of a layer's experts.
const EXPERTS: [&str; 2] = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"];

/// Ranks of the adapters of one expert, on both stacks.
fn ranks(plan: &Plan, layer: &Layer<'_>) -> [Option<u64>; 2] {
    EXPERTS.map(|path| {
        let (lora, experts) = (plan.lora.as_ref()?, plan.arch.experts.as_ref()?);
        let (part, _) = layer.parts.iter().find(|(part, _)| part.path == path)?;
        lora.adapter_of(part)
            .map(|adapter| adapter.rank / experts.count.max(1))
    })
}

/// What a layer of another mixture of experts in 4 bit is made of.
fn routed_parts(plan: &Plan, layer: &Layer<'_>, arms: &adapted::Arms) -> Option<routed::Parts> {
    if plan.is_packed_gpt_oss() {
        return None;
    }
    let [query, key, value, output, ..] = *arms;
    routed::Parts::of(plan, [query, key, value, output], ranks(plan, layer))
}

/// What a layer of GPT-OSS is made of, if it is one.
fn gpt_oss_parts(plan: &Plan, layer: &Layer<'_>, arms: &adapted::Arms) -> Option<gpt_oss::Parts> {
    if !plan.is_packed_gpt_oss() {
        return None;
    }
    let experts = plan.arch.experts.as_ref()?;
    let [query, key, value, output, ..] = *arms;
    Some(gpt_oss::Parts {
        arms: [query, key, value, output],
        experts: grouped_experts::Shape::of(plan, ranks(plan, layer))?,
        routed: [experts.count, experts.per_token],
        stream: match plan.widens_stream() && layer.index > 0 {
            true => Dtype::F32,
            false => plan.dtype,
        },
        native: plan.is_native_gpt_oss(),
    })
}

impl<'a, 't> Step<'a, 't> {
    pub(super) fn new(sizes: Sizes<'t>, plan: &Plan, layer: &'a Layer<'t>) -> Self {
        let joins = plan.arch.family == Family::Phi3;
        let phi = joins.then(|| arms(layer, phi::LINEARS));
        let arms = arms(layer, LINEARS);
        Step {
            sizes,
            layer,
            gpt_oss: gpt_oss_parts(plan, layer, &arms),
            routed: routed_parts(plan, layer, &arms),
            arms,
            phi,
            trains_all: plan.lora.is_none(),
        }
    }

    /// The input of a layer that comes back from the host in 16 bit, in the dtype of the residual stream.
    pub(super) fn restored(&self) -> Option<Tensor<'t>> {
        let elements = self.sizes.tokens.saturating_mul(self.sizes.hidden);
        if self.sizes.is_forced() {
            return Some(self.sizes.buffer(elements, Dtype::F32));
        }
        let parts = self
            .gpt_oss
            .as_ref()
            .filter(|parts| parts.stream != self.sizes.dtype)?;
        Some(self.sizes.buffer(elements, parts.stream))
    }

    pub(super) fn forward_only(&self) -> Tensor<'t> {
        if let Some(parts) = &self.gpt_oss {
            return gpt_oss::forward_only(&self.sizes, parts);
        }
        if let Some(arms) = &self.phi {
            return match self.trains_all {
                true => full_phi::forward_only(&self.sizes, arms),
                false => phi::forward_only(&self.sizes, arms),
            };
        }
        if let Some(parts) = &self.routed {
            return routed::forward_only(&self.sizes, parts);
        }
        if self.sizes.is_forced() {
            return forced::forward_only(&self.sizes, &self.arms);
        }
        match self.trains_all {
            true if self.sizes.sandwich => full_sandwich::forward_only(&self.sizes),
            true => full::forward_only(&self.sizes),
            false => adapted::forward_only(&self.sizes, &self.arms),
        }
    }

    pub(super) fn forward(&self, records: Records) -> (Kept<'t>, Tensor<'t>) {
        if let Some(parts) = &self.gpt_oss {
            let (kept, out) = gpt_oss::forward(&self.sizes, parts, records);
            return (Kept::GptOss(Box::new(kept)), out);
        }
        if let Some(arms) = self.phi.as_ref().filter(|_| self.trains_all) {
            let (kept, out) = full_phi::forward(&self.sizes, arms);
            return (Kept::FullPhi(Box::new(kept)), out);
        }
        if let Some(arms) = &self.phi {
            let (kept, out) = phi::forward(&self.sizes, arms);
            return (Kept::Phi(Box::new(kept)), out);
        }
        if let Some(parts) = &self.routed {
            let (kept, out) = routed::forward(&self.sizes, parts);
            return (Kept::Routed(Box::new(kept)), out);
        }
        if self.sizes.is_forced() {
            let (kept, out) = forced::forward(&self.sizes, &self.arms);
            return (Kept::Forced(Box::new(kept)), out);
        }
        if self.trains_all && self.sizes.sandwich {
            let (kept, out) = full_sandwich::forward(&self.sizes);
            return (Kept::FullSandwich(Box::new(kept)), out);
        }
        if self.trains_all {
            let (kept, out) = full::forward(&self.sizes);
            return (Kept::Full(Box::new(kept)), out);
        }
        let (kept, out) = adapted::forward(&self.sizes, &self.arms);
        (Kept::Adapted(Box::new(kept)), out)
    }

    /// The gradient of the layer's input; those of its weights go to them.
    pub(super) fn backward(&self, kept: Kept<'t>, incoming: Option<Tensor<'t>>) -> Tensor<'t> {
        match kept {
            Kept::Full(kept) => {
                let (gradient, weights) = full::backward(&self.sizes, *kept, incoming);
                self.give_weights(
                    LINEARS.into_iter().zip(weights.linears),
                    NORMS.into_iter().zip(weights.norms),
                );
                gradient
            }
            Kept::FullPhi(kept) => {
                let arms = self.phi.unwrap_or_default();
                let (gradient, weights) = full_phi::backward(&self.sizes, &arms, *kept, incoming);
                let linears = phi::LINEARS.into_iter().zip(weights.linears);
                self.give_weights(linears, NORMS.into_iter().zip(weights.norms));
                gradient
            }
            Kept::FullSandwich(kept) => {
                let (gradient, weights) = full_sandwich::backward(&self.sizes, *kept, incoming);
                self.give_weights(
                    LINEARS.into_iter().zip(weights.linears),
                    SANDWICH_NORMS.into_iter().zip(weights.norms),
                );
                gradient
            }
            Kept::GptOss(kept) => self.gpt_oss_backward(*kept, incoming),
            Kept::Phi(kept) => {
                let arms = self.phi.unwrap_or_default();
                let (gradient, [output, down]) = phi::backward(&self.sizes, &arms, *kept, incoming);
                let [_, output_path, _, down_path] = phi::LINEARS;
                self.give(output_path, output);
                self.give(down_path, down);
                gradient
            }
            Kept::Routed(kept) => self.routed_backward(*kept, incoming),
            Kept::Forced(kept) => {
                let (gradient, adapters) = forced::backward(&self.sizes, &self.arms, *kept, incoming);
                for (path, gradients) in LINEARS.into_iter().zip(adapters) {
                    self.give(path, gradients);
                }
                gradient
            }
            Kept::Adapted(kept) => {
                let (gradient, adapters) = adapted::backward(&self.sizes, &self.arms, *kept, incoming);
                for (path, gradients) in LINEARS.into_iter().zip(adapters) {
                    self.give(path, gradients);
                }
                gradient
            }
        }
    }

    fn gpt_oss_backward(&self, kept: gpt_oss::Kept<'t>, incoming: Option<Tensor<'t>>) -> Tensor<'t> {
        let Some(parts) = &self.gpt_oss else {
            return self.sizes.rows(self.sizes.hidden);
        };
        let (gradient, (linears, stacks)) = gpt_oss::backward(&self.sizes, parts, kept);
        drop(incoming);
        for (path, gradients) in LINEARS.into_iter().zip(linears) {
            self.give(path, gradients);
        }
        // The stacks are declared inputs x outputs.
        self.give_stacks(stacks.map(|gradients| gradients.map(|[first, second]| [second, first])));
        gradient
    }

    fn routed_backward(&self, kept: routed::Kept<'t>, incoming: Option<Tensor<'t>>) -> Tensor<'t> {
        let Some(parts) = &self.routed else {
            return self.sizes.rows(self.sizes.hidden);
        };
        let (gradient, (linears, stacks)) = routed::backward(&self.sizes, parts, kept, incoming);
        for (path, gradients) in LINEARS.into_iter().zip(linears) {
            self.give(path, gradients);
        }
        self.give_stacks(stacks);
        gradient
    }

    /// Hands gradients to the layer's own weights.
    fn give_weights(
        &self,
        linears: impl Iterator<Item = (&'static str, Tensor<'t>)>,
        norms: impl Iterator<Item = (&'static str, Tensor<'t>)>,
    ) {
        for (path, gradient) in linears {
            self.each_linear(path, |linear| {
                if let Base::Plain(weight) = &linear.base {
                    weight.take_grad(gradient.clone());
                }
            });
        }
        for (path, gradient) in norms {
            if let Some(weight) = self.layer.weight(path) {
                weight.take_grad(gradient);
            }
        }
        self.rest();
    }

    /// Hands gradients to the adapters of the experts' stacks.
    fn give_stacks(&self, stacks: [Gradients<'t>; 2]) {
        for (path, gradients) in EXPERTS.into_iter().zip(stacks) {
            let found = self.layer.parts.iter().find(|(part, _)| part.path == path);
            if let (Some([first, second]), Some((_, Module::Weight(_, Some(adapter))))) = (gradients, found) {
                adapter.a.take_grad(first);
                adapter.b.take_grad(second);
            }
        }
    }

    /// Hands gradients to the adapter of a linear layer.
    fn give(&self, path: &str, gradients: Gradients<'t>) {
        let Some([first, second]) = gradients else { return };
        self.each_linear(path, |linear| {
            if let Some(adapters) = &linear.lora {
                adapters.a.take_grad(first);
                adapters.b.take_grad(second);
            }
        });
    }

    fn each_linear(&self, path: &str, f: impl FnOnce(&crate::stack::hf::linear::Linear<'t>)) {
        let found = self.layer.parts.iter().find_map(|(part, module)| match module {
            Module::Linear(linear) if part.path == path => Some(linear),
            _ => None,
        });
        if let Some(linear) = found {
            f(linear);
        }
    }

    /// Gradients of biases and of norms over heads: small sums over all tokens.
    fn rest(&self) {
        let tape = self.sizes.tape;
        let give = |weight: &Tensor<'t>| {
            if weight.requires_grad() && !weight.has_grad() {
                weight.take_grad(tape.temporary(weight.layout().shape(), weight.dtype(), "sum"));
            }
        };
        for (_, module) in &self.layer.parts {
            match module {
                Module::Linear(linear) => {
                    if let Some(bias) = &linear.bias {
                        give(bias);
                    }
                }
                Module::Weight(weight, _) => give(weight),
            }
        }
    }
}
