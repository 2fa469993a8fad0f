//! The built-in matrices: which runs tell most about the estimates, cheapest first.

use super::{Run, Weights};
use crate::scenario::{
    Attention, Checkpointing, Float8, Loader, Method, ModelRef, Optimizer, Scenario, Stack, WeightFormat,
};

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matrix {
    /// A few minutes: one small model, each method, with and without checkpointing.
    Quick,
    /// Models of 1B to 8B, lengths, optimizers, kernels.
    Standard,
    /// And up to 70B.
    Full,
}

/// The runs of a matrix on the given stacks, the cheapest first, so that a time budget ends with the dear ones.
pub fn matrix(which: Matrix, stacks: &[Stack], weights_from: Weights) -> Vec<Run> {
    let mut runs = Vec::new();
    for &stack in stacks {
        runs.extend(scenarios(which, stack));
    }
    // By what the card has to do: weights and tokens. Equal ones stay in order, stacks beside each other.
    runs.sort_by_key(|(size, scenario)| size * scenario.batch.saturating_mul(scenario.seq));
    let mut runs: Vec<_> = runs
        .into_iter()
        .map(|(_, scenario)| Run::new(scenario, weights_from, 1))
        .collect();
    runs.dedup_by(|a, b| a.id == b.id);
    runs
}

/// Models of the matrix with their size in tenths of a billion weights.
const SMALL: (u64, &str) = (12, "meta-llama/Llama-3.2-1B");
const MEDIUM: &[(u64, &str)] = &[(40, "Qwen/Qwen3-4B"), (80, "meta-llama/Llama-3.1-8B")];
const LARGE: &[(u64, &str)] = &[
    (140, "Qwen/Qwen3-14B"),
    (320, "Qwen/Qwen3-32B"),
    (700, "meta-llama/Llama-3.3-70B-Instruct"),
];

fn scenarios(which: Matrix, stack: Stack) -> Vec<(u64, Scenario)> {
    let mut all = Vec::new();
    let base = |method: Method, (size, model): (u64, &str)| {
        let mut scenario = Scenario::for_stack(stack, method);
        scenario.model = ModelRef::Catalog(model.into());
        scenario.gpu = None;
        // Not as many tokens as a model has channels: a tensor's size then tells what it is.
        scenario.batch = 2;
        scenario.seq = 768;
        (size, scenario)
    };
    let changed = |(size, scenario): &(u64, Scenario), change: fn(&mut Scenario)| {
        let mut scenario = scenario.clone();
        change(&mut scenario);
        (*size, scenario)
    };
    for &method in Method::ALL {
        let small = base(method, SMALL);
        all.push(changed(&small, |s| s.checkpointing = Checkpointing::None));
        all.push(small);
    }
    if which == Matrix::Quick {
        return all;
    }
    let lora = base(Method::Lora, SMALL);
    let qlora = base(Method::Qlora, SMALL);
    all.push(changed(&qlora, |s| s.seq = 4096 - 256));
    all.push(changed(&qlora, |s| s.grad_accum = 4));
    all.push(changed(&qlora, |s| s.optimizer = Optimizer::PagedAdamw8bit));
    all.push(changed(&lora, |s| s.optimizer = Optimizer::AdamwTorch));
    all.push(changed(&lora, |s| s.lora.rank = 64));
    all.push(changed(&lora, |s| s.lora.dropout = 0.05));
    match stack {
        Stack::Hf => {
            all.push(changed(&qlora, |s| s.padding = true));
            all.push(changed(&lora, |s| s.attention = Attention::Eager));
            all.push(changed(&lora, |s| s.weights = WeightFormat::Int8));
            all.push(changed(&lora, |s| s.weights = WeightFormat::Fp8));
            all.push(changed(&lora, |s| s.liger = true));
            all.push(changed(&lora, |s| s.lora.use_dora = true));
            all.push(changed(&lora, |s| s.expandable_segments = true));
            let full = base(Method::Full, SMALL);
            all.push(changed(&full, |s| s.float8 = Float8::Tensorwise));
        }
        Stack::Unsloth => {
            all.push(changed(&qlora, |s| s.padding_free = false));
            all.push(changed(&qlora, |s| s.packing = 4));
            all.push(changed(&qlora, |s| s.loader = Loader::FastModel));
            all.push(changed(&qlora, |s| s.checkpointing = Checkpointing::Hf));
            all.push(changed(&lora, |s| s.weights = WeightFormat::Fp8Dynamic));
        }
    }
    let medium_and_large = match which {
        Matrix::Full => MEDIUM.iter().chain(LARGE),
        _ => MEDIUM.iter().chain(&[]),
    };
    for &model in medium_and_large {
        for method in [Method::Qlora, Method::Lora] {
            let one = base(method, model);
            all.push(changed(&one, |s| s.seq = 2048 + 256));
            all.push(one);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::program_input;

    fn ids(which: Matrix, stacks: &[Stack]) -> Vec<String> {
        let runs = matrix(which, stacks, Weights::Random);
        runs.into_iter().map(|run| run.id).collect()
    }

    #[test]
    fn each_matrix_holds_the_smaller_one() {
        let [quick, standard, full] =
            [Matrix::Quick, Matrix::Standard, Matrix::Full].map(|which| ids(which, Stack::ALL));
        assert!(quick.iter().all(|id| standard.contains(id)));
        assert!(standard.iter().all(|id| full.contains(id)));
        assert_eq!(quick.len(), 12);
        assert!(standard.len() < full.len());
    }

    #[test]
    fn every_run_is_sound_and_has_a_name_of_its_own() {
        let runs = matrix(Matrix::Full, Stack::ALL, Weights::Random);
        let mut names: Vec<_> = runs.iter().map(|run| &run.id).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), runs.len());
        for run in runs {
            assert_eq!(run.scenario.problems(), [], "{}", run.id);
            assert!(program_input(&run, true).is_ok(), "{}", run.id);
        }
    }

    #[test]
    fn the_cheapest_run_comes_first_and_only_chosen_stacks_are_run() {
        let all = ids(Matrix::Full, &[Stack::Unsloth]);
        assert!(all[0].contains("llama-3.2-1b"));
        assert!(all.last().is_some_and(|id| id.contains("70b")));
        assert!(all.iter().all(|id| id.starts_with("unsloth-")));
    }
}
