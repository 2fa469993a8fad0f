//! A script that measures FP8 against bf16 on the card at hand, beside the claim that FP8 trains twice as fast.

use super::Written;
use super::settle::{self, link};
use super::unsloth::{quoted, repository};
use crate::scenario::{Method, Scenario, Stack, WeightFormat};

pub(super) fn write(scenario: &Scenario) -> Result<Written, String> {
    if let Some(capability) = scenario.capability().filter(|capability| *capability < (8, 9)) {
        let (major, minor) = capability;
        return Err(format!(
            "FP8 products need compute capability 8.9 (Ada, Hopper or newer); this card has {major}.{minor}"
        ));
    }
    let mut run = scenario.clone();
    if run.method == Method::Full {
        run.set_method(Method::Lora);
    }
    let mut run = settle::common(&run, Stack::Unsloth)?;
    run.method = Method::Lora;
    run.prepare_kbit = false;
    run.weights = WeightFormat::Fp8Dynamic;
    let fp8 = repository(&run);
    let bf16 = repository(&Scenario {
        weights: WeightFormat::Bf16,
        ..run.clone()
    });
    let text = TEMPLATE
        .replace("{link}", &link(&run))
        .replace("{bf16}", &quoted(&bf16))
        .replace("{fp8}", &quoted(&fp8))
        .replace("{batch}", &run.batch.to_string())
        .replace("{seq}", &run.seq.to_string())
        .replace("{rank}", &run.lora.rank.to_string());
    Ok(Written {
        text,
        runs: run,
        notes: vec!["below compute capability 9.0 only repositories that are already FP8 load"],
    })
}

const TEMPLATE: &str = r#"# Measures LoRA training on an FP8 base against a bf16 base on this card: tokens a second, and the peak of memory.
# It is said that "FP8 trains 2x faster"; no published measurement of it is known. This script makes one.
#
#   pip install unsloth==2026.10.9 unsloth_zoo==2026.10.9 trl==1.15.0 transformers==5.17.0 peft==0.21.2
#   python fp8_benchmark.py
#
# Each base is trained in a process of its own, so that neither finds the other's memory.
{link}
import json
import subprocess
import sys
import time

BASES = {"bf16": {bf16}, "fp8": {fp8}}
BATCH, SEQ, RANK = {batch}, {seq}, {rank}
WARM_UP, STEPS = 5, 20


def measure(base):
    from unsloth import FastLanguageModel

    import torch

    if torch.cuda.get_device_capability() < (8, 9):
        sys.exit("this card has no FP8: it takes Ada, Hopper or newer")
    fp8 = base == "fp8"
    model, tokenizer = FastLanguageModel.from_pretrained(
        model_name=BASES[base],
        max_seq_length=SEQ,
        load_in_4bit=False,
        load_in_16bit=not fp8,
        load_in_fp8=fp8,
    )
    model = FastLanguageModel.get_peft_model(model, r=RANK, lora_alpha=RANK, use_gradient_checkpointing="unsloth")
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    vocabulary = model.get_input_embeddings().num_embeddings
    ids = torch.randint(0, vocabulary, (BATCH, SEQ), device="cuda")
    model.train()
    for step in range(WARM_UP + STEPS):
        if step == WARM_UP:
            torch.cuda.synchronize()
            start = time.perf_counter()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    return {
        "tokens_per_second": STEPS * BATCH * SEQ / seconds,
        "reserved_gib": torch.cuda.max_memory_reserved() / 2**30,
        "card": torch.cuda.get_device_name(),
    }


if len(sys.argv) > 1:
    print("RESULT " + json.dumps(measure(sys.argv[1])))
    sys.exit()

results = {}
for base in BASES:
    run = subprocess.run([sys.executable, __file__, base], capture_output=True, text=True)
    lines = [line for line in run.stdout.splitlines() if line.startswith("RESULT ")]
    if not lines:
        sys.exit(f"{base} did not finish:\n{run.stdout}\n{run.stderr}")
    results[base] = json.loads(lines[-1][len("RESULT ") :])
    print(f"{base}: {results[base]['tokens_per_second']:.0f} tokens/s, {results[base]['reserved_gib']:.2f} GiB reserved")

ratio = results["fp8"]["tokens_per_second"] / results["bf16"]["tokens_per_second"]
print(f"{results['fp8']['card']}: FP8 trains {ratio:.2f} times as fast as bf16; the claim is 2")
"#;
