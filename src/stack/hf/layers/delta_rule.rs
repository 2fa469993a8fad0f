//! Linear attention by the gated delta rule as transformers computes it in PyTorch's own operations, without
//! flash-linear-attention (`torch_chunk_gated_delta_rule` in `modeling_qwen3_5.py` and its kin).

use crate::replay::{Dtype, Tape, Tensor};

/// Tokens of a chunk.
const CHUNK: u64 = 64;

/// Queries, keys and values of batch x sequence x heads x width, decays and rates of batch x sequence x heads.
pub struct Inputs<'a, 't> {
    pub query: &'a Tensor<'t>,
    pub key: &'a Tensor<'t>,
    pub value: &'a Tensor<'t>,
    pub decay: &'a Tensor<'t>,
    pub beta: &'a Tensor<'t>,
}

/// `l2norm`.
fn l2_norm<'t>(x: &Tensor<'t>) -> Tensor<'t> {
    let mut inverse = {
        let squares = x.mul(x);
        squares.sum(squares.layout().shape().len() - 1, true)
    };
    inverse = inverse.add_number();
    inverse = inverse.rsqrt();
    x.mul(&inverse)
}

/// What the scan over the chunks reads, and the state it hands on.
struct Scan<'t> {
    new_values: Tensor<'t>,
    decayed_keys: Tensor<'t>,
    query: Tensor<'t>,
    attention: Tensor<'t>,
    chunk_decay: Tensor<'t>,
    key: Tensor<'t>,
    state: Option<Tensor<'t>>,
    out: Tensor<'t>,
    v_new: Option<Tensor<'t>>,
    inter: Option<Tensor<'t>>,
}

impl<'t> Scan<'t> {
    /// One chunk: what the state before and the chunk itself give.
    fn chunk(&mut self) {
        let Some(state) = &self.state else { return };
        let new = {
            let (values, keys) = (self.new_values.select(2), self.decayed_keys.select(2));
            let predicted = keys.matmul_heads(state);
            values.sub(&predicted)
        };
        let new = self.v_new.insert(new);
        let inter = self.query.select(2).matmul_heads(state);
        let inter = self.inter.insert(inter);
        let sum = {
            let within = self.attention.select(2).matmul_heads(new);
            inter.add(&within)
        };
        self.out = self.out.fill_selected(2, &sum);
    }

    /// One chunk, and the state after it.
    fn step(&mut self) {
        self.chunk();
        self.update();
    }

    /// The state after the chunk.
    fn update(&mut self) {
        let (Some(new), Some(state)) = (&self.v_new, &self.state) else {
            return;
        };
        let kept = state.mul(&self.chunk_decay.select(2));
        let added = self.key.select(2).transpose(2, 3).matmul_heads(new);
        self.state = Some(kept.add(&added));
    }
}

/// `torch_chunk_gated_delta_rule(query, key, value, g, beta, use_qk_l2norm_in_kernel=True)`.
pub fn chunk_gated_delta_rule<'t>(tape: &'t Tape, inputs: &Inputs<'_, 't>) -> Tensor<'t> {
    let dtype = inputs.query.dtype();
    let [batch, seq, heads, width] = sizes(inputs.value);
    let key_width = inputs.key.layout().last();
    let in_fp32 = |x: &Tensor<'t>| x.transpose(1, 2).to_contiguous(Dtype::F32);
    let (mut query, mut key, mut value) = (in_fp32(inputs.query), in_fp32(inputs.key), in_fp32(inputs.value));
    let (mut beta, mut decay) = (in_fp32(inputs.beta), in_fp32(inputs.decay));
    query = l2_norm(&query);
    key = l2_norm(&key);
    query = query.scale();

    let padding = seq.next_multiple_of(CHUNK) - seq;
    let chunks = (seq + padding) / CHUNK;
    (query, key, value) = (query.pad(2, padding), key.pad(2, padding), value.pad(2, padding));
    (beta, decay) = (beta.pad(2, padding), decay.pad(2, padding));
    let mut v_beta = value.mul(&beta.unsqueeze(3));
    let mut k_beta = key.mul(&beta.unsqueeze(3));
    let chunked = |x: &Tensor<'t>, width| x.reshape(&[batch, heads, chunks, CHUNK, width]);
    (query, key, k_beta, v_beta) = (
        chunked(&query, key_width),
        chunked(&key, key_width),
        chunked(&k_beta, key_width),
        chunked(&v_beta, width),
    );
    decay = decay.reshape(&[batch, heads, chunks, CHUNK]);
    let mask = {
        let _ones = tape.temporary(&[CHUNK, CHUNK], Dtype::Bool, "ones");
        tape.temporary(&[CHUNK, CHUNK], Dtype::Bool, "triu")
    };
    let sums = decay.cumulative_sum_last();
    let mut pairwise = sums.unsqueeze(4).sub(&sums.unsqueeze(3));
    pairwise = pairwise.masked_fill(&mask);
    pairwise = pairwise.exp();
    let system = k_beta.matmul_heads(&key.transpose(3, 4)).mul(&pairwise);
    let attention = query.matmul_heads(&key.transpose(3, 4)).mul(&pairwise);
    let decayed_beta = k_beta.mul(&sums.exp().unsqueeze(4));
    let new_values = v_beta.solve_triangular(&system);
    let decayed_keys = decayed_beta.solve_triangular(&system);
    let state = tape.temporary(&[batch, heads, key_width, width], Dtype::F32, "zeros");
    let out = tape.zeros_like(&new_values);

    query = query.mul(&sums.exp().unsqueeze(4));
    // The state after the last chunk is dropped, with its graph; after the only one, that is what these are for.
    let for_update = |f: &dyn Fn() -> Tensor<'t>| match chunks {
        1 => tape.unused_graph(f),
        _ => (f(), Vec::new()),
    };
    let _held: [Vec<Tensor<'t>>; 3];
    let chunk_decay;
    (key, chunk_decay, _held) = {
        let (left, of_left) = for_update(&|| {
            let left = sums.narrow_last(1).sub(&sums);
            left.exp()
        });
        let (scaled, of_key) = for_update(&|| key.mul(&left.unsqueeze(4)));
        drop(left);
        key = scaled;
        let (decay, of_decay) = for_update(&|| sums.select(3).exp().unsqueeze(3).unsqueeze(4));
        (key, decay, [of_left, of_key, of_decay])
    };
    let mut scan = Scan {
        new_values,
        decayed_keys,
        query,
        attention,
        chunk_decay,
        key,
        state: Some(state),
        out,
        v_new: None,
        inter: None,
    };
    // The first chunk's state takes no gradient, so that the second is the last to use the queries; what the last two hand
    // back is the first to arrive. Those between are alike.
    for _ in 0..chunks.saturating_sub(1).min(2) {
        scan.step();
    }
    let between = u32::try_from(chunks.saturating_sub(4)).unwrap_or(u32::MAX);
    tape.repeat(between, || scan.step());
    if chunks > 3 {
        scan.step();
    }
    scan.chunk();
    let ((), held) = tape.unused_graph(|| scan.update());
    scan.state = None;
    drop(held);
    scan.out = scan.out.reshape(&[batch, heads, chunks * CHUNK, width]);
    scan.out = scan.out.narrow(2, seq);
    scan.out.transpose(1, 2).to_contiguous(dtype)
}

fn sizes(of: &Tensor<'_>) -> [u64; 4] {
    let layout = of.layout();
    let mut sizes = [1; 4];
    for (size, &s) in sizes.iter_mut().zip(layout.shape()) {
        *size = s;
    }
    sizes
}
