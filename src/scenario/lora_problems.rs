//! What is wrong with adapter settings.

use super::limits::RANK;
use super::{FieldError, Lora, Targets, closest, quoted};

/// Linear layers of the architectures in the catalog, by the names of their modules in transformers.
const LINEAR_MODULES: &[&str] = &[
    "q_proj",
    "k_proj",
    "v_proj",
    "o_proj",
    "gate_proj",
    "up_proj",
    "down_proj",
    // Fused: Phi-3, GLM.
    "qkv_proj",
    "gate_up_proj",
    // Phi-2, StarCoder2, GPT-OSS, InternLM2.
    "dense",
    "fc1",
    "fc2",
    "c_fc",
    "c_proj",
    "c_attn",
    "wqkv",
    "wo",
    "w1",
    "w2",
    "w3",
    // Latent attention: DeepSeek, GLM 4.7 Flash, Kimi.
    "q_a_proj",
    "q_b_proj",
    "kv_a_proj_with_mqa",
    "kv_b_proj",
    // Linear attention, Mamba, convolution: Qwen3-Next, Granite 4, Nemotron-H, LFM2.
    "in_proj",
    "out_proj",
    "in_proj_qkvz",
    "in_proj_ba",
    "in_proj_qkv",
    "in_proj_z",
    "in_proj_a",
    "in_proj_b",
    "x_proj",
    "dt_proj",
    // Mixture of experts.
    "router",
    "gate",
    "shared_expert_gate",
    "input_linear",
    "output_linear",
    // Gemma 3n and 4.
    "per_layer_input_gate",
    "per_layer_projection",
    "linear_left",
    "linear_right",
    "lm_head",
    "embed_tokens",
];

/// Modules other than linear layers that `modules_to_save` may name.
const OTHER_MODULES: &[&str] = &[
    "norm",
    "input_layernorm",
    "post_attention_layernorm",
    "q_norm",
    "k_norm",
    "score",
    "classifier",
];

pub(super) fn of(lora: &Lora) -> Vec<FieldError> {
    let mut problems = Vec::new();
    problems.extend(RANK.check("rank", lora.rank).err());
    if !lora.alpha.is_finite() {
        problems.push(odd_number("alpha", lora.alpha, "a finite number"));
    }
    if !(0.0..1.0).contains(&lora.dropout) {
        problems.push(odd_number(
            "dropout",
            lora.dropout,
            "a probability of at least 0 and below 1",
        ));
    }
    match &lora.targets {
        Targets::Word(word) if word == "all-linear" => {}
        Targets::Word(word) => problems.push(odd_targets(Some(word))),
        Targets::Modules(names) if names.is_empty() => problems.push(odd_targets(None)),
        Targets::Modules(names) => problems.extend(unknown_modules("targets", names, &[])),
    }
    problems.extend(unknown_modules(
        "modules_to_save",
        &lora.modules_to_save,
        OTHER_MODULES,
    ));
    problems
}

#[cold]
#[inline(never)]
fn odd_number(field: &str, value: f64, expected: &str) -> FieldError {
    FieldError::new(field, format!("{value} is not {expected}"))
}

#[cold]
#[inline(never)]
fn odd_targets(word: Option<&str>) -> FieldError {
    let found = match word {
        Some(word) => format!("{} is not known", quoted(word)),
        None => "names no module".into(),
    };
    let text = format!("{found}; use all-linear, or a list such as q_proj,v_proj");
    FieldError::new("targets", text)
}

/// One problem for all names that are no module of any architecture in the catalog.
fn unknown_modules(field: &str, names: &[String], more: &[&'static str]) -> Option<FieldError> {
    let known = || LINEAR_MODULES.iter().chain(more).copied();
    let is_known = |name: &String| known().any(|module| module == name);
    match names.iter().all(is_known) {
        true => None,
        false => Some(unknown_names(field, names, more)),
    }
}

#[cold]
#[inline(never)]
fn unknown_names(field: &str, names: &[String], more: &[&'static str]) -> FieldError {
    let known = || LINEAR_MODULES.iter().chain(more).copied();
    let unknown: Vec<_> = names
        .iter()
        .filter(|name| known().all(|module| module != *name))
        .collect();
    let first = unknown.first().map_or("", |name| name.as_str());
    let hint = match closest(first, known()) {
        Some(near) => format!("did you mean {near}?"),
        None => "usual are q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj".into(),
    };
    let listed: Vec<_> = unknown.iter().take(5).map(|name| quoted(name)).collect();
    let plural = if unknown.len() == 1 {
        "is not a module"
    } else {
        "are not modules"
    };
    FieldError::new(
        field,
        format!("{} {plural} of any known architecture; {hint}", listed.join(", ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn complaint(change: impl FnOnce(&mut Lora)) -> String {
        let mut lora = Lora::default();
        change(&mut lora);
        FieldError::list(&of(&lora))
    }

    fn modules(names: &[&str]) -> Targets {
        Targets::Modules(names.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn dropout_is_a_probability_below_one() {
        assert_eq!(complaint(|lora| lora.dropout = 0.999), "");
        for bad in [1.0, -0.1, f64::NAN, f64::INFINITY] {
            let expected = format!("dropout: {bad} is not a probability of at least 0 and below 1");
            assert_eq!(complaint(|lora| lora.dropout = bad), expected);
        }
    }

    #[test]
    fn misspelt_modules_suggest_the_nearest() {
        assert_eq!(
            complaint(|lora| lora.targets = modules(&["q_proj", "v_proj"])),
            ""
        );
        assert_eq!(
            complaint(|lora| lora.targets = modules(&["q_proj", "qproj"])),
            "targets: 'qproj' is not a module of any known architecture; did you mean q_proj?"
        );
        assert_eq!(
            complaint(|lora| lora.targets = Targets::Word("all".into())),
            "targets: 'all' is not known; use all-linear, or a list such as q_proj,v_proj"
        );
        assert_eq!(
            complaint(|lora| lora.targets = modules(&[])),
            "targets: names no module; use all-linear, or a list such as q_proj,v_proj"
        );
        assert_eq!(
            complaint(|lora| lora.modules_to_save = vec!["embed_tokens".into(), "norm".into()]),
            ""
        );
    }
}
