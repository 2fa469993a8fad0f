//! Linear layers: plain, 4-bit (`bitsandbytes.nn.Linear4bit`), and with a LoRA adapter around either
//! (`peft.tuners.lora.layer.Linear`, `peft.tuners.lora.bnb.Linear4bit`).

use super::dora;
use crate::estimate::Category;
use crate::quant::Storage;
use crate::replay::{Dtype, Gemm4bit, Tape, Tensor};

/// The base of a linear layer.
#[derive(Debug)]
pub enum Base<'t> {
    /// A weight in the dtype of the model.
    Plain(Tensor<'t>),
    /// A packed weight: data and quantization state.
    FourBit {
        /// How its product runs.
        gemm: Gemm4bit,
        /// `bnb_4bit_compute_dtype`.
        compute: Dtype,
        /// Packed weight, scales and tables, held for the life of the run.
        _stored: Vec<Tensor<'t>>,
    },
    /// torchao's `Float8WeightOnlyConfig`: 8-bit data and a scale a row.
    Float8 {
        /// The dtype it answers in.
        dtype: Dtype,
        /// Data and scales.
        _stored: [Tensor<'t>; 2],
    },
    /// A weight that Unsloth's fused functions alone read.
    Fused {
        /// How it is stored.
        storage: Storage,
        /// Data and scales.
        _stored: Vec<Tensor<'t>>,
    },
    /// LLM.int8: weight and row scales, held for the life of the run.
    EightBit {
        /// The int8 weight and its row scales.
        _stored: [Tensor<'t>; 2],
    },
}

/// The adapter of a linear layer.
#[derive(Debug)]
pub struct Adapters<'t> {
    /// `lora_A`: rank x inputs.
    pub a: Tensor<'t>,
    /// `lora_B`: outputs x rank.
    pub b: Tensor<'t>,
    /// DoRA's magnitudes of the outputs.
    pub magnitude: Option<Tensor<'t>>,
}

/// A linear layer.
#[derive(Debug)]
pub struct Linear<'t> {
    /// Columns in.
    pub inputs: u64,
    /// Columns out.
    pub outputs: u64,
    /// The base weight.
    pub base: Base<'t>,
    /// The bias.
    pub bias: Option<Tensor<'t>>,
    /// Its adapter.
    pub lora: Option<Adapters<'t>>,
    /// Is `lora_dropout` above zero?
    pub dropout: bool,
    /// Does its product run in 8-bit floats?
    pub float8: bool,
}

