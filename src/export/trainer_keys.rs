//! The keys of `TrainingArguments` that matter to memory, as scripts, LLaMA-Factory and `training_args.json` hold them.

use super::draft::{Draft, Precision, Taken, not_a};
use super::setting::{Line, Setting, line, plain};
use super::settle::optim;
use crate::scenario::{Autocast, Checkpointing, Scenario};
use serde_json::{Value, json};

/// Batch, accumulation and optimizer, which every trainer names alike.
pub(super) fn steps(run: &Scenario) -> Vec<Line> {
    vec![
        line(
            "per_device_train_batch_size",
            run.batch,
            "activations and logits grow with the tokens of a micro-batch",
        ),
        line(
            "gradient_accumulation_steps",
            run.grad_accum,
            "more micro-batches a step need no more activations",
        ),
        line("optim", optim(run.optimizer), run.optimizer.note()),
        line(
            "max_grad_norm",
            if run.clip { 1.0 } else { 0.0 },
            "clipping needs a norm of every gradient",
        ),
    ]
}

/// All of `TrainingArguments` that a script says.
pub(super) fn lines(run: &Scenario) -> Vec<Line> {
    let mut lines = steps(run);
    let on = run.checkpointing != Checkpointing::None;
    lines.push(line("gradient_checkpointing", on, run.checkpointing.note()));
    if on {
        let reentrant = run.checkpointing == Checkpointing::HfReentrant;
        lines.push(plain(
            "gradient_checkpointing_kwargs",
            json!({"use_reentrant": reentrant}),
        ));
    }
    lines.extend([
        line("bf16", run.autocast == Autocast::Bf16, run.autocast.note()),
        plain("fp16", run.autocast == Autocast::Fp16),
    ]);
    if run.liger {
        lines.push(line(
            "use_liger_kernel",
            true,
            "the loss is computed without all logits",
        ));
    }
    lines
}

pub(super) fn read(draft: &mut Draft, setting: &Setting) -> Taken {
    let value = &setting.value;
    match setting.key.as_str() {
        "per_device_train_batch_size" => draft.set("batch", value),
        "gradient_accumulation_steps" => draft.set("grad_accum", value),
        "optim" => draft.set("optimizer", value),
        "max_grad_norm" => match value.as_f64() {
            Some(norm) => draft.set("clip", &(norm > 0.0).into()),
            None if value.is_null() => Taken::NoMatter,
            None => not_a("number"),
        },
        "gradient_checkpointing" => Draft::flag(&mut draft.checkpointing, value),
        "gradient_checkpointing_kwargs" => match value {
            Value::Object(kwargs) => kwargs.get("use_reentrant").map_or(Taken::NoMatter, |reentrant| {
                Draft::flag(&mut draft.reentrant, reentrant)
            }),
            Value::Null => Taken::NoMatter,
            _ => not_a("mapping"),
        },
        "gradient_checkpointing_kwargs.use_reentrant" => Draft::flag(&mut draft.reentrant, value),
        "bf16" => draft.precise(setting, Precision::Bf16),
        "fp16" => draft.precise(setting, Precision::Fp16),
        "use_liger_kernel" => draft.set("liger", value),
        "fsdp" | "deepspeed" if !(value.is_null() || *value == "" || *value == false || is_empty(value)) => {
            Taken::Problem("more than one GPU is not modelled".into())
        }
        _ => Taken::Unknown,
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}
