//! How long the header of a hundred thousand tensors takes: reading it alone, and all that becomes of it. Natively, or as
//! the page's wasm is compiled:
//!
//! ```console
//! cargo run --release --example header
//! rustup target add wasm32-wasip1
//! cargo build --profile web --target wasm32-wasip1 --no-default-features --example header
//! node benches/wasi.mjs target/wasm32-wasip1/web/examples/header.wasm
//! ```
#![allow(clippy::print_stdout)]

mod made;

use made::{TENSORS, header};
use plimsoll::checkpoint::{Header, Reply, Visit};
use std::hint::black_box;
use std::time::Instant;

/// A model whose decoder layers hold many experts.
const CONFIG: &str = r#"{"model_type": "qwen3_moe", "vocab_size": 64, "hidden_size": 4096, "intermediate_size": 64,
    "num_hidden_layers": 64, "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 128, "tie_word_embeddings": true,
    "num_experts": 521, "num_experts_per_tok": 8, "moe_intermediate_size": 1536, "norm_topk_prob": true}"#;

/// How often each is timed; the median is told.
const TIMES: usize = 15;

/// Visits the model as the page does with dropped files.
fn visit(file: &[u8], length: u64) -> Result<String, Box<dyn std::error::Error>> {
    let files = ["config.json", "large.safetensors"].map(String::from);
    let mut visit = Visit::of_files("large", &files)?;
    while let Some(piece) = visit.wanted().cloned() {
        let reply = match piece.file.as_str() {
            "config.json" => Reply::Bytes(CONFIG.into(), None),
            _ => {
                let begin = (piece.begin as usize).min(file.len());
                let end = piece.length.map_or(file.len(), |length| begin + length as usize);
                Reply::Bytes(file[begin..end.min(file.len())].to_vec(), Some(length))
            }
        };
        visit.take(reply)?;
    }
    Ok(visit.model()?.config.label())
}

fn timed<T>(what: &str, mut run: impl FnMut() -> T) {
    let mut times: Vec<f64> = (0..TIMES)
        .map(|_| {
            let began = Instant::now();
            black_box(run());
            began.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "{what:<36} {:>7.1} ms (best {:.1}, worst {:.1})",
        times[TIMES / 2],
        times[0],
        times[TIMES - 1]
    );
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let json = header();
    println!("{TENSORS} tensors, {} bytes", json.len());
    let read = Header::read(json.as_bytes(), "large.safetensors", None)?;
    let data: u64 = read.tensors.iter().map(|tensor| tensor.bytes).sum();
    let mut file = (json.len() as u64).to_le_bytes().to_vec();
    file.extend(json.bytes());
    let length = file.len() as u64 + data;
    println!("{}", visit(&file, length)?);
    timed("reading the header", || {
        Header::read(json.as_bytes(), "large.safetensors", None)
    });
    timed("from the file's bytes to the model", || {
        visit(&file, length).is_ok()
    });
    Ok(())
}
