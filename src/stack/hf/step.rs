//! A training step: forward, backward, clipping, the optimizer, dropping gradients; as a plain loop and as
//! `transformers.Trainer` runs it.

use super::cache::Cache;
use super::forward::{Batch, held_before};
use super::model::Model;
use super::optimizer::States;
use super::scaler::Scaler;
use crate::estimate::Category;
use crate::plan::Plan;
use crate::replay::{Dtype, Group, Phase, Tape, Tensor};
use crate::scenario::Harness;
use crate::sort::sort_by_key;
use std::ops::RangeInclusive;
use std::rc::Rc;

/// Micro-batches that are replayed of a step for its peak: the first makes the gradients, the others add to them alike.
const MICRO_BATCHES: u64 = 2;

/// As [`MICRO_BATCHES`], for the list of events: what the allocator makes of them changes a little longer.
const LISTED_MICRO_BATCHES: u64 = 4;

/// Micro-batches of a step that are replayed.
fn micro_batches(tape: &Tape, plan: &Plan) -> u64 {
    let most = match tape.lists_events() {
        true => LISTED_MICRO_BATCHES,
        false => MICRO_BATCHES,
    };
    plan.grad_accum.clamp(1, most)
}

/// Micro-batches of ids and labels that are kept one by one; further ones weigh nothing beside a run this long.
const MOST_BATCHES: u64 = 256;

/// Trains these steps: optimizer states are born in the first, the second is the steady state.
pub fn train<'t>(
    tape: &'t Tape,
    plan: &Plan,
    model: &Model<'t>,
    states: &mut States<'t>,
    steps: RangeInclusive<u8>,
) {
    match plan.harness {
        Harness::Loop | Harness::StepFunction => train_with_loop(tape, plan, model, states, steps),
        Harness::Trainer => train_with_trainer(tape, plan, model, states, steps),
    }
}

#[inline(never)]
fn train_with_loop<'t>(
    tape: &'t Tape,
    plan: &Plan,
    model: &Model<'t>,
    states: &mut States<'t>,
    steps: RangeInclusive<u8>,
) {
    // `loss` stays bound until the next step's is made, `out` until the next output, or until the function that runs a
    // step returns.
    let mut kept = None;
    if plan.keep_outputs && plan.harness == Harness::Loop && *steps.start() > 1 {
        kept = Some(Kept::earlier(tape, plan, model));
    }
    for step in steps {
        for micro in 0..micro_batches(tape, plan) as u8 {
            tape.phase(Phase::Data, step, micro);
            let batch = Batch::load(tape, plan);
            tape.phase(Phase::Forward, step, micro);
            tape.set_autocast(plan.autocast);
            let output = model.forward(tape, plan, &batch, None);
            let mut loss = output.loss;
            let results = [Some(loss.clone()), output.logits].into_iter().flatten();
            let held = Kept(results.chain(output.graph).collect(), output.cache);
            if plan.keep_outputs {
                kept = Some(held);
            } else {
                drop(held);
            }
            tape.set_autocast(None);
            if plan.grad_accum > 1 {
                loss = loss.scale();
            }
            tape.phase(Phase::Backward, step, micro);
            model.backward(tape, plan, &loss);
            drop(loss);
            drop(batch);
        }
        if plan.clip {
            tape.phase(Phase::Clip, step, 0);
            drop(clip_gradients(tape, model));
        }
        tape.phase(Phase::Optimizer, step, 0);
        states.step(tape, model, plan);
        tape.phase(Phase::ZeroGrad, step, 0);
        if plan.harness == Harness::StepFunction {
            kept = None;
        }
        model.for_each_trained(tape, |w| w.drop_grad());
    }
    drop(kept);
}

/// What lives as long as a forward pass's output object: its loss and logits, and what their graph holds.
struct Kept<'t>(
    // Held, not read.
    #[allow(dead_code)] Vec<Tensor<'t>>,
    #[allow(dead_code)] Option<Rc<Cache<'t>>>,
);

