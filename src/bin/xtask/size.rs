//! What the page weighs, part by part.

use crate::hashed::plain;
use crate::offline::files_of_page;
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::Write;
use std::path::Path;

/// What all that the page begins with should weigh at most, compressed with brotli.
const GOAL: usize = 320 << 10;

/// What it may weigh: nothing may add to it unnoticed.
const LIMIT: usize = 320 << 10;

/// What is loaded only when it is asked for: the second part of the program, and the panel for a model of one's own.
pub const ON_DEMAND: [&str; 4] = ["app_later.wasm", "own.js", "own_bg.wasm", "own.css"];

/// Prints the table of a built site.
///
/// # Errors
/// A file cannot be read, or the sum is over the limit.
pub fn report(site: &Path) -> Result<()> {
    println!("{:<24} {:>12} {:>12}", "part", "bytes", "brotli 11");
    let (mut raw, mut small, mut later) = (0, 0, 0);
    for file in files_of_page(site)? {
        let content = fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let compressed = compressed_len(&content)?;
        let name = plain(&file.strip_prefix(site).unwrap_or(&file).display().to_string());
        println!("{name:<24} {:>12} {compressed:>12}", content.len());
        for (section, bytes) in wasm_sections(&content) {
            let alone = compressed_len(bytes)?;
            println!(
                "  {:<22} {:>12} {:>12}",
                format!("of which {section}"),
                bytes.len(),
                alone
            );
        }
        if ON_DEMAND.contains(&name.as_str()) {
            later += compressed;
            continue;
        }
        raw += content.len();
        small += compressed;
    }
    println!("{:<24} {:>12} {later:>12}", "of these on demand", "");
    println!("{:<24} {raw:>12} {small:>12}", "the others together");
    println!("{:<24} {:>12} {GOAL:>12}", "goal", "");
    println!("{:<24} {:>12} {LIMIT:>12}", "limit", "");
    if small > LIMIT {
        bail!("the page weighs {small} bytes compressed, over its limit of {LIMIT}");
    }
    Ok(())
}

/// As `brotli -q 11` would send it, in bytes.
///
/// # Errors
/// None in practice: what is written stays in memory.
pub fn compressed_len(content: &[u8]) -> Result<usize> {
    let (quality, window) = (11, 22);
    let mut writer = brotli::CompressorWriter::new(Vec::new(), 4096, quality, window);
    writer.write_all(content)?;
    Ok(writer.into_inner().len())
}

/// The code and data of a wasm module: magic and version, then sections of an id, a length and so many bytes.
fn wasm_sections(module: &[u8]) -> Vec<(&'static str, &[u8])> {
    let mut found = Vec::new();
    let mut rest = module.strip_prefix(b"\0asm\x01\0\0\0").unwrap_or_default();
    while let Some((id, after)) = rest.split_first() {
        let Some((length, after)) = leb128(after) else {
            break;
        };
        let Some((section, after)) = after.split_at_checked(length) else {
            break;
        };
        match id {
            10 => found.push(("code", section)),
            11 => found.push(("data", section)),
            _ => {}
        }
        rest = after;
    }
    found
}

/// An unsigned number of seven bits a byte, least significant first, as wasm writes lengths.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let end = bytes.iter().take(5).position(|byte| byte & 0x80 == 0)?;
    let (number, rest) = bytes.split_at(end + 1);
    let value = number
        .iter()
        .rev()
        .fold(0usize, |value, byte| value << 7 | usize::from(byte & 0x7f));
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_seven_bits_at_a_time() {
        assert_eq!(leb128(&[0x05, 9]), Some((5, &[9][..])));
        assert_eq!(leb128(&[0xe5, 0x8e, 0x26]), Some((624_485, &[][..])));
        assert_eq!(leb128(&[0x80]), None);
    }

    #[test]
    fn code_and_data_are_told_apart() {
        let module = [b"\0asm\x01\0\0\0", &[1, 1, 0][..], &[10, 2, 7, 8], &[11, 1, 9]].concat();
        assert_eq!(
            wasm_sections(&module),
            vec![("code", &[7, 8][..]), ("data", &[9][..])]
        );
        assert!(wasm_sections(b"body {}").is_empty());
    }
}
