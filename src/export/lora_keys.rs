//! The keys of PEFT's `LoraConfig`, as scripts and `adapter_config.json` hold them.

use super::draft::{Draft, Taken, not_a};
use super::setting::{Line, Setting, line, plain};
use crate::scenario::{Scenario, Targets};
use serde_json::{Value, json};

pub(super) fn lines(run: &Scenario) -> Vec<Line> {
    let lora = &run.lora;
    let targets = match &lora.targets {
        Targets::Word(_) => json!("all-linear"),
        Targets::Modules(names) => json!(names),
    };
    let mut lines = vec![
        line(
            "r",
            lora.rank,
            "weights, gradients and states of adapters are proportional to the rank",
        ),
        line(
            "lora_alpha",
            super::setting::number(lora.alpha),
            "a scale; no memory",
        ),
        line(
            "lora_dropout",
            super::setting::number(lora.dropout),
            "above zero each adapted layer keeps a dropped copy of its input",
        ),
        line(
            "target_modules",
            targets,
            "each adapted layer also keeps its input",
        ),
        plain("bias", "none"),
    ];
    if lora.use_dora {
        lines.push(line(
            "use_dora",
            true,
            "forms the whole adapted weight in every forward",
        ));
    }
    if lora.use_rslora {
        lines.push(line("use_rslora", true, "another scale; no memory"));
    }
    if !lora.modules_to_save.is_empty() {
        let names = json!(lora.modules_to_save);
        lines.push(line(
            "modules_to_save",
            names,
            "trained whole: copy, gradient and states",
        ));
    }
    lines
}

pub(super) fn read(draft: &mut Draft, setting: &Setting) -> Taken {
    let value = &setting.value;
    match setting.key.as_str() {
        "r" | "lora_rank" | "lora_r" => draft.set("rank", value),
        "lora_alpha" => draft.set("alpha", value),
        "lora_dropout" => draft.set("dropout", value),
        "target_modules" => draft.targets(value, "all-linear"),
        "use_dora" => draft.set("use_dora", value),
        "use_rslora" => draft.set("use_rslora", value),
        "modules_to_save" => match value {
            Value::Null => Taken::NoMatter,
            Value::Array(_) => draft.set("modules_to_save", value),
            _ => not_a("list of modules"),
        },
        "bias" if *value != "none" => Taken::Problem("trained biases are not modelled".into()),
        "peft_type" if *value != "LORA" => {
            Taken::Problem(format!("adapters of type {value} are not modelled"))
        }
        "base_model_name_or_path" => draft.model(value),
        "autocast_adapter_dtype" => {
            let word = if *value == false { "base" } else { "fp32" };
            draft.set("adapter_dtype", &word.into())
        }
        _ => Taken::Unknown,
    }
}