impl<'t> Kept<'t> {
    /// What an earlier step left: there the leaf has its gradient.
    fn earlier(tape: &'t Tape, plan: &Plan, model: &Model<'t>) -> Self {
        let between = if plan.prepare_kbit { Dtype::F32 } else { plan.dtype };
        let logits = tape.temporary(
            &[plan.batch, plan.seq, plan.arch.vocab],
            match plan.arch.family.has_fp32_logits() {
                true => Dtype::F32,
                false => plan.autocast.unwrap_or(between),
            },
            "linear",
        );
        let embeds = || {
            let shape = [plan.batch, plan.seq, plan.arch.hidden];
            model
                .has_leaf()
                .then(|| tape.temporary(&shape, between, "embedding"))
        };
        let arguments = held_before(tape, plan, between);
        let loss = tape.temporary(&[], Dtype::F32, "nll_loss");
        let logits = (!plan.liger).then_some(logits);
        let held = [Some(loss), logits, embeds(), embeds()].into_iter().flatten();
        Kept(held.chain(arguments).collect(), None)
    }
}

fn train_with_trainer<'t>(
    tape: &'t Tape,
    plan: &Plan,
    model: &Model<'t>,
    states: &mut States<'t>,
    steps: RangeInclusive<u8>,
) {
    // `Trainer._inner_training_loop` begins with `self.accelerator.free_memory()`, which gives back what loading cached
    // (`accelerate/utils/memory.py: clear_device_cache`).
    tape.empty_cache();
    tape.phase(Phase::Data, *steps.start(), 0);
    let _total_loss = tape.tensor(&[], Dtype::F32, Category::Other, "tensor");
    let mut batches: Option<(Vec<Batch<'t>>, Tensor<'t>)> = None;
    // `tr_loss_step` and `grad_norm` stay bound until the next ones are made.
    let (mut last_loss, mut last_norm) = (None, None);
    let mut scaler = None;
    if *steps.start() > 1 {
        scaler = Scaler::is_used(plan).then(|| Scaler::new(tape));
        let scalar = || Some(tape.temporary(&[], Dtype::F32, "scalar"));
        (last_loss, last_norm) = (scalar(), scalar());
    }
    for step in steps.clone() {
        // Trainer draws all micro-batches of a step at once, and drops those of the step before after that.
        batches = Some(draw(tape, plan));
        let Some((drawn, items)) = &batches else {
            return;
        };
        for (micro, batch) in drawn.iter().enumerate().take(micro_batches(tape, plan) as usize) {
            tape.phase(Phase::Forward, step, micro as u8);
            tape.set_autocast(plan.autocast);
            let output = model.forward(tape, plan, batch, Some(items));
            tape.set_autocast(None);
            let (loss, logits, cache) = (output.loss, output.logits, output.cache);
            drop(output.graph);
            // accelerate's convert_outputs_to_fp32
            let converted = match &logits {
                Some(logits) if plan.autocast.is_some() => Some(tape.no_grad(|| logits.to(Dtype::F32))),
                other => other.clone(),
            };
            drop(logits);
            drop((converted, cache));
            tape.phase(Phase::Backward, step, micro as u8);
            // `loss *= num_processes`, `loss / gradient_accumulation_steps`
            let divided = loss.scale_in_place().scale();
            if Scaler::is_used(plan) {
                let scaler = scaler.get_or_insert_with(|| Scaler::new(tape));
                let scaled = scaler.scaled(&divided);
                model.backward(tape, plan, &scaled);
            } else {
                model.backward(tape, plan, &divided);
            }
            drop(divided);
            last_loss = Some(loss);
            tape.phase(Phase::Clip, step, micro as u8);
            tape.scratch(1, "isnan");
            tape.scratch(4, "div");
        }
        // `grad_norm = None` before the optimizer's step.
        drop(last_norm.take());
        // Without clipping, Trainer clips at infinity to know the norm (`_get_grad_norm`).
        if let Some(scaler) = &mut scaler {
            scaler.unscale(tape);
        }
        last_norm = Some(clip_gradients(tape, model));
        tape.phase(Phase::Optimizer, step, 0);
        match &mut scaler {
            Some(scaler) => scaler.step(tape, plan, || states.step(tape, model, plan)),
            None => states.step(tape, model, plan),
        }
        tape.phase(Phase::ZeroGrad, step, 0);
        model.for_each_trained(tape, |w| w.drop_grad());
        if step < *steps.end() {
            tape.phase(Phase::Data, step + 1, 0);
        }
    }
    drop((batches, last_loss, last_norm, scaler));
}

