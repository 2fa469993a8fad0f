//! Hostile files and links: what the fuzzers' targets do, here with sound inputs that are cut, doubled and bent at random.
//! `PLIMSOLL_FUZZ_SECONDS` says for how long each target is tried; the first inputs are always the same.

#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "../checkpoint/fixture.rs"]
mod fixture;
mod targets;

use plimsoll::scenario::Scenario;
use std::time::{Duration, Instant};
use std::{env, fs};

/// Numbers and words that are often mishandled.
const WORDS: [&[u8]; 14] = [
    b"18446744073709551615",
    b"9223372036854775808",
    b"-1",
    b"NaN",
    b"1e999",
    b"0",
    b"null",
    b"[[[[[[[[",
    b"{\"a\":",
    b"\"\\ud800\"",
    b"\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\0\0\0\0\0\0\0\x80",
    b"true",
    b"%00",
];

/// Marsaglia's xorshift: inputs that come again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides.max(1) as u64) as usize
    }
}

fn bent(seed: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=dice.roll(6) {
        let at = dice.roll(bytes.len() + 1).min(bytes.len());
        let end = (at + dice.roll(24)).min(bytes.len());
        match dice.roll(6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            3 => drop(bytes.splice(at..end, WORDS[dice.roll(WORDS.len())].iter().copied())),
            4 => bytes.insert(at, dice.roll(256) as u8),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << dice.roll(8);
                }
            }
        }
    }
    bytes
}

/// Tries a target on what becomes of the seeds. No input may take longer than a second.
fn bend(seeds: &[Vec<u8>], target: impl Fn(&[u8])) {
    let seconds = env::var("PLIMSOLL_FUZZ_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let began = Instant::now();
    let mut inputs = 0u64;
    while began.elapsed() < Duration::from_secs(seconds) {
        let input = bent(&seeds[dice.roll(seeds.len())], &mut dice);
        let this = Instant::now();
        target(&input);
        let took = this.elapsed();
        assert!(
            took < Duration::from_secs(5),
            "{took:?} for {}",
            String::from_utf8_lossy(&input)
        );
        inputs += 1;
    }
    eprintln!("{inputs} inputs");
}

/// Sound inputs of each target, by its name.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "config_json" => fixture::models()
            .iter()
            .map(fixture::Fixture::config_json)
            .collect(),
        "safetensors" => safetensors(),
        "index" => vec![
            br#"{"metadata": {"total_size": 12}, "weight_map": {"a": "m-00001-of-00002.safetensors", "b": "m-00002-of-00002.safetensors"}}"#
                .to_vec(),
        ],
        "gguf" => vec![gguf()],
        "fragment" => LINKS.iter().map(|link| link.as_bytes().to_vec()).collect(),
        "scenario_json" => LINKS
            .iter()
            .map(|link| serde_json::to_vec(&Scenario::from_fragment(link).scenario).unwrap())
            .collect(),
        _ => panic!("there is no target '{target}'"),
    }
}

const LINKS: [&str; 2] = [
    "v=1&model=meta-llama/Llama-3.1-8B&stack=hf&method=qlora&gpu=rtx-4090&seq=64&rank=8&targets=q_proj,v_proj",
    "v=1&config.model_type=llama&config.vocab_size=64&config.hidden_size=32&config.intermediate_size=64\
     &config.num_hidden_layers=2&config.num_attention_heads=4&config.name=a/b&config.treat_as=llama\
     &config.tower_params=9&config.stored_as=nf4&config.layer_types_pattern=a,b&stack=unsloth&method=lora&gpu=none",
];

fn safetensors() -> Vec<Vec<u8>> {
    let small = br#"{"model.layers.0.self_attn.q_proj.weight": {"dtype": "U8", "shape": [512, 1], "data_offsets": [0, 512]},
        "lm_head.weight": {"dtype": "BF16", "shape": [64, 32], "data_offsets": [512, 4608]}}"#;
    let mut file = (small.len() as u64).to_le_bytes().to_vec();
    file.extend(small);
    file.resize(file.len() + 4608, 0);
    vec![small.to_vec(), file]
}

fn gguf() -> Vec<u8> {
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    };
    let mut seed = b"GGUF\x03\0\0\0\x01\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0".to_vec();
    for (key, kind, value) in [
        ("llama.block_count", 4u32, 2u32),
        ("llama.embedding_length", 4, 64),
    ] {
        text(&mut seed, key);
        seed.extend(kind.to_le_bytes());
        seed.extend(value.to_le_bytes());
    }
    text(&mut seed, "general.architecture");
    seed.extend(8u32.to_le_bytes());
    text(&mut seed, "llama");
    text(&mut seed, "tokenizer.ggml.tokens");
    seed.extend(9u32.to_le_bytes());
    seed.extend(8u32.to_le_bytes());
    seed.extend(2u64.to_le_bytes());
    text(&mut seed, "a");
    text(&mut seed, "b");
    text(&mut seed, "token_embd.weight");
    seed.extend(2u32.to_le_bytes());
    seed.extend(64u64.to_le_bytes());
    seed.extend(2u64.to_le_bytes());
    seed.extend(0u32.to_le_bytes());
    seed.extend(0u64.to_le_bytes());
    seed
}

#[test]
fn no_config_json_is_too_much() {
    bend(&seeds("config_json"), targets::config_json);
}

#[test]
fn no_safetensors_header_is_too_much() {
    bend(&seeds("safetensors"), targets::safetensors);
}

#[test]
fn no_index_is_too_much() {
    bend(&seeds("index"), targets::index);
}

#[test]
fn no_gguf_header_is_too_much() {
    bend(&seeds("gguf"), targets::gguf);
}

#[test]
fn no_link_is_too_much() {
    bend(&seeds("fragment"), |bytes| {
        targets::fragment(&String::from_utf8_lossy(bytes))
    });
}

#[test]
#[ignore = "gives the fuzzers something to begin with: cargo test --test fuzz seeds -- --ignored"]
fn seeds_are_written() {
    for target in [
        "config_json",
        "safetensors",
        "index",
        "gguf",
        "fragment",
        "scenario_json",
    ] {
        let folder = format!("{}/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
        fs::create_dir_all(&folder).unwrap();
        for (i, seed) in seeds(target).iter().enumerate() {
            fs::write(format!("{folder}/seed-{i}"), seed).unwrap();
        }
    }
}
