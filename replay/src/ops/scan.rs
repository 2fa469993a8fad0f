//! What recurrent layers are written with: running sums, padding, parts by number, triangular systems.

use crate::autograd::grad::Gradient;
use crate::autograd::graph::MAX_EDGES;
use crate::dtype::Dtype;
use crate::layout::Layout;
use crate::tape::{Inner, NONE, Tensor};

/// Up to this many systems of [`LOOPED_SIZE`] rows or more are solved one after another
/// (`aten/src/ATen/native/cuda/linalg/BatchLinearAlgebra.cpp: triangular_solve_kernel`).
const LOOPED_SYSTEMS: u64 = 8;
const LOOPED_SIZE: u64 = 64;

impl<'t> Tensor<'t> {
    /// `self.select(dim, i)`, as `self[:, :, i]`.
    pub fn select(&self, dim: usize) -> Tensor<'t> {
        self.viewed("SelectBackward0", Gradient::Place, self.layout().selected(dim))
    }

    /// `self.unsqueeze(dim)`.
    pub fn unsqueeze(&self, dim: usize) -> Tensor<'t> {
        self.viewed(
            "UnsqueezeBackward0",
            Gradient::View,
            self.layout().unsqueezed(dim),
        )
    }

    /// `torch.nn.functional.pad(self, ...)`: `by` zeros behind a dimension; a copy even where there are none
    /// (`aten/src/ATen/native/PadNd.cpp: constant_pad_nd`).
    pub fn pad(&self, dim: usize, by: u64) -> Tensor<'t> {
        let layout = self.layout();
        let padded = match by {
            0 => layout.like(),
            _ => {
                let mut shape = layout.shape().to_vec();
                shape[dim] = shape[dim].saturating_add(by);
                Layout::contiguous(&shape)
            }
        };
        self.moved(
            "constant_pad_nd",
            "ConstantPadNdBackward0",
            Gradient::Pad { dim },
            padded,
        )
    }

    /// `self.cumsum(-1)`, of many rows: the kernel reads a contiguous input
    /// (`aten/src/ATen/native/cuda/ScanUtils.cuh: scan_dim`).
    pub fn cumulative_sum_last(&self) -> Tensor<'t> {
        let layout = self.layout();
        let out = self.moved(
            "cumsum",
            "CumsumBackward0",
            Gradient::CumulativeSum,
            Layout::contiguous(layout.shape()),
        );
        if !layout.is_contiguous() {
            self.tape
                .scratch(layout.numel().saturating_mul(self.dtype().size()), "cumsum");
        }
        out
    }

    fn moved(&self, op: &'static str, name: &'static str, gradient: Gradient, layout: Layout) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let node = inner.node_over(gradient, name, &[self.id]);
        let dtype = inner.records[self.id as usize].dtype;
        let out = inner.alloc(layout, dtype, op);
        inner.made_by(out, node);
        self.beside(out)
    }

    /// `torch.linalg.solve_triangular(system, self)`: the solution's matrices are in columns.
    pub fn solve_triangular(&self, system: &Tensor<'t>) -> Tensor<'t> {
        let mut inner = self.tape.inner.borrow_mut();
        let ids = [system.id, self.id];
        let node = inner.records_grad(&ids).then(|| {
            let name = "LinalgSolveTriangularBackward0";
            inner.node(Gradient::SolveTriangular, name, &ids)
        });
        let (layout, dtype) = (
            inner.records[self.id as usize].layout,
            inner.records[self.id as usize].dtype,
        );
        let square = inner.records[system.id as usize].layout;
        let out = inner.solve(layout, dtype, square);
        if let Some(node) = node {
            inner.set_node(out, node, 0);
            inner.save(node, 0, system.id);
            inner.save(node, 1, out);
        }
        self.beside(out)
    }
}

impl Inner {
    /// `linalg_solve_triangular_out`: the right side is copied into the result, and solved there; where all systems are
    /// solved at once, by tables of their addresses.
    fn solve(&mut self, right: Layout, dtype: Dtype, system: Layout) -> u32 {
        const OP: &str = "linalg_solve_triangular";
        let dims = right.shape().len();
        let columns = Layout::contiguous(right.transposed(dims - 2, dims - 1).shape());
        let out = self.alloc(columns.transposed(dims - 2, dims - 1), dtype, OP);
        self.touch_workspace();
        let rows = system.last();
        let systems = system.numel() / rows.saturating_mul(rows).max(1);
        if systems > LOOPED_SYSTEMS || rows < LOOPED_SIZE {
            let tables = [(); 2].map(|()| self.scratch(systems.saturating_mul(8), OP));
            for table in tables.into_iter().rev() {
                self.free_scratch(table);
            }
        }
        out
    }

    /// `linalg_solve_triangular_backward`: the transposed system is solved for the gradient of the right side; that of
    /// the system is the triangle of a product with the solution, negated.
    pub(crate) fn solve_triangular_gradients(&mut self, node: u32, g: u32, out: &mut [u32; MAX_EDGES]) {
        let inputs = self.nodes[node as usize].inputs;
        let system = self.saved(node, 0);
        let (layout, dtype) = (self.records[g as usize].layout, self.records[g as usize].dtype);
        let system = self.records[system as usize].layout;
        let right = self.solve(layout, dtype, system);
        if inputs[0] != NONE {
            let square = system.dense();
            let product = self.alloc(square, dtype, "matmul");
            let negated = self.alloc(square, dtype, "neg");
            self.release(product);
            out[0] = self.alloc(square, dtype, "tril");
            self.release(negated);
        }
        match inputs[1] {
            NONE => self.release(right),
            _ => out[1] = right,
        }
    }

    /// `grad.flip(-1).cumsum(-1).flip(-1)`.
    pub(crate) fn cumulative_sum_gradient(&mut self, g: u32) -> u32 {
        let (layout, dtype) = (self.records[g as usize].layout, self.records[g as usize].dtype);
        let layout = layout.like();
        let flipped = self.alloc(layout, dtype, "flip");
        let summed = self.alloc(layout.dense(), dtype, "cumsum");
        if !layout.is_contiguous() {
            let copy = self.scratch(layout.numel().saturating_mul(dtype.size()), "cumsum");
            self.free_scratch(copy);
        }
        let out = self.alloc(layout.dense(), dtype, "flip");
        self.release(summed);
        self.release(flipped);
        out
    }
}
