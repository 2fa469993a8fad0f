//! Fake-quantized weights of quantization-aware training: rounded to few bits and back, in the dtype they came in.

use super::fast_lora::FastLinear;
use crate::dtype::Dtype;
use crate::tape::Tensor;

/// Columns that share a scale (`unsloth/models/_utils.py: _prepare_model_for_qat`, scheme `int4`).
const GROUP: u64 = 128;

const OP: &str = "fake_quantize";

impl<'t> Tensor<'t> {
    /// `torchao/quantization/qat/fake_quantizer.py: Int4WeightFakeQuantizer._bf16_activations_forward`, step by step in
    /// fp32. A weight whose columns do not fill groups stays as it is (`_group_size_linear_filter`).
    pub fn fake_int4(&self) -> Option<Tensor<'t>> {
        let layout = self.layout();
        let columns = layout.last();
        if columns < GROUP || !columns.is_multiple_of(GROUP) {
            return None;
        }
        let all = layout.numel();
        let of = |elements: u64, dtype: Dtype| self.tape.temporary(&[elements], dtype, OP);
        let groups = || of(all / GROUP, Dtype::F32);
        let wide = || of(all, Dtype::F32);
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
        let narrow = self.tape.temporary(layout.shape(), self.dtype(), OP);
        drop(sum);
        Some(narrow)
    }
}

/// The fake-quantized weights of a fused function's linear layers, made before it is called
/// (`unsloth/kernels/utils.py: get_lora_parameters`).
pub(crate) fn fakes<'t>(linears: &[FastLinear<'_, 't>]) -> Vec<Tensor<'t>> {
    linears
        .iter()
        .filter_map(|linear| linear.fake.and_then(Tensor::fake_int4))
        .collect()
}
