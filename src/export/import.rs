//! Reading a trainer's configuration back into a scenario.

use super::draft::{Draft, Taken};
use super::setting::Setting;
use super::{axolotl, detect, llama_factory, names, script_keys};
use crate::catalog;
use crate::scenario::{Checkpointing, Method, Scenario, Stack};
use serde::Serialize;

/// What a configuration was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// An Axolotl YAML.
    Axolotl,
    /// A LLaMA-Factory YAML.
    LlamaFactory,
    /// Python with Unsloth.
    Unsloth,
    /// Python with TRL.
    Trl,
    /// Python with Transformers' Trainer, or keyword arguments alone.
    Transformers,
    /// `training_args.json` or `adapter_config.json`, or both in one.
    Json,
}

impl Source {
    /// The name for a person.
    pub const fn label(self) -> &'static str {
        match self {
            Source::Axolotl => "an Axolotl configuration",
            Source::LlamaFactory => "a LLaMA-Factory configuration",
            Source::Unsloth => "a script for Unsloth",
            Source::Trl => "a script for TRL",
            Source::Transformers => "a script for Transformers",
            Source::Json => "saved training arguments",
        }
    }

    fn known(self) -> Vec<&'static str> {
        let lists: &[&'static str] = match self {
            Source::Axolotl => &[names::AXOLOTL],
            Source::LlamaFactory => &[names::LLAMA_FACTORY],
            _ => &[
                names::TRAINING_ARGUMENTS,
                names::SFT_CONFIG,
                names::LORA_CONFIG,
                names::BITS_AND_BYTES,
                names::FROM_PRETRAINED,
                names::UNSLOTH_FROM_PRETRAINED,
                names::UNSLOTH_GET_PEFT_MODEL,
            ],
        };
        lists.iter().copied().flat_map(names::of).collect()
    }
}

/// A remark about one setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// The key.
    pub key: String,
    /// The line it stands on, from 1.
    pub line: usize,
    /// What there is to say.
    pub text: String,
}

impl std::fmt::Display for Remark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.key, self.text)
    }
}

/// A configuration that was read: always a scenario, and everything that is not in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Imported {
    /// What it was taken for.
    pub source: Source,
    /// The scenario; what was not said has the trainer's defaults.
    pub scenario: Scenario,
    /// Keys that are in the scenario.
    pub understood: Vec<String>,
    /// Settings that are in the scenario by the nearest that it can say.
    pub notes: Vec<Remark>,
    /// Settings that cannot be used or contradict others; the rest is used.
    pub problems: Vec<Remark>,
    /// Keys that the trainer does not know.
    pub unknown: Vec<Remark>,
    /// Keys of the trainer that are not read: they hardly matter to memory, or are not modelled.
    pub unread: Vec<String>,
    /// What was taken for granted, such as the card.
    pub assumptions: Vec<String>,
}

/// Reads an Axolotl or LLaMA-Factory YAML, a Python script or its keyword arguments, `training_args.json` or
/// `adapter_config.json`. Nothing is guessed silently: what is not understood is listed.
///
/// ```
/// use plimsoll::export::{Source, import};
/// let read = import("base_model: Qwen/Qwen3-8B\nadapter: lora\nlora_r: 8\nbf16: true\nsequense_len: 4096\n").expect("YAML");
/// assert_eq!(read.source, Source::Axolotl);
/// assert_eq!(read.scenario.lora.rank, 8);
/// let unknown = "line 5: sequense_len: is no key of an Axolotl configuration; did you mean 'sequence_len'?";
/// assert_eq!(read.unknown[0].to_string(), unknown);
/// ```
///
/// # Errors
/// Text that is none of these, with the line where reading ended.
pub fn import(text: &str) -> Result<Imported, String> {
    let text = text.trim_start_matches('\u{feff}');
    let (source, settings) = detect::settings(text)?;
    let (linked, mut assumptions) = linked(text);
    let mut draft = draft(source, linked, text);
    let mut read = Read::default();
    let known = source.known();
    for setting in &settings {
        let taken = match source {
            Source::Axolotl => axolotl::read(&mut draft, setting),
            Source::LlamaFactory => llama_factory::read(&mut draft, setting),
            _ => script_keys::read(&mut draft, source, setting),
        };
        read.take(source, &known, setting, taken);
    }
    let named = |key: &str| settings.iter().any(|setting| setting.key == key);
    let checkpointing = draft.run.checkpointing;
    let off_loaded = source == Source::Unsloth && checkpointing == Checkpointing::Unsloth;
    let (mut scenario, problems) = draft.finish();
    if off_loaded {
        scenario.checkpointing = checkpointing;
    }
    match source {
        Source::Axolotl => {}
        Source::LlamaFactory => llama_factory::finish(&mut scenario, named("lora_alpha")),
        _ => script_keys::finish(source, &mut scenario, text, &named),
    }
    read.problems.extend(problems);
    if ![
        "base_model",
        "model_name_or_path",
        "model_name",
        "MODEL",
        "base_model_name_or_path",
    ]
    .iter()
    .any(|key| named(key))
    {
        assumptions.push("no model is named: that of the default scenario is taken".into());
    }
    Ok(Imported {
        source,
        scenario,
        understood: read.understood,
        notes: read.notes,
        problems: read.problems,
        unknown: read.unknown,
        unread: read.unread,
        assumptions,
    })
}

