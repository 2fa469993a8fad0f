//! Shapes and strides: which results are contiguous decides which reshapes copy.

/// Most dimensions a tensor of the replay has.
pub const MAX_DIMS: usize = 5;

/// Sizes and strides (in elements) of a tensor.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    dims: u8,
    /// Dense and in row-major order.
    contiguous: bool,
    /// Number of elements.
    numel: u64,
    shape: [u64; MAX_DIMS],
    strides: [u64; MAX_DIMS],
}

/// Are all five equal? Written out, for the derived comparison is a call.
fn same([a, b, c, d, e]: &[u64; MAX_DIMS], [v, w, x, y, z]: &[u64; MAX_DIMS]) -> bool {
    (a ^ v) | (b ^ w) | (c ^ x) | (d ^ y) | (e ^ z) == 0
}

impl PartialEq for Layout {
    fn eq(&self, other: &Self) -> bool {
        self.same_shape(other) && self.contiguous == other.contiguous && same(&self.strides, &other.strides)
    }
}

impl Eq for Layout {}

impl Layout {
    /// A dense tensor in row-major order.
    pub fn contiguous(shape: &[u64]) -> Self {
        let mut layout = Layout {
            dims: shape.len() as u8,
            contiguous: true,
            numel: 1,
            shape: [1; MAX_DIMS],
            strides: [0; MAX_DIMS],
        };
        for i in (0..shape.len()).rev() {
            layout.shape[i] = shape[i];
            layout.strides[i] = layout.numel.max(1);
            layout.numel = layout.numel.saturating_mul(shape[i]);
        }
        layout
    }

    /// The sizes.
    pub fn shape(&self) -> &[u64] {
        &self.shape[..self.dims as usize]
    }

    /// Have both the same sizes?
    pub fn same_shape(&self, other: &Layout) -> bool {
        self.dims == other.dims && same(&self.shape, &other.shape)
    }

    /// Strides in elements.
    pub fn strides(&self) -> &[u64] {
        &self.strides[..self.dims as usize]
    }

    /// The size of the last dimension (1 for a scalar).
    pub fn last(&self) -> u64 {
        self.shape().last().copied().unwrap_or(1)
    }

    /// Number of elements.
    pub fn numel(&self) -> u64 {
        self.numel
    }

    /// Is it dense and in row-major order? Dimensions of size 1 do not matter.
    pub fn is_contiguous(&self) -> bool {
        self.contiguous
    }

    fn with_contiguity(mut self) -> Self {
        self.contiguous = self.find_contiguous();
        self
    }

    fn find_contiguous(&self) -> bool {
        let mut expected = 1;
        for (&size, &stride) in self.shape().iter().zip(self.strides()).rev() {
            if size != 1 {
                if stride != expected {
                    return false;
                }
                expected *= size;
            }
        }
        true
    }

    /// Dense in some order of its dimensions, without overlap.
    pub fn is_dense(&self) -> bool {
        self.contiguous || self.is_heads_first() || self.find_dense()
    }

    /// Three dimensions whose matrices are in rows or in columns, as the matrix library takes them
    /// (`prepare_batch_matrix_for_cublas`).
    pub fn is_batch_of_matrices(&self) -> bool {
        let (&[_, rows, columns], &[_, row, column]) = (self.shape(), self.strides()) else {
            return true;
        };
        let fits = |fast: u64, slow: u64, size: u64| fast == 1 && slow >= size.max(1);
        self.contiguous || fits(column, row, columns) || fits(row, column, rows)
    }

    /// The common case: four dimensions, the middle two exchanged.
    fn is_heads_first(&self) -> bool {
        let ([batch, heads, seq, width, _], [s0, s1, s2, s3, _]) = (self.shape, self.strides);
        let whole = heads.wrapping_mul(seq).wrapping_mul(width);
        self.dims == 4
            && s3 == 1
            && s1 == width
            && s2 == heads.wrapping_mul(width)
            && (s0 == whole || batch == 1)
    }

    fn find_dense(&self) -> bool {
        let mut pairs = [(0u64, 1u64); MAX_DIMS];
        let mut n = 0;
        for (&size, &stride) in self.shape().iter().zip(self.strides()) {
            if size != 1 {
                pairs[n] = (stride, size);
                n += 1;
            }
        }
        pairs[..n].sort_unstable();
        let mut expected = 1;
        for &(stride, size) in &pairs[..n] {
            if stride != expected {
                return false;
            }
            expected *= size;
        }
        true
    }

    /// The same elements with two dimensions exchanged.
    pub fn transposed(mut self, a: usize, b: usize) -> Self {
        self.shape.swap(a, b);
        self.strides.swap(a, b);
        self.with_contiguity()
    }

