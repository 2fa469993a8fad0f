//! Products of groups of rows, each with a matrix of its own (`torch._grouped_mm`;
//! `aten/src/ATen/native/cuda/{GroupedBlas.cpp,GroupMM.cu}`). Cards before compute capability 8.0 have a stand-in for it
//! (`transformers/integrations/moe.py: _can_use_grouped_mm, _grouped_mm_fallback`).

use crate::autograd::grad::Gradient;
use crate::autograd::graph::MAX_EDGES;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::{Inner, Tensor};

/// What decides the backward of a grouped product.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct GroupedMm {
    pub groups: u64,
    pub rows: u64,
    pub inputs: u64,
    pub outputs: u64,
}

/// From here on there is `torch._grouped_mm`.
const GROUPED: (u32, u32) = (8, 0);
/// Bytes a multiprocessor of the workspaces of CUTLASS's kernels: of compute capability 9, of 10 with small tiles, of
/// 10 with large ones (`Gemm::get_workspace_size`: descriptors of each operand, and the scheduler's of capability 10).
const WORKSPACE_9: u64 = 512;
const WORKSPACE_10_SMALL: u64 = 5376;
const WORKSPACE_10_LARGE: u64 = 5888;
/// Groups of at most this many rows or columns take small tiles.
const SMALL: u64 = 128;

impl<'t> Tensor<'t> {
    /// `torch._grouped_mm(self, weight, offs=offsets)`: rows x inputs by groups x inputs x outputs. `transposed`: the
    /// parameter is stored as groups x outputs x inputs, and passed by its transpose.
    pub fn grouped_mm(&self, weight: &Tensor<'t>, offsets: &Tensor<'t>, transposed: bool) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let shape = inner.records[weight.id as usize].layout;
        let shape = shape.shape();
        let (groups, inputs, outputs) = match (shape, transposed) {
            (&[groups, outputs, inputs], true) | (&[groups, inputs, outputs], false) => {
                (groups, inputs, outputs)
            }
            _ => (1, 1, 1),
        };
        let layout = inner.records[self.id as usize].layout;
        let product = GroupedMm {
            groups,
            rows: layout.numel() / inputs.max(1),
            inputs,
            outputs,
        };
        let dtype = inner.records[self.id as usize].dtype;
        let ids = [self.id, weight.id];
        // The stand-in saves all that it is given.
        let saves_all = inner.device.capability < GROUPED;
        let node = inner.records_grad(&ids).then(|| {
            let node = inner.node(Gradient::GroupedMm(product), "GroupedMmBackward0", &ids);
            if saves_all || inner.needs_grad(self.id) {
                inner.save(node, 0, weight.id);
            }
            match saves_all {
                // `ctx.offs`, a field of the node
                true => inner.keep_with_graph(offsets.id),
                false => inner.save(node, 1, offsets.id),
            }
            if saves_all || inner.needs_grad(weight.id) {
                inner.save(node, 2, self.id);
            }
            node
        });
        let out = inner.alloc(Layout::contiguous(&[product.rows, outputs]), dtype, "_grouped_mm");
        inner.grouped_mm_scratch(groups, product.rows / groups.max(1), outputs, dtype);
        inner.made_by(out, node);
        self.beside(out)
    }
}

impl Inner {
    /// Pointers, strides and shapes of the groups, and the kernel's workspace; other cards and dtypes multiply group
    /// by group without.
    fn grouped_mm_scratch(&mut self, groups: u64, rows: u64, columns: u64, dtype: Dtype) {
        const OP: &str = "_grouped_mm";
        let small = rows <= SMALL || columns <= SMALL;
        let workspace = match (dtype, self.device.capability.0) {
            (Dtype::Bf16, 9) => WORKSPACE_9,
            (Dtype::Bf16, 10) if small => WORKSPACE_10_SMALL,
            (Dtype::Bf16, 10) => WORKSPACE_10_LARGE,
            _ => return,
        };
        // Three pointers (of an even number of groups), three strides of 8 bytes, three sizes of 4.
        let arguments = groups.next_multiple_of(2) * 24 + groups * (24 + 12);
        let arguments = self.scratch(arguments, OP);
        let workspace = self.scratch(workspace * self.device.multiprocessors, OP);
        self.free_scratch(workspace);
        self.free_scratch(arguments);
    }

    /// The weight's gradient, then the input's (`_grouped_mm_mat2_backward`, `_grouped_mm_mat1_backward`).
    pub(crate) fn grouped_mm_gradients(
        &mut self,
        node: u32,
        g: u32,
        p: GroupedMm,
        out: &mut [u32; MAX_EDGES],
    ) {
        const OP: &str = "_grouped_mm";
        let inputs = self.nodes[node as usize].inputs;
        let dtype = self.records[g as usize].dtype;
        if self.device.capability < GROUPED {
            // `_grouped_mm_fallback_backward`: both, wanted or not, as zeros.
            let weight = self.saved(node, 0);
            let layout = self.records[weight as usize].layout.dense();
            out[0] = self.alloc(Layout::contiguous(&[p.rows, p.inputs]), dtype, OP);
            out[1] = self.alloc(layout, dtype, OP);
            return;
        }
        if let Some(weight) = self.input(inputs[1]) {
            out[1] = self.alloc(weight.layout, dtype, OP);
            self.grouped_mm_scratch(p.groups, p.outputs, p.inputs, dtype);
        }
        if self.input(inputs[0]).is_some() {
            out[0] = self.alloc(Layout::contiguous(&[p.rows, p.inputs]), dtype, OP);
            self.grouped_mm_scratch(p.groups, p.rows / p.groups.max(1), p.inputs, dtype);
        }
    }
}
