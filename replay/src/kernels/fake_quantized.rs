//! Fake-quantized weights of quantization-aware training: rounded to few bits and back, in the dtype they came in.

use super::fast_lora::FastLinear;
use crate::dtype::Dtype;
use crate::tape::Tensor;
use std::cell::RefCell;

/// Scales and zero points that a quantizer to integers holds from call to call (`IntxFakeQuantizer`).
pub type HeldScales<'t> = RefCell<Option<[Tensor<'t>; 2]>>;

/// How weights are rounded (`unsloth/models/_utils.py: _prepare_model_for_qat`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FakeWeight {
    /// To 4 bit in groups of 128, beside 16-bit inputs.
    Int4,
    /// To integers, with a scale for every group of so many columns, or for every row.
    Integers {
        /// Columns of a group.
        group: Option<u64>,
    },
    /// To 8-bit floats, with a scale for every row.
    Float8,
    /// To 8-bit floats, then to 4 bit in groups of 128.
    Float8Int4,
}

/// Columns that share a scale in [`FakeWeight::Int4`] and [`FakeWeight::Float8Int4`].
const GROUP: u64 = 128;

const OP: &str = "fake_quantize";

impl FakeWeight {
    /// Columns that share a scale, of a weight with these columns; none: such a weight stays as it is
    /// (`_group_size_linear_filter`).
    fn group(self, columns: u64) -> Option<u64> {
        let group = match self {
            FakeWeight::Int4 | FakeWeight::Float8Int4 => GROUP,
            FakeWeight::Integers { group } => group.unwrap_or(columns),
            FakeWeight::Float8 => columns,
        };
        (group > 0 && columns.is_multiple_of(group) && columns >= group).then_some(group)
    }

    /// What calls have left in a quantizer of this weight.
    pub fn settle<'t>(self, weight: &Tensor<'t>, held: &HeldScales<'t>) {
        let layout = weight.layout();
        if let (FakeWeight::Integers { .. }, Some(group)) = (self, self.group(layout.last())) {
            let scale = |dtype| weight.scratch_of(layout.numel() / group.max(1), dtype);
            held.replace(Some([weight.dtype(), Dtype::I32].map(scale)));
        }
    }
}

impl<'t> Tensor<'t> {
    fn scratch_of(&self, elements: u64, dtype: Dtype) -> Tensor<'t> {
        self.tape.temporary(&[elements], dtype, OP)
    }

    /// This weight, rounded and back, where its columns fill groups.
    pub fn fake_weight(&self, how: FakeWeight, held: &HeldScales<'t>) -> Option<Tensor<'t>> {
        let layout = self.layout();
        let all = layout.numel();
        let groups = all / how.group(layout.last())?.max(1);
        Some(match how {
            FakeWeight::Int4 => self.fake_int4(all, groups),
            FakeWeight::Integers { .. } => self.fake_integers(all, groups, held),
            FakeWeight::Float8 => self.fake_float8(all),
            FakeWeight::Float8Int4 => self.fake_float8(all).fake_int4_of_float8(all, groups),
        })
    }

    /// `torchao/quantization/qat/fake_quantizer.py: Int4WeightFakeQuantizer._bf16_activations_forward`, step by step in
    /// fp32.
    fn fake_int4(&self, all: u64, count: u64) -> Tensor<'t> {
        let groups = || self.scratch_of(count, Dtype::F32);
        let wide = || self.scratch_of(all, Dtype::F32);
        let _weight = wide();
        let (_most, _least) = (groups(), groups());
        let _scale = {
            let range = groups();
            let clamped = groups();
            drop(range);
            let scale = groups();
            drop(clamped);
            scale
        };
        let _zero_point = {
            let _shifted = groups();
            groups()
        };
        let from_least = wide();
        let scaled = wide();
        drop(from_least);
        let rounded = wide();
        drop(scaled);
        let clamped = wide();
        drop(rounded);
        let shifted = wide();
        drop(clamped);
        let product = wide();
        let sum = wide();
        drop((product, shifted));
        let narrow = self.tape.temporary(self.layout().shape(), self.dtype(), OP);
        drop(sum);
        narrow
    }

    /// `quant_primitives.py: _choose_qparams_affine` with a symmetric range, then `_do_fake_quantize_affine`.
    fn fake_integers(&self, all: u64, count: u64, held: &HeldScales<'t>) -> Tensor<'t> {
        let groups = || self.scratch_of(count, self.dtype());
        let parameters = {
            let _ends = [groups(), groups()];
            let below = {
                let _zeros = groups();
                groups()
            };
            let above = {
                let _zeros = groups();
                groups()
            };
            let scale = {
                let _most = groups();
                groups()
            };
            drop(above);
            let clamped = groups();
            let parameters = [groups(), groups()];
            drop((clamped, below, scale));
            parameters
        };
        {
            let [scale, _zero_point] = parameters;
            held.replace(None);
            held.replace(Some([scale, self.scratch_of(count, Dtype::I32)]));
        }
        self.fake_affine(all, count, true)
    }

    /// `_do_fake_quantize_affine` in fp32; `casts`: the zero points are in another dtype than the weight.
    fn fake_affine(&self, all: u64, count: u64, casts: bool) -> Tensor<'t> {
        let reciprocal = {
            let single = || self.scratch_of(count, Dtype::F32);
            let first = single();
            let second = single();
            drop(first);
            let third = single();
            drop(second);
            third
        };
        let wide = || self.scratch_of(all, Dtype::F32);
        let product = wide();
        drop(reciprocal);
        let rounded = wide();
        drop(product);
        let shifted = wide();
        drop(rounded);
        let clamped = wide();
        drop(shifted);
        let narrow = || self.tape.temporary(self.layout().shape(), self.dtype(), OP);
        let copy = narrow();
        let zero_point = casts.then(|| self.scratch_of(count, self.dtype()));
        let difference = narrow();
        drop((zero_point, copy));
        let scaled = narrow();
        drop((difference, clamped));
        scaled
    }

    /// `Float8FakeQuantizer.forward`.
    fn fake_float8(&self, all: u64) -> Tensor<'t> {
        let rows = all / self.layout().last().max(1);
        let wide = || self.scratch_of(all, Dtype::F32);
        let _scale = {
            let _magnitudes = self.scratch_of(all, self.dtype());
            self.scratch_of(rows, Dtype::F32)
        };
        let rounded = {
            let _wide = wide();
            let _scaled = wide();
            let _clamped = wide();
            self.scratch_of(all, Dtype::F8)
        };
        let back = wide();
        let product = wide();
        let narrow = self.tape.temporary(self.layout().shape(), self.dtype(), OP);
        drop((back, product, rounded));
        narrow
    }

    /// The rest of `Int4WeightFakeQuantizer._fp8_activations_forward`.
    fn fake_int4_of_float8(self, all: u64, count: u64) -> Tensor<'t> {
        let groups = || self.scratch_of(count, self.dtype());
        let _most = {
            let _magnitudes = self.scratch_of(all, self.dtype());
            groups()
        };
        let _scale = {
            let _quotient = groups();
            groups()
        };
        let _zero_point = groups();
        self.fake_affine(all, count, false)
    }
}

/// The fake-quantized weights of a fused function's linear layers, made before it is called
/// (`unsloth/kernels/utils.py: get_lora_parameters`).
pub(crate) fn fakes<'t>(linears: &[FastLinear<'_, 't>]) -> Vec<Tensor<'t>> {
    linears
        .iter()
        .filter_map(|linear| {
            linear
                .fake
                .and_then(|(weight, how, held)| weight.fake_weight(how, held))
        })
        .collect()
}
