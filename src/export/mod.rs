//! Scripts and configurations that run a scenario, and reading a trainer's configuration back into one.
//!
//! A trainer cannot be told everything a scenario can say. So a script names the scenario that it really
//! [runs](Script::runs), with every field in which that differs from the one asked for; reading the script back gives
//! exactly that scenario.
//!
//! ```
//! use plimsoll::export::{Target, import, script};
//! use plimsoll::scenario::Scenario;
//! let run = Scenario::default();
//! let script = script(&run, Target::Axolotl).expect("Axolotl runs QLoRA");
//! let read = import(&script.text).expect("it is YAML");
//! assert_eq!(read.scenario, script.runs);
//! ```

mod adapter;
mod axolotl;
mod benchmark;
mod detect;
mod draft;
mod import;
mod llama_factory;
mod lora_keys;
mod names;
mod python;
mod script_keys;
mod setting;
mod settle;
mod sky;
mod target;
mod trainer_keys;
mod transformers;
mod unsloth;
mod yaml;

pub use adapter::{Adapter, adapter};
pub use import::{Imported, Remark, Source, import};
pub use target::Target;

use crate::scenario::{Difference, Scenario};
use serde::Serialize;

/// A script or configuration for one scenario.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Script {
    /// What it is for.
    pub target: Target,
    /// The usual name of its file.
    pub file_name: &'static str,
    /// The text, complete.
    pub text: String,
    /// The scenario that it runs.
    pub runs: Scenario,
    /// The fields in which that differs from the scenario asked for.
    pub differences: Vec<Difference>,
    /// What else the trainer does otherwise than the estimate takes for granted.
    pub notes: Vec<&'static str>,
}

/// Writes the script or configuration that runs a scenario.
///
/// # Errors
/// The reason why the trainer cannot run anything like it; or what is wrong with the scenario.
pub fn script(scenario: &Scenario, target: Target) -> Result<Script, String> {
    let problems = scenario.problems();
    if !problems.is_empty() {
        return Err(crate::scenario::FieldError::list(&problems));
    }
    let written = match target {
        Target::Unsloth => unsloth::write(scenario)?,
        Target::Transformers => transformers::write(scenario, false)?,
        Target::Trl => transformers::write(scenario, true)?,
        Target::Axolotl => axolotl::write(scenario)?,
        Target::LlamaFactory => llama_factory::write(scenario)?,
        Target::SkyPilot => sky::write(scenario)?,
        Target::Fp8Benchmark => benchmark::write(scenario)?,
    };
    Ok(Script {
        target,
        file_name: target.file_name(),
        differences: scenario.differences(&written.runs),
        runs: written.runs,
        text: written.text,
        notes: written.notes,
    })
}

/// What a writer gives.
struct Written {
    text: String,
    runs: Scenario,
    notes: Vec<&'static str>,
}