/// What no trainer is told, from the link in the first comment: the card, and a model outside the catalog.
fn linked(text: &str) -> (Scenario, Vec<String>) {
    let mut run = Scenario::default();
    let link = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("# plimsoll: "));
    let Some(link) = link else {
        let card = run
            .gpu
            .as_deref()
            .and_then(catalog::gpu)
            .map_or("none", |card| card.name.as_str());
        return (run, vec![format!("no card is named: {card} is taken")]);
    };
    let linked = Scenario::from_fragment(link).scenario;
    run.model = linked.model;
    run.gpu = linked.gpu;
    run.compute_capability = linked.compute_capability;
    (run, vec!["the card is that of the link in the comment".into()])
}

/// A draft at the trainer's own defaults.
fn draft(source: Source, linked: Scenario, text: &str) -> Draft {
    let (stack, method) = match source {
        Source::Unsloth => (Stack::Unsloth, Method::Qlora),
        _ => (Stack::Hf, Method::Lora),
    };
    let base = Scenario {
        model: linked.model,
        gpu: linked.gpu,
        compute_capability: linked.compute_capability,
        ..Scenario::for_stack(stack, method)
    };
    match source {
        Source::Axolotl => axolotl::draft(base),
        Source::LlamaFactory => llama_factory::draft(base),
        _ => {
            let mut draft = Draft::new(base);
            draft.double_quant = source == Source::Unsloth;
            draft.checkpointing = source == Source::Trl;
            draft.run.checkpointing = Checkpointing::None;
            // PEFT's own name for its adapters, or a call that makes them.
            let adapted = ["LoraConfig(", "get_peft_model(", "lora_alpha", "target_modules"];
            draft.full = !adapted.iter().any(|word| text.contains(word));
            draft.run.expandable_segments =
                source == Source::Unsloth || text.contains("expandable_segments:True");
            draft
        }
    }
}

#[derive(Default)]
struct Read {
    understood: Vec<String>,
    notes: Vec<Remark>,
    problems: Vec<Remark>,
    unknown: Vec<Remark>,
    unread: Vec<String>,
}

impl Read {
    fn take(&mut self, source: Source, known: &[&str], setting: &Setting, taken: Taken) {
        let remark = |text: String| Remark {
            key: setting.key.clone(),
            line: setting.line,
            text,
        };
        match taken {
            Taken::Yes => self.understood.push(setting.key.clone()),
            Taken::NoMatter => {}
            Taken::Noted(text) => self.notes.push(remark(text)),
            Taken::Problem(text) => self.problems.push(remark(text)),
            Taken::Unknown => {
                let top = setting.key.split('.').next().unwrap_or_default();
                if known.contains(&top) {
                    self.unread.push(setting.key.clone());
                } else if matches!(source, Source::Axolotl | Source::LlamaFactory) {
                    let hint = crate::scenario::closest(top, known.iter().copied())
                        .map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
                    self.unknown
                        .push(remark(format!("is no key of {}{hint}", source.label())));
                } else if let Some(near) = known.iter().find(|name| nearly(name, &setting.key)) {
                    // A script sets names of its own; only what looks like a setting is remarked.
                    self.unknown
                        .push(remark(format!("is not known; did you mean '{near}'?")));
                } else {
                    self.unread.push(setting.key.clone());
                }
            }
        }
    }
}

/// Is a name another, misspelt?
fn nearly(name: &str, spelt: &str) -> bool {
    const LEAST: f64 = 0.8;
    strsim::normalized_damerau_levenshtein(name, spelt) >= LEAST
}
