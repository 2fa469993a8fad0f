//! What a scenario can be written for.

use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// A kind of script or configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Unsloth with TRL's SFTTrainer.
    Unsloth,
    /// Transformers' own Trainer with PEFT: exactly what the Hugging Face stack replays.
    Transformers,
    /// PEFT with TRL's SFTTrainer.
    Trl,
    /// An Axolotl configuration.
    Axolotl,
    /// A LLaMA-Factory configuration.
    LlamaFactory,
    /// A SkyPilot task that rents the cheapest card that fits and starts the script.
    SkyPilot,
    /// A benchmark of FP8 against bf16 on the card at hand.
    Fp8Benchmark,
}

impl Target {
    /// Every target.
    pub const ALL: &'static [Target] = &[
        Target::Unsloth,
        Target::Transformers,
        Target::Trl,
        Target::Axolotl,
        Target::LlamaFactory,
        Target::SkyPilot,
        Target::Fp8Benchmark,
    ];

    /// The name on the command line.
    pub const fn slug(self) -> &'static str {
        match self {
            Target::Unsloth => "unsloth",
            Target::Transformers => "transformers",
            Target::Trl => "trl",
            Target::Axolotl => "axolotl",
            Target::LlamaFactory => "llama-factory",
            Target::SkyPilot => "sky-pilot",
            Target::Fp8Benchmark => "fp8-benchmark",
        }
    }

    /// The name for a person.
    pub const fn label(self) -> &'static str {
        match self {
            Target::Unsloth => "Unsloth script",
            Target::Transformers => "Transformers + PEFT script",
            Target::Trl => "TRL + PEFT script",
            Target::Axolotl => "Axolotl YAML",
            Target::LlamaFactory => "LLaMA-Factory YAML",
            Target::SkyPilot => "SkyPilot YAML",
            Target::Fp8Benchmark => "FP8 benchmark",
        }
    }

    /// The usual name of its file.
    pub const fn file_name(self) -> &'static str {
        match self {
            Target::Unsloth | Target::Transformers | Target::Trl => "train.py",
            Target::Axolotl => "axolotl.yaml",
            Target::LlamaFactory => "llama_factory.yaml",
            Target::SkyPilot => "sky.yaml",
            Target::Fp8Benchmark => "fp8_benchmark.py",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.slug())
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Target::ALL.iter().find(|target| target.slug() == text);
        found.copied().ok_or_else(|| {
            let all: Vec<_> = Target::ALL.iter().map(|target| target.slug()).collect();
            format!("'{text}' is not known; use one of {}", all.join(", "))
        })
    }
}
