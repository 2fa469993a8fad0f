//! SDPA's choice of a kernel (`aten/src/ATen/native/transformers/cuda/sdp_utils.cpp`), cuDNN left out: flash, else the
//! memory-efficient kernel, else plain products.

use super::{AttentionKernel, not_modelled};
use crate::estimate::EstimateError;
use crate::model::{Architecture, Attention as Heads};
use crate::replay::Dtype;
use crate::scenario::{Attention, Scenario, SdpaBackend};

/// Widest heads of the flash kernel (`check_head_dim_size_flash`) and those that transformers leaves grouped
/// (`integrations/sdpa_attention.py: use_gqa_in_sdpa`).
const MOST_WIDTH: u64 = 256;

/// What the choice depends on.
#[derive(Clone, Copy, Debug)]
struct Call {
    width: u64,
    value_width: u64,
    grouped: bool,
    masked: bool,
    capability: (u32, u32),
    dtype: Dtype,
}

impl Call {
    fn flash(self) -> bool {
        let (major, minor) = self.capability;
        // `check_requires_grad_and_head_dim_gt192_constraints_on_sm86_89_or_120`
        let small = matches!((major, minor), (8, 6..=9) | (12, 0 | 1));
        major >= 8
            && self.width <= MOST_WIDTH
            && self.width == self.value_width
            && self.dtype != Dtype::F32
            && !self.masked
            && !(small && (193..=224).contains(&self.width))
    }

    /// `check_batch_size_and_num_heads_dense` wants as many heads of keys as of queries, `minimum_gemm_alignment` widths of
    /// 16 bytes on tensor cores.
    fn efficient(self) -> bool {
        let half = self.dtype != Dtype::F32;
        let alignment = match self.capability.0 {
            8.. if half => 8,
            8.. => 4,
            7 if half => 8,
            _ => 1,
        };
        let grouped = self.grouped && !self.masked && self.width <= MOST_WIDTH;
        !grouped
            && self.width.is_multiple_of(alignment)
            && self.value_width.is_multiple_of(alignment)
            && (self.dtype != Dtype::Bf16 || self.capability.0 >= 8)
    }

    fn kernel(self, backend: SdpaBackend) -> Result<AttentionKernel, EstimateError> {
        match backend {
            SdpaBackend::Auto if self.flash() => Ok(AttentionKernel::Flash),
            SdpaBackend::Auto if self.efficient() => Ok(AttentionKernel::Efficient),
            SdpaBackend::Auto | SdpaBackend::Math => Ok(AttentionKernel::Math),
            SdpaBackend::Flash if self.flash() => Ok(AttentionKernel::Flash),
            SdpaBackend::Efficient | SdpaBackend::EfficientRepeated if self.efficient() => {
                Ok(AttentionKernel::Efficient)
            }
            SdpaBackend::Flash => not_modelled(
                "the flash kernel cannot run this: it needs compute capability 8.0, 16-bit compute, heads of at most 256, as wide for values as for keys, and no mask",
            ),
            SdpaBackend::Efficient | SdpaBackend::EfficientRepeated => not_modelled(
                "the memory-efficient kernel cannot run this: it takes no grouped heads without a mask, and bfloat16 only from compute capability 8.0",
            ),
        }
    }
}

/// The kernels of layers without and with a mask. `dtype` is that of queries, keys and values outside autocast.
pub type Kernels = (AttentionKernel, AttentionKernel);

/// The kernels of layers with the usual heads.
///
/// # Errors
/// When the kernel asked for cannot run.
pub fn kernels(
    s: &Scenario,
    arch: &Architecture,
    capability: (u32, u32),
    dtype: Dtype,
) -> Result<Kernels, EstimateError> {
    kernels_of(s, arch, &arch.attention, capability, dtype)
}

