//! The modules of a decoder-only model with their weights, in the order of their registration.

use super::linear::{Base, Linear};
use crate::estimate::Category;
use crate::model::LinearShape;
use crate::plan::{Plan, Storage};
use crate::replay::{Dtype, Gemm4bit, Group, Place, Tape, Tensor};
use crate::stack::{Detail, groups};

/// One decoder layer.
#[derive(Debug)]
pub struct Layer<'t> {
    /// Its number.
    pub index: u32,
    /// The group of equal layers it is recorded for.
    pub group: Group,
    /// Query projection.
    pub q: Linear<'t>,
    /// Key projection.
    pub k: Linear<'t>,
    /// Value projection.
    pub v: Linear<'t>,
    /// Output projection.
    pub o: Linear<'t>,
    /// Norms over query and key heads.
    pub head_norms: Option<(Tensor<'t>, Tensor<'t>)>,
    /// Gate projection.
    pub gate: Linear<'t>,
    /// Up projection.
    pub up: Linear<'t>,
    /// Down projection.
    pub down: Linear<'t>,
    /// Norm before attention.
    pub input_norm: Tensor<'t>,
    /// Norm before the MLP.
    pub mlp_norm: Tensor<'t>,
}

impl<'t> Layer<'t> {
    /// The linear layers in order.
    pub fn linears(&self) -> [&Linear<'t>; 7] {
        [
            &self.q, &self.k, &self.v, &self.o, &self.gate, &self.up, &self.down,
        ]
    }

    /// The linear layers in order, to be changed.
    pub fn linears_mut(&mut self) -> [&mut Linear<'t>; 7] {
        [
            &mut self.q,
            &mut self.k,
            &mut self.v,
            &mut self.o,
            &mut self.gate,
            &mut self.up,
            &mut self.down,
        ]
    }
}

/// The model.
#[derive(Debug)]
pub struct Model<'t> {
    /// Token embedding.
    pub embed: Tensor<'t>,
    /// The layers that are recorded.
    pub layers: Vec<Layer<'t>>,
    /// Final norm.
    pub norm: Tensor<'t>,
    /// Head; `None` when it is the embedding's weight.
    pub head: Option<Tensor<'t>>,
    /// Rotary frequencies.
    pub _buffers: Vec<Tensor<'t>>,
    /// Does the embedding's output require gradients (`enable_input_require_grads`)?
    pub input_requires_grad: bool,
    /// Tables that quantization shares between weights.
    pub _shared_tables: Vec<Tensor<'t>>,
}

/// A weight of the base model.
fn weight<'t>(tape: &'t Tape, shape: &[u64], dtype: Dtype) -> Tensor<'t> {
    tape.tensor(shape, dtype, Category::Weights, "weight")
}

impl<'t> Model<'t> {
    /// Loads the base model: quantized linear layers first, one after another, then the rest in the order of modules.
    pub fn load(tape: &'t Tape, plan: &Plan, detail: Detail) -> Self {
        let a = &plan.arch;
        let mut shared_tables = Vec::new();
        let plain = plan.storage == Storage::Plain;
        let groups = groups(a.layers, detail);
        let embed_first = plain.then(|| weight(tape, &[a.vocab, a.hidden], plan.dtype));
        let mut layers: Vec<Layer<'t>> = groups
            .into_iter()
            .map(|(index, group)| {
                tape.enter_group(group);
                let outer = tape.enter(Place {
                    layer: Some(index),
                    module: "",
                });
                let layer = load_layer(tape, plan, index, group, &mut shared_tables);
                tape.enter(outer);
                layer
            })
            .collect();
        tape.enter_group(Group::default());
        let embed = embed_first.unwrap_or_else(|| weight(tape, &[a.vocab, a.hidden], plan.dtype));
        if !plain {
            for layer in &mut layers {
                tape.enter_group(layer.group);
                let outer = tape.enter(Place {
                    layer: Some(layer.index),
                    module: "",
                });
                layer.load_unquantized(tape, plan);
                tape.enter(outer);
            }
            tape.enter_group(Group::default());
        }
        let norm = weight(tape, &[a.hidden], plan.dtype);
        let frequencies = a.attention.head_dim / 2;
        let buffers = (0..2)
            .map(|_| tape.tensor(&[frequencies], Dtype::F32, Category::Buffers, "inv_freq"))
            .collect();
        let head = (!a.tied).then(|| weight(tape, &[a.vocab, a.hidden], plan.dtype));
        Model {
            embed,
            layers,
            norm,
            head,
            _buffers: buffers,
            input_requires_grad: false,
            _shared_tables: shared_tables,
        }
    }

    /// The weight of the head.
    pub fn head_weight(&self) -> &Tensor<'t> {
        self.head.as_ref().unwrap_or(&self.embed)
    }

    /// Calls `f` with every weight that is trained, in the order of `model.parameters()`, inside its group.
    pub fn for_each_trained(&self, tape: &'t Tape, mut f: impl FnMut(&Tensor<'t>)) {
        let mut visit = |t: &Tensor<'t>| {
            if t.requires_grad() {
                f(t);
            }
        };
        visit(&self.embed);
        for layer in &self.layers {
            tape.enter_group(layer.group);
            layer.for_each_weight(&mut visit);
        }
        tape.enter_group(Group::default());
        visit(&self.norm);
        if let Some(head) = &self.head {
            visit(head);
        }
    }
}