    /// One dimension repeated without memory (`expand`); `new`: it is put in before.
    pub fn expanded(mut self, dim: usize, size: u64, new: bool) -> Self {
        if new {
            self.shape.copy_within(dim..MAX_DIMS - 1, dim + 1);
            self.strides.copy_within(dim..MAX_DIMS - 1, dim + 1);
            self.dims += 1;
        }
        self.shape[dim] = size;
        self.strides[dim] = 0;
        self.numel = self.shape().iter().fold(1, |n, &s| n.saturating_mul(s));
        self.with_contiguity()
    }

    /// The same elements without a first dimension of one.
    pub fn without_first(mut self) -> Self {
        if self.dims > 1 && self.shape[0] == 1 {
            self.shape.copy_within(1.., 0);
            self.strides.copy_within(1.., 0);
            self.dims -= 1;
            self.shape[self.dims as usize] = 1;
            self.strides[self.dims as usize] = 0;
        }
        self.with_contiguity()
    }

    /// A dense tensor of the rows that an index of these sizes picks.
    pub fn picked(&self, index: &Layout) -> Self {
        let rest = self.shape().get(1..).unwrap_or_default();
        Layout::contiguous(&[index.shape(), rest].concat())
    }

    /// Every second element of the last dimension.
    pub fn every_second_last(mut self) -> Self {
        if let Some(last) = (self.dims as usize).checked_sub(1) {
            self.numel /= 2;
            self.shape[last] /= 2;
            self.strides[last] *= 2;
        }
        self.with_contiguity()
    }

    /// Are its four dimensions in the order of images with their channels last (`is_channels_last_strides_2d_s4`)?
    pub fn is_channels_last(&self) -> bool {
        let &[_, channel, _, _] = self.strides() else {
            return false;
        };
        let mut least = 0;
        for dim in [1, 3, 2, 0] {
            let (size, stride) = (self.shape[dim], self.strides[dim]);
            if size == 0 || stride < least || (dim == 0 && least == channel) {
                return false;
            }
            least = stride.saturating_mul(size);
        }
        channel != 0
    }

    /// A dense tensor of these four sizes with the second dimension last in memory.
    pub fn channels_last(shape: &[u64]) -> Self {
        match *shape {
            [a, b, c, d] => Layout::contiguous(&[a, c, d, b])
                .transposed(1, 3)
                .transposed(2, 3),
            _ => Layout::contiguous(shape),
        }
    }

    /// The layout of a new tensor of the same sizes (`empty_like`).
    #[inline]
    pub fn like(&self) -> Self {
        match self.contiguous {
            true => *self,
            false => Layout::elementwise(&[self]),
        }
    }

    /// A part of the last dimension.
    pub fn narrowed_last(self, size: u64) -> Self {
        match (self.dims as usize).checked_sub(1) {
            Some(last) => self.narrowed(last, size),
            None => self,
        }
    }

    /// A part of a dimension.
    pub fn narrowed(mut self, dim: usize, size: u64) -> Self {
        self.numel = self.numel / self.shape[dim].max(1) * size;
        self.shape[dim] = size;
        self.with_contiguity()
    }

    /// One element of a dimension, which is gone.
    pub fn selected(mut self, dim: usize) -> Self {
        self.numel /= self.shape[dim].max(1);
        self.shape.copy_within(dim + 1.., dim);
        self.strides.copy_within(dim + 1.., dim);
        self.dims -= 1;
        self.shape[self.dims as usize] = 1;
        self.strides[self.dims as usize] = 0;
        self.with_contiguity()
    }

    /// With a dimension of one put in.
    pub fn unsqueezed(self, dim: usize) -> Self {
        let mut out = self.expanded(dim, 1, true);
        out.strides[dim] = match dim + 1 < out.dims as usize {
            true => out.shape[dim + 1].saturating_mul(out.strides[dim + 1]),
            false => 1,
        };
        out
    }

    /// All but the first part along the first dimension.
    pub fn rest(mut self) -> Self {
        let first = self.shape[0].max(1);
        self.shape[0] = first - 1;
        self.numel = self.numel / first * (first - 1);
        self.with_contiguity()
    }

    /// A dense tensor in row-major order, of these sizes but for the last.
    pub fn with_last(&self, size: u64) -> Self {
        let mut shape = self.shape;
        let dims = self.dims as usize;
        if dims > 0 {
            shape[dims - 1] = size;
        }
        Layout::contiguous(&shape[..dims])
    }

    /// The same sizes in row-major order.
    pub fn dense(&self) -> Self {
        if self.contiguous {
            *self
        } else {
            Layout::contiguous(self.shape())
        }
    }

    /// The only head of batch x heads x ..., seen as several.
    pub fn repeated_head(self, times: u64) -> Option<Self> {
        (self.dims >= 2 && self.shape[1] == 1).then(|| self.expanded(1, times, false))
    }

