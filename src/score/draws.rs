//! Which rows a measured run draws: the sampler of its Trainer, as PyTorch shuffles.

/// PyTorch's generator on the host (`at::mt19937`).
struct Mersenne {
    state: [u32; Self::WORDS],
    next: usize,
}

impl Mersenne {
    const WORDS: usize = 624;
    const SHIFT: usize = 397;

    fn new(seed: u32) -> Self {
        let mut state = [seed; Self::WORDS];
        for i in 1..Self::WORDS {
            let before = state[i - 1];
            state[i] = (before ^ (before >> 30))
                .wrapping_mul(1_812_433_253)
                .wrapping_add(i as u32);
        }
        Mersenne {
            state,
            next: Self::WORDS,
        }
    }

    fn twist(&mut self) {
        for k in 0..Self::WORDS {
            let upper = self.state[k] & 0x8000_0000;
            let bits = upper | (self.state[(k + 1) % Self::WORDS] & 0x7fff_ffff);
            let odd = if bits & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[k] = self.state[(k + Self::SHIFT) % Self::WORDS] ^ (bits >> 1) ^ odd;
        }
        self.next = 0;
    }

    fn draw(&mut self) -> u32 {
        if self.next >= Self::WORDS {
            self.twist();
        }
        let mut word = self.state[self.next];
        self.next += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }
}

/// `torch.randperm(n)` on the host with this seed (`aten/src/ATen/native/TensorFactories.cpp: randperm_cpu`).
fn permutation(n: usize, seed: u32) -> Vec<usize> {
    let mut generator = Mersenne::new(seed);
    let mut order: Vec<usize> = (0..n).collect();
    for i in 0..n.saturating_sub(1) {
        order.swap(i, i + generator.draw() as usize % (n - i));
    }
    order
}

/// The seed of the measuring program, which Trainer shuffles with (`accelerate: SeedableRandomSampler`).
const SEED: u32 = 3407;

/// Of the first `count` micro-batches of `batch` rows out of `rows`, whose lengths are `lengths` in turn, the lengths of
/// that with the most tokens: of all its rows where they lie behind each other, else of as many as its longest.
pub(super) fn largest(lengths: &[u64], rows: usize, batch: usize, count: usize, padded: bool) -> Vec<u64> {
    let drawn: Vec<u64> = permutation(rows, SEED)
        .into_iter()
        .filter_map(|row| lengths.get(row.checked_rem(lengths.len())?).copied())
        .collect();
    let size = |rows: &&[u64]| match padded {
        true => rows.iter().copied().max().unwrap_or(0),
        false => rows
            .iter()
            .fold(0, |sum: u64, &length| sum.saturating_add(length)),
    };
    let batches = drawn.chunks(batch.max(1)).take(count);
    batches.max_by_key(size).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_shuffled_as_pytorch_does() {
        assert_eq!(permutation(64, 3407)[..6], [43, 10, 57, 12, 55, 9]);
        assert_eq!(permutation(64, 42)[..6], [38, 24, 48, 63, 10, 29]);
    }

    #[test]
    fn the_largest_micro_batch_is_that_with_the_most_tokens() {
        let lengths = [300, 1900, 700, 1200, 90, 2040];
        assert_eq!(largest(&lengths, 64, 2, 5, false), [1900, 1900]);
        assert_eq!(largest(&lengths, 64, 2, 1, false), [1900, 90]);
        assert!(largest(&[], 64, 2, 5, false).is_empty());
    }
}
