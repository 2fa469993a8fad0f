//! What each ladder changes in a run. Every function gives the changed runs, from the gentlest to the strongest, and
//! none where there is nothing to change.

use crate::scenario::{
    AdapterDtype, Attention, Checkpointing, Method, Optimizer, Scenario, Stack, WeightFormat,
};

fn adapters(run: &Scenario) -> bool {
    run.method != Method::Full
}

/// One rung, when there is something to change.
fn rung(run: &Scenario, when: bool, change: impl FnOnce(&mut Scenario)) -> Vec<Scenario> {
    if !when {
        return Vec::new();
    }
    let mut changed = run.clone();
    change(&mut changed);
    vec![changed]
}

/// LoRA, then QLoRA.
pub fn method(run: &Scenario) -> Vec<Scenario> {
    let with = |method| rung(run, !adapters(run), |run| run.set_method(method));
    [Method::Lora, Method::Qlora].into_iter().flat_map(with).collect()
}

pub fn stack(run: &Scenario) -> Vec<Scenario> {
    rung(run, run.stack == Stack::Hf, |run| run.set_stack(Stack::Unsloth))
}

pub fn weights_16bit(run: &Scenario) -> Vec<Scenario> {
    let bf16 = run.card().is_none_or(|card| card.bf16);
    rung(run, run.weights == WeightFormat::Fp32, |run| {
        run.weights = if bf16 {
            WeightFormat::Bf16
        } else {
            WeightFormat::Fp16
        };
    })
}

/// From 16 bit and wider; FP8 where the card computes in it (Ada, Hopper and newer).
pub fn weights_8bit(run: &Scenario) -> Vec<Scenario> {
    let format = match (run.stack, run.capability()) {
        (Stack::Unsloth, Some(capability)) if capability >= FP8 => WeightFormat::Fp8Dynamic,
        (_, Some(capability)) if capability >= FP8 => WeightFormat::Fp8,
        _ => WeightFormat::Int8,
    };
    rung(run, adapters(run) && !run.weights.is_quantized(), |run| {
        run.weights = format;
    })
}

/// The first compute capability with FP8 matrix products: Ada.
const FP8: (u32, u32) = (8, 9);

pub fn weights_4bit(run: &Scenario) -> Vec<Scenario> {
    rung(run, adapters(run) && !run.weights.is_4bit(), |run| {
        run.set_weights(WeightFormat::Nf4Dq);
    })
}

pub fn double_quant(run: &Scenario) -> Vec<Scenario> {
    let to = match run.weights {
        WeightFormat::Nf4 => Some(WeightFormat::Nf4Dq),
        WeightFormat::Fp4 => Some(WeightFormat::Fp4Dq),
        _ => None,
    };
    to.map_or_else(Vec::new, |to| rung(run, true, |run| run.weights = to))
}

pub fn optimizer_8bit(run: &Scenario) -> Vec<Scenario> {
    use Optimizer::{AdamwTorch, AdamwTorchForloop, AdamwTorchFused};
    let adamw = matches!(run.optimizer, AdamwTorch | AdamwTorchForloop | AdamwTorchFused);
    rung(run, adamw, |run| run.optimizer = Optimizer::Adamw8bit)
}

pub fn optimizer_fused(run: &Scenario) -> Vec<Scenario> {
    rung(run, run.optimizer == Optimizer::AdamwTorch, |run| {
        run.optimizer = Optimizer::AdamwTorchFused;
    })
}

pub fn optimizer_paged(run: &Scenario) -> Vec<Scenario> {
    rung(run, run.optimizer == Optimizer::Adamw8bit, |run| {
        run.optimizer = Optimizer::PagedAdamw8bit;
    })
}

pub fn prepare_kbit(run: &Scenario) -> Vec<Scenario> {
    let used = run.prepare_kbit && adapters(run) && run.weights.is_quantized();
    rung(run, used, |run| run.prepare_kbit = false)
}