    /// The strides of a view of another shape, or nothing when it needs a copy (`at::detail::computeStride`).
    pub fn viewed(&self, shape: &[u64]) -> Option<Self> {
        if self.is_contiguous() {
            return Some(Layout::contiguous(shape));
        }
        let mut view = Layout::contiguous(shape);
        let mut at = shape.len();
        // Walk from the last dimension, chunk by chunk of dimensions that are contiguous with each other.
        let (old, strides) = (self.shape(), self.strides());
        let mut base = *strides.last()?;
        let mut chunk = 1;
        let mut filled = 1;
        for i in (0..old.len()).rev() {
            chunk *= old[i];
            let ends = i == 0 || (old[i - 1] != 1 && strides[i - 1] != chunk * base);
            if ends {
                while at > 0 && (filled < chunk || shape[at - 1] == 1) {
                    at -= 1;
                    view.strides[at] = filled * base;
                    filled *= shape[at];
                }
                if filled != chunk {
                    return None;
                }
                if i > 0 {
                    base = strides[i - 1];
                    chunk = 1;
                    filled = 1;
                }
            }
        }
        (at == 0).then_some(view.with_contiguity())
    }

    /// The layout of an elementwise result over these operands (`TensorIterator`): dense, its dimensions in the order
    /// of the operands' strides, the first operand deciding.
    pub fn elementwise(operands: &[&Layout]) -> Self {
        match operands {
            [one] if one.is_dense() => return **one,
            [one, other] if one == other && one.is_dense() => return **one,
            _ => {}
        }
        let mut shape = [1u64; MAX_DIMS];
        let dims = operands.iter().map(|o| o.dims as usize).max().unwrap_or(0);
        for o in operands {
            let offset = dims - o.dims as usize;
            for (i, &s) in o.shape().iter().enumerate() {
                shape[offset + i] = shape[offset + i].max(s);
            }
        }
        let shape = &shape[..dims];
        if operands.iter().all(|o| o.is_contiguous()) {
            return Layout::contiguous(shape);
        }
        let stride = |o: &Layout, dim: usize| -> u64 {
            let offset = dims - o.dims as usize;
            if dim < offset || (o.shape[dim - offset] == 1 && shape[dim] != 1) {
                0
            } else {
                o.strides[dim - offset]
            }
        };
        let mut order: [usize; MAX_DIMS] = [0; MAX_DIMS];
        for (i, slot) in order[..dims].iter_mut().enumerate() {
            *slot = dims - 1 - i;
        }
        for i in 1..dims {
            let mut moving = i;
            for other in (0..i).rev() {
                let (a, b) = (order[other], order[moving]);
                let mut verdict = 0;
                for o in operands {
                    let (sa, sb) = (stride(o, a), stride(o, b));
                    if sa == 0 || sb == 0 {
                        continue;
                    }
                    if sa != sb {
                        verdict = if sa < sb { -1 } else { 1 };
                        break;
                    }
                    if shape[a] > shape[b] {
                        verdict = 1;
                        break;
                    }
                }
                if verdict > 0 {
                    order.swap(other, moving);
                    moving = other;
                } else if verdict < 0 {
                    break;
                }
            }
        }
        let mut layout = Layout::contiguous(shape);
        let mut next = 1;
        for &dim in &order[..dims] {
            layout.strides[dim] = next;
            next *= shape[dim];
        }
        layout.with_contiguity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transposed_head_layout_views_back_without_a_copy_but_not_after_a_row_major_rewrite() {
        let heads_first = Layout::contiguous(&[2, 320, 8, 64]).transposed(1, 2);
        assert_eq!(heads_first.shape(), &[2, 8, 320, 64]);
        assert!(!heads_first.is_contiguous() && heads_first.is_dense());
        let back = heads_first.transposed(1, 2);
        assert_eq!(
            back.viewed(&[2, 320, 512]),
            Some(Layout::contiguous(&[2, 320, 512]))
        );
        let rewritten = Layout::contiguous(&[2, 8, 320, 64]).transposed(1, 2);
        assert_eq!(rewritten.viewed(&[2, 320, 512]), None);
    }

    #[test]
    fn channels_are_last_where_the_second_dimension_is_innermost() {
        let shape = [2, 300, 4, 2];
        let last = Layout::channels_last(&shape);
        assert_eq!(
            (last.shape(), last.strides()),
            (&shape[..], &[2400, 1, 600, 300][..])
        );
        assert!(last.is_channels_last() && !Layout::contiguous(&shape).is_channels_last());
    }

    #[test]
    fn the_first_operand_decides_the_order_of_an_elementwise_result() {
        let heads_first = Layout::contiguous(&[2, 320, 8, 64]).transposed(1, 2);
        let row_major = Layout::contiguous(&[2, 8, 320, 64]);
        assert_eq!(Layout::elementwise(&[&heads_first, &row_major]), heads_first);
        assert_eq!(Layout::elementwise(&[&row_major, &heads_first]), row_major);
        let cos = Layout::contiguous(&[1, 1, 320, 64]);
        assert_eq!(Layout::elementwise(&[&heads_first, &cos]), heads_first);
        let half = heads_first.narrowed_last(32);
        assert!(Layout::elementwise(&[&half]).is_dense());
    }
}