impl<'t> Layer<'t> {
    /// Every unpacked weight in the order of registration.
    pub fn for_each_weight(&self, f: &mut dyn FnMut(&Tensor<'t>)) {
        for (i, linear) in self.linears().into_iter().enumerate() {
            linear.for_each_weight(f);
            if let (3, Some((q, k))) = (i, &self.head_norms) {
                f(q);
                f(k);
            }
        }
        f(&self.input_norm);
        f(&self.mlp_norm);
    }

    fn load_unquantized(&mut self, tape: &'t Tape, plan: &Plan) {
        for linear in self.linears_mut() {
            if linear.bias.is_some() {
                linear.bias = Some(weight(tape, &[linear.outputs], plan.dtype));
            }
        }
        if self.head_norms.is_some() {
            let d = plan.arch.attention.head_dim;
            self.head_norms = Some((weight(tape, &[d], plan.dtype), weight(tape, &[d], plan.dtype)));
        }
        self.input_norm = weight(tape, &[plan.arch.hidden], plan.dtype);
        self.mlp_norm = weight(tape, &[plan.arch.hidden], plan.dtype);
    }
}

impl<'t> Linear<'t> {
    /// Weight, bias and adapter in the order of registration.
    pub fn for_each_weight(&self, f: &mut dyn FnMut(&Tensor<'t>)) {
        if let Base::Plain(weight) = &self.base {
            f(weight);
        }
        if let Some(bias) = &self.bias {
            f(bias);
        }
        if let Some((a, b)) = &self.lora {
            f(a);
            f(b);
        }
    }
}

fn load_layer<'t>(
    tape: &'t Tape,
    plan: &Plan,
    index: u32,
    group: Group,
    tables: &mut Vec<Tensor<'t>>,
) -> Layer<'t> {
    let (hidden, head_dim) = (plan.arch.hidden, plan.arch.attention.head_dim);
    let plain = plan.storage == Storage::Plain;
    // What is not quantized comes to the GPU after all that is; until then it is a stand-in without memory.
    let later = |shape: &[u64]| weight(tape, if plain { shape } else { &[0] }, plan.dtype);
    let mut linear = |shape: LinearShape| Linear {
        name: shape.name,
        path: shape.path,
        inputs: shape.inputs,
        outputs: shape.outputs,
        base: match plan.storage {
            Storage::Plain => Base::Plain(weight(tape, &[shape.outputs, shape.inputs], plan.dtype)),
            Storage::FourBit { double_quant } => {
                quantized(tape, plan, shape.inputs, shape.outputs, double_quant, tables)
            }
        },
        bias: shape.bias.then(|| later(&[shape.outputs])),
        lora: None,
        dropout: plan.lora.as_ref().is_some_and(|l| l.dropout),
    };
    let [q, k, v, o, gate, up, down] = plan.arch.linears();
    let [q, k, v, o] = [q, k, v, o].map(&mut linear);
    let head_norms = plan
        .arch
        .attention
        .head_norm
        .then(|| (later(&[head_dim]), later(&[head_dim])));
    let [gate, up, down] = [gate, up, down].map(&mut linear);
    let (input_norm, mlp_norm) = (later(&[hidden]), later(&[hidden]));
    Layer {
        index,
        group,
        q,
        k,
        v,
        o,
        head_norms,
        gate,
        up,
        down,
        input_norm,
        mlp_norm,
    }
}

/// bitsandbytes' blocks (`BitsAndBytesConfig`).
const BLOCKSIZE: u64 = 64;
/// Scales that share a second-level scale (`functional.py: quantize_4bit`, nested).
const NESTED_BLOCKSIZE: u64 = 256;

/// A linear weight as `Params4bit.to("cuda")` makes it: the 16-bit weight comes to the GPU, is packed, and is dropped
/// (`functional.py: quantize_4bit`).
fn quantized<'t>(
    tape: &'t Tape,
    plan: &Plan,
    inputs: u64,
    outputs: u64,
    double_quant: bool,
    tables: &mut Vec<Tensor<'t>>,
) -> Base<'t> {
    const OP: &str = "quantize_4bit";
    let state = |shape: &[u64], dtype| tape.tensor(shape, dtype, Category::QuantState, OP);
    let elements = inputs.saturating_mul(outputs);
    let scales = elements.div_ceil(BLOCKSIZE);
    let original = tape.temporary(&[outputs, inputs], plan.dtype, "empty");
    let absmax = state(&[scales], Dtype::F32);
    let packed = tape.tensor(&[elements.div_ceil(2), 1], Dtype::U8, Category::Weights, OP);
    let code = state(&[16], Dtype::F32);
    {
        let _magnitudes = tape.temporary(&[16], Dtype::F32, "abs");
        let _largest = tape.temporary(&[], Dtype::F32, "max");
    }
    let mut stored = vec![packed, code];
    if double_quant {
        let offset = state(&[], Dtype::F32);
        let centred = tape.temporary(&[scales], Dtype::F32, "sub");
        if tables.is_empty() {
            tables.push(tape.tensor(&[256], Dtype::F32, Category::QuantState, "create_dynamic_map"));
        }
        stored.push(offset);
        stored.push(state(&[scales.div_ceil(NESTED_BLOCKSIZE)], Dtype::F32));
        stored.push(state(&[scales], Dtype::U8));
        stored.push(state(&[256], Dtype::F32));
        drop(centred);
        drop(absmax);
    } else {
        stored.push(absmax);
    }
    drop(original);
    Base::FourBit {
        gemm: Gemm4bit {
            inputs,
            outputs,
            blocksize: BLOCKSIZE,
            double_quant,
        },
        compute: Dtype::Bf16,
        _stored: stored,
    }
}