impl<'t> Linear<'t> {
    /// `forward(x)`.
    pub fn forward(&self, x: &Tensor<'t>) -> Tensor<'t> {
        match &self.lora {
            None => self.base_forward(x),
            Some(lora) => self.lora_forward(x, lora),
        }
    }

    fn base_forward(&self, x: &Tensor<'t>) -> Tensor<'t> {
        match &self.base {
            Base::Plain(weight) if self.float8 => self.float8_forward(x, weight),
            Base::Plain(weight) => x.linear(weight, self.bias.as_ref()),
            Base::EightBit { .. } => x.matmul_8bit(self.inputs, self.outputs),
            // Below Unsloth's functions only; a plan that would come here is refused.
            Base::Fused { .. } => x.clone(),
            Base::Float8 { dtype, .. } => self.weight_only_forward(x, *dtype),
            Base::FourBit { gemm, compute, .. } => {
                let dtype = x.dtype();
                let x = x.to(*compute);
                self.convert_bias();
                let mut out = x.matmul_4bit(*gemm, self.bias.is_some());
                out = out.to(dtype);
                out
            }
        }
    }

    /// `Float8Linear.forward`
    #[inline(never)]
    fn float8_forward(&self, x: &Tensor<'t>, weight: &Tensor<'t>) -> Tensor<'t> {
        let x = x.tape().autocast().map_or_else(|| x.clone(), |dtype| x.to(dtype));
        let out = x.float8_linear(weight);
        match &self.bias {
            Some(bias) => out.add(&bias.to(out.dtype())),
            None => out,
        }
    }

    /// `float8_tensor.py: _float8_addmm_impl`: an ordinary product, then the bias.
    #[inline(never)]
    fn weight_only_forward(&self, x: &Tensor<'t>, dtype: Dtype) -> Tensor<'t> {
        let out = {
            let weight = self.dequantized_float8(x.tape(), dtype);
            x.linear(&weight, None)
        };
        match &self.bias {
            Some(bias) => out.add(bias),
            None => out,
        }
    }

    /// `Linear4bit.forward` gives its bias the compute dtype for good, at its first call (`bias.data =
    /// bias.data.to(x.dtype)`, `bitsandbytes/nn/modules.py`).
    pub fn convert_bias(&self) {
        if let (Base::FourBit { compute, .. }, Some(bias)) = (&self.base, &self.bias) {
            bias.convert_data(*compute, Category::Weights);
        }
    }

    /// The dtype that adapters come in: of a 4-bit layer what it computes in, else the weight's when that is a float, which
    /// is the model's (`peft/tuners/tuners_utils.py: BaseTunerLayer._get_base_layer_device_and_dtype`).
    pub fn adapter_dtype(&self, model: Dtype) -> Dtype {
        match &self.base {
            Base::FourBit { compute, .. } => *compute,
            Base::EightBit { .. } => Dtype::F32,
            Base::Plain(_) | Base::Float8 { .. } | Base::Fused { .. } => model,
        }
    }

    /// Is the base quantized by bitsandbytes? Its adapters leave casts to autocast.
    fn quantized(&self) -> bool {
        matches!(self.base, Base::FourBit { .. } | Base::EightBit { .. })
    }

    /// `Float8Tensor.dequantize`.
    fn dequantized_float8(&self, tape: &'t Tape, dtype: Dtype) -> Tensor<'t> {
        let shape = [self.outputs, self.inputs];
        let _data = tape.temporary(&shape, Dtype::F32, "dequantize");
        let scaled = tape.temporary(&shape, Dtype::F32, "dequantize");
        match dtype {
            Dtype::F32 => scaled,
            _ => tape.temporary(&shape, dtype, "dequantize"),
        }
    }

    /// `peft.utils.integrations.dequantize_module_weight`.
    pub fn dequantized(&self, tape: &'t Tape) -> Tensor<'t> {
        let shape = [self.outputs, self.inputs];
        match &self.base {
            Base::Plain(weight) => weight.clone(),
            Base::Float8 { dtype, .. } => self.dequantized_float8(tape, *dtype),
            Base::Fused { .. } => self.dequantized_float8(tape, Dtype::Bf16),
            // `int8_vectorwise_dequant`: A * stats.view(-1, 1) * (1 / 127)
            Base::EightBit { .. } => {
                let _scaled = tape.temporary(&shape, Dtype::F32, "mul");
                tape.temporary(&shape, Dtype::F32, "mul")
            }
            Base::FourBit { gemm, .. } => {
                let _scales = gemm
                    .double_quant
                    .then(|| tape.temporary(&[gemm.blocks()], Dtype::F32, "dequantize_blockwise"));
                tape.temporary(&shape, gemm.dtype, "dequantize_4bit")
            }
        }
    }

    /// `copy.deepcopy` of a 4-bit layer: the quantization state, the packed weight, the state again, as the weight's own.
    pub fn copied(&self, tape: &'t Tape) -> Vec<Tensor<'t>> {
        let Base::FourBit {
            _stored: stored,
            gemm,
            ..
        } = &self.base
        else {
            return Vec::new();
        };
        // Packed weight, code, and of the scales what there is, scales last.
        let (packed, code, scales) = (stored.first(), stored.get(1), stored.get(2..).unwrap_or_default());
        let state: Vec<&Tensor<'t>> = match (gemm.double_quant, scales) {
            (true, [offset, nested_scales, scales, nested_code]) => [
                Some(scales),
                code,
                Some(offset),
                Some(nested_scales),
                Some(nested_code),
            ]
            .into_iter()
            .flatten()
            .collect(),
            (_, scales) => scales.iter().chain(code).collect(),
        };
        let copy =
            |tensor: &Tensor<'t>| tape.temporary(tensor.layout().shape(), tensor.dtype(), "__deepcopy__");
        // Copies of parts of the weight go by way of a first element.
        let part = |tensor: &Tensor<'t>| {
            let copied = copy(tensor);
            tape.scratch(tensor.dtype().size(), "__deepcopy__");
            copied
        };
        let mut copies: Vec<Tensor<'t>> = state.iter().copied().chain(packed).map(part).collect();
        copies.extend(self.bias.as_ref().map(copy));
        copies.extend(state.iter().copied().map(part));
        copies
    }

    fn lora_forward(&self, x: &Tensor<'t>, lora: &Adapters<'t>) -> Tensor<'t> {
        self.adapted(x, self.base_forward(x), lora)
    }

    /// `forward(x)` where the base came to `result`.
    pub fn forward_over(&self, x: &Tensor<'t>, result: Tensor<'t>) -> Tensor<'t> {
        match &self.lora {
            None => result,
            Some(lora) => self.adapted(x, result, lora),
        }
    }

    fn adapted(&self, x: &Tensor<'t>, mut result: Tensor<'t>, lora: &Adapters<'t>) -> Tensor<'t> {
        let (a, b) = (&lora.a, &lora.b);
        let dtype = result.dtype();
        let quantized = self.quantized();
        if matches!(self.base, Base::FourBit { .. }) {
            // "for 4bit, we need to defensively clone here"
            result = result.copy();
        }
        // Quantized layers leave the cast to autocast when that is on; Linear always casts.
        let convert = !quantized || x.tape().autocast().is_none();
        let x = if convert { x.to(a.dtype()) } else { x.clone() };
        if let Some(magnitude) = &lora.magnitude {
            let dropped = self.dropout.then(|| x.dropout());
            let update = match &dropped {
                Some(x) => dora::forward(self, lora, magnitude, x, None),
                None => dora::forward(self, lora, magnitude, &x, Some(&result)),
            };
            result = result.add(&update);
            drop((update, dropped));
            return match convert || !quantized {
                true => result.to(dtype),
                false => result,
            };
        }
        let mut update = if self.dropout {
            x.dropout().linear(a, None)
        } else {
            x.linear(a, None)
        };
        update = update.linear(b, None);
        update = update.scale();
        if convert && quantized {
            update = update.to(dtype);
        }
        result = result.add(&update);
        drop(update);
        if !quantized {
            result = result.to(dtype);
        }
        result
    }

    /// Weight, bias and adapter in the order of registration, and whether each decays.
    pub fn for_each_weight(&self, f: &mut dyn FnMut(&Tensor<'t>, bool)) {
        if let Base::Plain(weight) = &self.base {
            f(weight, true);
        }
        if let Some(bias) = &self.bias {
            f(bias, false);
        }
        if let Some(lora) = &self.lora {
            f(&lora.a, true);
            f(&lora.b, true);
            if let Some(magnitude) = &lora.magnitude {
                f(magnitude, true);
            }
        }
    }
}
