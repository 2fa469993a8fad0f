//! One decoder layer: its parts by name, and its weights as `model.parameters()` goes through them.

use super::BESIDE;
use crate::model::Part;
use crate::plan::Plan;
use crate::replay::{Group, Place, Tape, Tensor};
use crate::stack::hf::linear::{Base, Linear};
use crate::stack::hf::weight_adapter::WeightAdapter;

/// A part of a layer on the tape.
#[derive(Debug)]
pub enum Module<'t> {
    /// A linear layer.
    Linear(Linear<'t>),
    /// A bare parameter, with an adapter of its own or without.
    Weight(Tensor<'t>, Option<WeightAdapter<'t>>),
}

/// One decoder layer.
#[derive(Debug)]
pub struct Layer<'t> {
    /// Its number.
    pub index: u32,
    /// The group of equal layers it is recorded for.
    pub group: Group,
    /// Does it run Liger's kernels?
    pub liger: bool,
    /// Its parts, in the order of registration.
    pub parts: Vec<(Part, Module<'t>)>,
    /// What it holds beside its parameters.
    pub(super) buffers: Vec<Tensor<'t>>,
    /// What its result, or its embedding, is multiplied by.
    pub(super) scale: Option<Tensor<'t>>,
}

/// Parameters of modules that also have children, with the module.
const OWN: [(&str, &str); 8] = [
    ("self_attn.", "self_attn.sinks"),
    ("linear_attn.", "linear_attn.dt_bias"),
    ("linear_attn.", "linear_attn.A_log"),
    ("router.", "router.scale"),
    ("router.", "router.per_expert_scale"),
    ("altup.", "altup.correct_output_scale"),
    ("", "cross_attn_attn_gate"),
    ("", "cross_attn_mlp_gate"),
];

impl<'t> Layer<'t> {
    pub(super) fn new(plan: &Plan, index: u32, group: Group) -> Self {
        Layer {
            index,
            group,
            liger: plan.liger,
            parts: Vec::new(),
            buffers: Vec::new(),
            scale: None,
        }
    }

    /// The parts that it is to hold.
    pub(super) fn declared(&self, plan: &Plan) -> Vec<Part> {
        match self.index {
            BESIDE => plan.arch.beside_layers(),
            index => plan.arch.layer(index.into()),
        }
    }

    /// Its weights as `model.parameters()` goes through them, and whether each decays.
    pub(in crate::stack::hf) fn for_each_by_decay(&self, f: &mut dyn FnMut(&Tensor<'t>, bool)) {
        for (part, module) in self.in_order_of_parameters() {
            match module {
                Module::Linear(linear) => linear.for_each_weight(f),
                Module::Weight(weight, adapter) => {
                    let decays = !["norm", "bias"].iter().any(|name| part.path.contains(name));
                    f(weight, decays);
                    if let Some(adapter) = adapter {
                        f(&adapter.a, true);
                        f(&adapter.b, true);
                    }
                }
            }
        }
    }

    /// Runs `f` inside the layer's group and place.
    pub fn on<T>(&mut self, tape: &'t Tape, f: impl FnOnce(&mut Self) -> T) -> T {
        tape.enter_group(self.group);
        let outer = tape.enter(Place {
            layer: Some(self.index).filter(|&index| index != BESIDE),
            module: "",
        });
        let out = f(self);
        tape.enter(outer);
        out
    }

    /// `self.path(x)` for a linear layer.
    pub fn linear(&self, path: &'static str, x: &Tensor<'t>) -> Tensor<'t> {
        match self.part(path) {
            Some(Module::Linear(linear)) => x.tape().within(path, || linear.forward(x)),
            // An architecture names only parts that it declares; a test runs every architecture.
            _ => x.clone(),
        }
    }

    /// What its result, or its embedding, is multiplied by.
    pub fn scale(&self) -> Option<&Tensor<'t>> {
        self.scale.as_ref()
    }

    /// The numbers that its activation function holds as buffers.
    pub fn numbers(&self) -> [Option<&Tensor<'t>>; 2] {
        [self.buffers.first(), self.buffers.get(1)]
    }

    /// Its parts as `model.parameters()` goes through them: what a module holds itself comes before what its children
    /// hold, though it is loaded after them.
    fn in_order_of_parameters(&self) -> impl Iterator<Item = &(Part, Module<'t>)> {
        let module_of = |part: &Part| OWN.iter().find(|own| own.1 == part.path).map(|own| own.0);
        let own = self
            .parts
            .iter()
            .filter(move |(part, _)| module_of(part).is_some());
        let has_own = own.clone().next().is_some();
        let mut open = None;
        self.parts.iter().flat_map(move |entry| {
            let part = &entry.0;
            let of = OWN
                .iter()
                .map(|own| own.0)
                .find(|module| has_own && part.path.starts_with(module));
            let begins = of.filter(|_| open != of);
            open = of;
            let first = own
                .clone()
                .filter(move |(part, _)| begins.is_some() && module_of(part) == begins);
            first.chain(Some(entry).filter(|_| module_of(part).is_none()))
        })
    }

    /// The bare parameter of this path.
    pub fn weight(&self, path: &'static str) -> Option<&Tensor<'t>> {
        match self.part(path) {
            Some(Module::Weight(weight, _)) => Some(weight),
            _ => None,
        }
    }

    /// The weight of the linear layer of this path, without its adapter.
    pub fn base_weight(&self, path: &'static str) -> Option<&Tensor<'t>> {
        match self.part(path) {
            Some(Module::Linear(Linear {
                base: Base::Plain(weight),
                ..
            })) => Some(weight),
            _ => None,
        }
    }

    /// The bias of the norm of this path.
    pub fn bias_of(&self, path: &'static str) -> Option<&Tensor<'t>> {
        self.parts.iter().find_map(|(part, module)| match module {
            Module::Weight(bias, _) if part.path.strip_suffix(".bias") == Some(path) => Some(bias),
            _ => None,
        })
    }

    pub(in crate::stack::hf) fn part(&self, path: &'static str) -> Option<&Module<'t>> {
        // Most paths are the very literals that parts are declared with.
        let same = |(part, _): &&(Part, Module<'t>)| std::ptr::eq(part.path, path);
        let equal = |(part, _): &&(Part, Module<'t>)| part.path == path;
        let found = self
            .parts
            .iter()
            .find(same)
            .or_else(|| self.parts.iter().find(equal));
        found.map(|(_, module)| module)
    }

    /// The linear layers, to be changed.
    pub fn linears_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut Linear<'t>)> {
        self.parts.iter_mut().filter_map(|(part, module)| match module {
            Module::Linear(linear) => Some((part.name(), linear)),
            Module::Weight(..) => None,
        })
    }
}