pub fn checkpointing(run: &Scenario) -> Vec<Scenario> {
    use Checkpointing::{Hf, HfReentrant, None, Unsloth};
    let to: &[Checkpointing] = match (run.stack, run.checkpointing) {
        (Stack::Hf, None) => &[Hf],
        (Stack::Hf, HfReentrant) => &[Hf],
        (Stack::Unsloth, None) => &[Hf, Unsloth],
        (Stack::Unsloth, Hf | HfReentrant) => &[Unsloth],
        _ => &[],
    };
    let with = |&checkpointing| Scenario {
        checkpointing,
        ..run.clone()
    };
    to.iter().map(with).collect()
}

pub fn attention(run: &Scenario) -> Vec<Scenario> {
    rung(run, run.attention == Attention::Eager, |run| {
        run.attention = Attention::Sdpa;
    })
}

pub fn liger(run: &Scenario) -> Vec<Scenario> {
    rung(run, run.stack == Stack::Hf && !run.liger, |run| run.liger = true)
}

pub fn padding(run: &Scenario) -> Vec<Scenario> {
    rung(run, run.padding, |run| run.padding = false)
}

pub fn outputs(run: &Scenario) -> Vec<Scenario> {
    rung(run, run.keep_outputs, |run| run.keep_outputs = false)
}

pub fn use_cache(run: &Scenario) -> Vec<Scenario> {
    rung(run, run.use_cache, |run| run.use_cache = false)
}

pub fn expandable_segments(run: &Scenario) -> Vec<Scenario> {
    rung(run, !run.expandable_segments, |run| {
        run.expandable_segments = true
    })
}

/// Halves of the micro-batch down to 1, with as many sequences a step as before, or a few more.
pub fn batch(run: &Scenario) -> Vec<Scenario> {
    let a_step = run.batch.saturating_mul(run.grad_accum);
    let mut rungs = Vec::new();
    let mut batch = run.batch / 2;
    while batch > 0 {
        rungs.push(Scenario {
            batch,
            grad_accum: a_step.div_ceil(batch),
            ..run.clone()
        });
        batch /= 2;
    }
    rungs
}

pub fn adapter_dtype(run: &Scenario) -> Vec<Scenario> {
    let wide = run.stack == Stack::Hf && run.lora.adapter_dtype == AdapterDtype::Fp32;
    rung(run, adapters(run) && wide, |run| {
        run.lora.adapter_dtype = AdapterDtype::Base;
    })
}

pub fn dropout(run: &Scenario) -> Vec<Scenario> {
    rung(run, adapters(run) && run.lora.dropout > 0.0, |run| {
        run.lora.dropout = 0.0
    })
}

pub fn dora(run: &Scenario) -> Vec<Scenario> {
    rung(run, adapters(run) && run.lora.use_dora, |run| {
        run.lora.use_dora = false
    })
}

pub fn modules_to_save(run: &Scenario) -> Vec<Scenario> {
    let any = adapters(run) && !run.lora.modules_to_save.is_empty();
    rung(run, any, |run| run.lora.modules_to_save.clear())
}

/// The lowest rank that is suggested.
const LOWEST_RANK: u64 = 8;

/// Halves of the rank down to 8, the scale with it.
pub fn rank(run: &Scenario) -> Vec<Scenario> {
    let mut rungs = Vec::new();
    let mut changed = run.clone();
    while adapters(run) && changed.lora.rank / 2 >= LOWEST_RANK {
        changed.lora.rank /= 2;
        changed.lora.alpha /= 2.0;
        rungs.push(changed.clone());
    }
    rungs
}

/// The shortest sequence that is suggested.
const SHORTEST_SEQ: u64 = 256;

/// Halves of the sequence length down to 256.
pub fn seq(run: &Scenario) -> Vec<Scenario> {
    let mut rungs = Vec::new();
    let mut seq = run.seq / 2;
    while seq >= SHORTEST_SEQ {
        rungs.push(Scenario { seq, ..run.clone() });
        seq /= 2;
    }
    rungs
}