/// The micro-batches of a step and the number of tokens with a label (`get_batch_samples`).
fn draw<'t>(tape: &'t Tape, plan: &Plan) -> (Vec<Batch<'t>>, Tensor<'t>) {
    let batches: Vec<_> = (0..plan.grad_accum.clamp(1, MOST_BATCHES))
        .map(|_| Batch::load(tape, plan))
        .collect();
    let mut items = None;
    for _ in &batches {
        let labelled = tape.temporary(&[plan.batch, plan.seq.saturating_sub(1)], Dtype::Bool, "ne");
        let count = tape.temporary(&[], Dtype::I64, "sum");
        tape.scratch(plan.batch * plan.seq.saturating_sub(1) * 8, "sum");
        drop(labelled);
        items = Some(tape.temporary(&[], Dtype::I64, "add"));
        drop(count);
    }
    (
        batches,
        items.unwrap_or_else(|| tape.temporary(&[], Dtype::I64, "add")),
    )
}

/// Elements that one block of `_foreach_norm` reads (`aten/src/ATen/native/cuda/ForeachReduceOp.cu: kChunkSize`).
const NORM_CHUNK: u64 = 65_536;

/// `torch.nn.utils.clip_grad_norm_`: a norm a tensor, their norm, a factor. Returns the norm.
pub fn clip_gradients<'t>(tape: &'t Tape, model: &Model<'t>) -> Tensor<'t> {
    let (mut dtypes, mut all) = (Vec::new(), 0u64);
    model.for_each_trained(tape, |w| {
        if !dtypes.contains(&w.dtype()) {
            dtypes.push(w.dtype());
        }
        all += u64::from(tape.times());
    });
    // `_group_tensors_by_device_and_dtype`: fp32 comes first.
    sort_by_key(&mut dtypes, |&dtype| dtype != Dtype::F32);
    let mut norms = Vec::new();
    for &dtype in &dtypes {
        let (mut count, mut chunks) = (0u64, 1u64);
        let each = |f: &mut dyn FnMut(&Tensor<'t>)| {
            model.for_each_trained(tape, |w| {
                if w.dtype() == dtype {
                    f(w);
                }
            });
        };
        each(&mut |w| {
            count += u64::from(tape.times());
            chunks = chunks.max(w.layout().numel().div_ceil(NORM_CHUNK));
        });
        let partial = tape.temporary(&[count * chunks], Dtype::F32, "_foreach_norm");
        each(&mut |_| norms.push((tape.group(), tape.temporary(&[], dtype, "_foreach_norm"))));
        drop(partial);
    }
    let dtype = dtypes
        .iter()
        .copied()
        .reduce(Dtype::promote)
        .unwrap_or(Dtype::F32);
    let scalar = |op| tape.temporary(&[], dtype, op);
    let stacked = tape.temporary(&[all], dtype, "stack");
    let total = scalar("linalg_vector_norm");
    drop(stacked);
    for (group, norm) in norms {
        tape.enter_group(group);
        drop(norm);
    }
    tape.enter_group(Group::default());
    let factor = {
        let _sum = scalar("add");
        let _reciprocal = scalar("__rdiv__");
        scalar("__rdiv__")
    };
    let clamped = scalar("clamp");
    drop(factor);
    drop(clamped);
    total
}
