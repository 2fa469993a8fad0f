//! `nn.LayerNorm` (`aten/src/ATen/native/cuda/layer_norm_kernel.cu`).

use crate::autograd::grad::Gradient;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::{NONE, Tensor};

impl<'t> Tensor<'t> {
    /// `torch.nn.functional.layer_norm(self, weight, bias)` over the last dimension. Autocast computes it in fp32.
    pub fn layer_norm(&self, weight: &Tensor<'t>, bias: Option<&Tensor<'t>>) -> Tensor<'t> {
        if self.tape.autocast().is_none() {
            return self.layer_norm_plain(weight, bias);
        }
        // The arguments of the call are cast from the last to the first.
        let bias = bias.map(|bias| bias.to(Dtype::F32));
        let weight = weight.to(Dtype::F32);
        let input = self.to(Dtype::F32);
        input.layer_norm_plain(&weight, bias.as_ref())
    }

    fn layer_norm_plain(&self, weight: &Tensor<'t>, bias: Option<&Tensor<'t>>) -> Tensor<'t> {
        const OP: &str = "layer_norm";
        let layout = self.layout();
        let mut inner = self.tape.inner.borrow_mut();
        let ids = [self.id, weight.id, bias.map_or(NONE, |b| b.id)];
        let node = inner.records_grad(&ids).then(|| {
            let node = inner.node(Gradient::LayerNorm, "NativeLayerNormBackward0", &ids);
            for (slot, id) in ids.into_iter().enumerate() {
                inner.save(node, slot, id);
            }
            node
        });
        let dtype = inner.records[self.id as usize].dtype;
        let out = inner.alloc(Layout::contiguous(layout.shape()), dtype, OP);
        let rows = Layout::contiguous(&[layout.numel() / layout.last().max(1)]);
        let (mean, rstd) = (
            inner.alloc(rows, Dtype::F32, OP),
            inner.alloc(rows, Dtype::F32, OP),
        );
        if let Some(node) = node {
            inner.set_node(out, node, 0);
            inner.save(node, 3, mean);
            inner.save(node, 4, rstd);
        }
        inner.release(mean);
        inner.release(rstd);
        drop(inner);
        self.beside(out)
    }
}
