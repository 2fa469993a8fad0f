//! What compiling for the browser needs beyond plain cargo: the wasm32 target.

use crate::cargo::run;
use crate::say;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";

/// Sees to it that Rust's standard library for wasm32 is there.
///
/// # Errors
/// It is missing and there is no rustup to install it, or rustup fails.
pub fn ensure_wasm_target() -> Result<()> {
    if has_wasm_target()? {
        return Ok(());
    }
    say!("installing Rust's standard library for {TARGET}: rustup target add {TARGET}");
    run(Command::new("rustup").args(["target", "add", TARGET])).with_context(|| {
        format!("Rust's standard library for {TARGET} is missing; install it the way you installed Rust")
    })?;
    if !has_wasm_target()? {
        bail!("rustup installed {TARGET}, but for another toolchain than the rustc in use");
    }
    Ok(())
}

fn has_wasm_target() -> Result<bool> {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .context("rustc cannot be started")?;
    let libdir = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    Ok(output.status.success() && libdir.is_dir())
}
