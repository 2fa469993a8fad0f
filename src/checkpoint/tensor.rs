//! One stored tensor.

use super::StoredDtype;

/// A tensor as a header names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Its name, such as `model.layers.0.self_attn.q_proj.weight`.
    pub name: String,
    /// Its dtype.
    pub dtype: StoredDtype,
    /// Its sizes; none for a single number.
    pub shape: Vec<u64>,
    /// Its bytes in the file.
    pub bytes: u64,
}

impl Tensor {
    /// Elements as stored. They were counted when the header was read, so they cannot overflow.
    pub fn elements(&self) -> u64 {
        self.shape
            .iter()
            .fold(1, |product, size| product.saturating_mul(*size))
    }

    /// The weights of the model that it holds, where several are packed into one element; nothing for scales, tables and
    /// other helpers of quantization. `bits` is what the configuration says of packed integers.
    pub fn weights(&self, bits: u64) -> Option<u64> {
        let name = self.name.as_str();
        let last = name.rsplit('.').next().unwrap_or(name);
        if is_helper(name, last) {
            return None;
        }
        let elements = self.elements();
        let packed = |width: u64| elements.saturating_mul(width / bits.clamp(1, width));
        Some(match (self.dtype.name, last) {
            // bitsandbytes: two 4-bit weights a byte, as one column (`functional.py: quantize_4bit`).
            ("U8", "weight") if self.shape.last() == Some(&1) => elements.saturating_mul(2),
            // GPTQ, AWQ and compressed-tensors pack into 32 bit.
            ("I32", "qweight" | "weight_packed") => packed(32),
            // NVFP4 of compressed-tensors, MXFP4 of gpt-oss.
            ("U8", "weight_packed") => elements.saturating_mul(2),
            ("U8", _) if last.ends_with("_blocks") => elements.saturating_mul(2),
            _ => elements,
        })
    }
}

/// Does it only turn weights back, or hold what the model recomputes?
fn is_helper(name: &str, last: &str) -> bool {
    // bitsandbytes: `q_proj.weight.absmax`, `q_proj.weight.quant_state.bitsandbytes__nf4`.
    let bitsandbytes = [
        ".weight.absmax",
        ".weight.quant_map",
        ".weight.nested_absmax",
        ".weight.nested_quant_map",
    ];
    bitsandbytes.iter().any(|end| name.ends_with(end))
        || last.starts_with("bitsandbytes__")
        || last.ends_with("_scales")
        || matches!(
            last,
            "SCB"
                | "weight_format"
                | "scales"
                | "qzeros"
                | "g_idx"
                | "weight_scale"
                | "weight_scale_inv"
                | "weight_scale_2"
                | "weight_global_scale"
                | "weight_zero_point"
                | "weight_shape"
                | "weight_g_idx"
                | "input_scale"
                | "input_global_scale"
                | "input_zero_point"
                | "output_scale"
                | "activation_scale"
                | "k_scale"
                | "v_scale"
                | "inv_freq"
                | "rope_freqs"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(name: &str, dtype: &str, shape: &[u64]) -> Tensor {
        let dtype = StoredDtype::of_safetensors(dtype).unwrap();
        Tensor {
            name: name.into(),
            dtype,
            shape: shape.into(),
            bytes: dtype.bytes_of(shape.iter().product()).unwrap(),
        }
    }

    #[test]
    fn packed_weights_are_counted_as_weights() {
        let weights = |name, dtype, shape: &[u64]| tensor(name, dtype, shape).weights(4);
        assert_eq!(weights("a.q_proj.weight", "BF16", &[8, 4]), Some(32));
        assert_eq!(weights("a.q_proj.weight", "U8", &[16, 1]), Some(32));
        assert_eq!(weights("a.q_proj.qweight", "I32", &[1, 4]), Some(32));
        assert_eq!(weights("a.q_proj.weight_packed", "I32", &[8, 1]), Some(64));
        assert_eq!(
            weights("a.experts.gate_up_proj_blocks", "U8", &[2, 4, 1, 16]),
            Some(256)
        );
        assert_eq!(weights("a.norm.weight", "BF16", &[]), Some(1));
    }

    #[test]
    fn scales_and_tables_are_no_weights() {
        for name in [
            "a.q_proj.weight.absmax",
            "a.q_proj.weight.quant_state.bitsandbytes__nf4",
            "a.q_proj.weight_scale_inv",
            "a.q_proj.qzeros",
            "a.experts.down_proj_scales",
            "a.rotary_emb.inv_freq",
        ] {
            assert_eq!(tensor(name, "U8", &[8]).weights(4), None, "{name}");
        }
    }
}
