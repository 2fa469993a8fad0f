//! A SkyPilot task: rents the cheapest card that fits and starts the script.

use super::settle::link;
use super::{Written, transformers, unsloth};
use crate::advise::solve;
use crate::scenario::{Method, Scenario, Stack};

/// Clouds of the price list that SkyPilot rents from, by its names.
const CLOUDS: &[(&str, &str)] = &[
    ("aws", "aws"),
    ("gcp", "gcp"),
    ("azure", "azure"),
    ("lambda", "lambda"),
    ("nebius", "nebius"),
    ("vast", "vast"),
    ("verda", "verda"),
    ("seeweb", "seeweb"),
];

/// Cards as SkyPilot's catalog names its accelerators.
const ACCELERATORS: &[(&str, &str)] = &[
    ("t4", "T4"),
    ("v100-16gb-sxm", "V100"),
    ("v100-32gb-sxm", "V100-32GB"),
    ("p100-16gb-pcie", "P100"),
    ("l4", "L4"),
    ("l40", "L40"),
    ("l40s", "L40S"),
    ("a10", "A10"),
    ("a10g", "A10G"),
    ("a40", "A40"),
    ("a100-40gb-sxm", "A100"),
    ("a100-40gb-pcie", "A100"),
    ("a100-80gb-sxm", "A100-80GB"),
    ("a100-80gb-pcie", "A100-80GB"),
    ("h100-80gb-sxm", "H100"),
    ("h100-80gb-pcie", "H100"),
    ("h200-sxm", "H200"),
    ("b200-sxm", "B200"),
    ("rtx-3090", "RTX3090"),
    ("rtx-4090", "RTX4090"),
    ("rtx-5090", "RTX5090"),
    ("rtx-a5000", "RTXA5000"),
    ("rtx-a6000", "RTXA6000"),
    ("rtx-6000-ada", "RTX6000-Ada"),
];

pub(super) fn write(scenario: &Scenario) -> Result<Written, String> {
    let (script, install) = match scenario.stack {
        Stack::Unsloth => (unsloth::write(scenario)?, "unsloth==2026.10.9 trl==1.15.0"),
        Stack::Hf => (
            transformers::write(scenario, false)?,
            "transformers==5.17.0 peft==0.21.2 accelerate==1.15.0 bitsandbytes==0.50.2 datasets==4.8.5",
        ),
    };
    let cards = solve::cards(&script.runs).map_err(|error| error.to_string())?;
    let accelerator = |slug: &str| {
        ACCELERATORS
            .iter()
            .find(|(own, _)| *own == slug)
            .map(|(_, name)| *name)
    };
    let rentable = |card: &&solve::CardFit| {
        let of_cloud = card
            .offer
            .as_ref()
            .is_some_and(|offer| CLOUDS.iter().any(|(own, _)| *own == offer.cloud));
        of_cloud && accelerator(card.gpu).is_some()
    };
    let rentable: Vec<_> = cards.iter().filter(rentable).cloned().collect();
    let card = solve::cheapest_card(&rentable).ok_or("no card that SkyPilot rents is large enough")?;
    let (Some(name), Some(offer)) = (accelerator(card.gpu), &card.offer) else {
        return Err("no card that SkyPilot rents is large enough".into());
    };
    let cloud = CLOUDS
        .iter()
        .find(|(own, _)| *own == offer.cloud)
        .map_or("", |(_, name)| *name);
    let runs = Scenario {
        gpu: Some(card.gpu.into()),
        compute_capability: None,
        ..script.runs
    };
    let adapters = if runs.method == Method::Full {
        "the model"
    } else {
        "the adapters"
    };
    let needs_liger = if runs.liger { " liger-kernel" } else { "" };
    // Indented as the block that it stands in.
    let indented = |line: &str| {
        if line.is_empty() {
            "\n".to_owned()
        } else {
            format!("  {line}\n")
        }
    };
    let script: String = script.text.lines().map(indented).collect();
    let text = format!(
        "# SkyPilot 0.14: the cheapest card that fits, {} at {} for ${:.2} an hour ({}).\n\
         #   pip install \"skypilot[{cloud}]\" && sky launch sky.yaml\n\
         {}\n\
         name: plimsoll\n\
         resources:\n  infra: {cloud}\n  accelerators: {name}:{}\n  disk_size: 256\n\
         setup: |\n  pip install torch==2.11.0 {install}{needs_liger}\n  cat > train.py <<'PLIMSOLL'\n{}  PLIMSOLL\n\
         # A gated model needs a token: sky launch --secret HF_TOKEN sky.yaml. Copy {adapters} from outputs/ before sky down.\n\
         secrets:\n  HF_TOKEN: \"\"\n\
         run: |\n  python train.py\n",
        card.name,
        offer.cloud,
        offer.usd_per_hour,
        offer.date,
        link(&runs),
        offer.gpus,
        script,
    );
    Ok(Written {
        text,
        runs,
        notes: vec![
            "prices change by the hour, and clouds name some cards otherwise: sky show-gpus lists today's",
        ],
    })
}