/// The kernels of layers whose heads have widths of their own.
///
/// # Errors
/// When the kernel asked for cannot run.
pub fn global_kernels(
    s: &Scenario,
    arch: &Architecture,
    capability: (u32, u32),
    dtype: Dtype,
) -> Result<Option<Kernels>, EstimateError> {
    let global = arch.global_attention.as_ref();
    global
        .map(|a| kernels_of(s, arch, a, capability, dtype))
        .transpose()
}

fn kernels_of(
    s: &Scenario,
    arch: &Architecture,
    a: &Heads,
    capability: (u32, u32),
    dtype: Dtype,
) -> Result<Kernels, EstimateError> {
    if s.attention == Attention::Eager || arch.family.is_always_eager() {
        return Ok((AttentionKernel::Eager, AttentionKernel::Eager));
    }
    if s.attention == Attention::FlashAttention2 {
        return flash_package(s, arch, a, capability, dtype);
    }
    let call = Call {
        width: a.head_dim,
        value_width: a.value_dim,
        grouped: a.kv_heads != a.heads && s.sdpa_backend != SdpaBackend::EfficientRepeated,
        masked: false,
        capability,
        dtype,
    };
    // SDPA pads narrower heads to 8 before its fused kernels (`pad_last_dim`): not written.
    let padded = !(a.head_dim.is_multiple_of(8) && a.value_dim.is_multiple_of(8));
    if padded && s.sdpa_backend != SdpaBackend::Math && capability.0 >= 8 {
        return not_modelled(format!(
            "heads of {} and {} are no multiple of 8, which SDPA's fused kernels pad",
            a.head_dim, a.value_dim
        ));
    }
    let masked = Call { masked: true, ..call };
    if arch.family.has_dropout() && (!call.flash() || s.padding) {
        return not_modelled(
            "dropout of attention outside the flash kernel and eager attention is not modelled",
        );
    }
    let window = a.sliding_window.is_some_and(|w| w <= s.seq);
    let hidden = |index: u64| s.padding || (window && arch.is_windowed(index));
    let layers = || (0..arch.layers).filter(|&index| std::ptr::eq(arch.attention_of(index), a));
    let (some, all) = (layers().any(hidden), layers().all(hidden));
    // A kernel that no layer uses is not asked for.
    match (some, all) {
        (false, _) => call.kernel(s.sdpa_backend).map(|kernel| (kernel, kernel)),
        (_, true) => masked.kernel(s.sdpa_backend).map(|kernel| (kernel, kernel)),
        _ => Ok((call.kernel(s.sdpa_backend)?, masked.kernel(s.sdpa_backend)?)),
    }
}

/// The flash-attn package (`flash_attn/flash_attn_interface.py`), whose kernels PyTorch's flash kernel was taken from: it
/// keeps and needs the same, without masks for windows.
#[inline(never)]
fn flash_package(
    s: &Scenario,
    arch: &Architecture,
    a: &Heads,
    capability: (u32, u32),
    dtype: Dtype,
) -> Result<Kernels, EstimateError> {
    let plain = a.head_dim == a.value_dim && a.head_dim.is_multiple_of(8) && a.head_dim <= MOST_WIDTH;
    let reason = match () {
        () if capability.0 < 8 => "FlashAttention 2 needs compute capability 8.0",
        () if dtype == Dtype::F32 => {
            "FlashAttention 2 on fp32 products, which transformers casts, is not modelled"
        }
        // `Llama4PreTrainedModel._supports_flash_attn`
        () if arch.family.masks_in_chunks() => "this architecture does not take FlashAttention 2",
        () if s.padding => "FlashAttention 2 on padded batches, which transformers unpads, is not modelled",
        () if s.use_cache => "FlashAttention 2 with a key-value cache is not modelled",
        () if !plain || arch.global_attention.is_some() => {
            "FlashAttention 2 on heads of these widths is not modelled"
        }
        () => return Ok((AttentionKernel::Flash, AttentionKernel::Flash)),
    };
    not_modelled(reason)
}
