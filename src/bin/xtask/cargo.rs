//! Cargo, called from within cargo.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The cargo that started us, in the package's folder.
pub fn cargo<S: AsRef<OsStr>>(root: &Path, args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).args(args);
    command
}

/// Runs a command to its end.
///
/// # Errors
/// It cannot be started, or fails.
pub fn run(command: &mut Command) -> Result<()> {
    let line = line_of(command);
    let status = command
        .status()
        .with_context(|| format!("'{line}' cannot be started"))?;
    if !status.success() {
        bail!("'{line}' failed ({status})");
    }
    Ok(())
}

/// The command as one would type it, with the program's bare name.
pub fn line_of(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_stem().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// What is compiled for the browser.
#[derive(Clone, Copy, Debug)]
pub enum Wasm {
    /// The page.
    Page,
    /// The page's panel for a model of one's own.
    Own,
    /// The JavaScript module.
    Module,
}

impl Wasm {
    /// How cargo is asked for it.
    fn args(self) -> &'static [&'static str] {
        match self {
            Wasm::Page => &["rustc", "--bin", "app", "--features", "app"],
            Wasm::Own => &["build", "--bin", "own", "--features", "app"],
            Wasm::Module => &["rustc", "--lib", "--crate-type", "cdylib", "--features", "module"],
        }
    }

    /// Is it divided into what it begins with and what is loaded later? Not while it is being worked on: that takes longer.
    pub fn is_divided(self, dev: bool) -> bool {
        !matches!(self, Wasm::Own) && !dev
    }

    /// What cargo calls it.
    fn target(self) -> &'static str {
        match self {
            Wasm::Page => "app",
            Wasm::Own => "own",
            Wasm::Module => "plimsoll",
        }
    }
}

/// Compiles for the browser and returns the path of the wasm module, wherever cargo puts it.
///
/// # Errors
/// The build fails.
pub fn build_wasm(root: &Path, what: Wasm, dev: bool) -> Result<PathBuf> {
    let profile = if dev { "dev" } else { "web" };
    let mut build = cargo(root, what.args());
    build.args(["--no-default-features", "--profile", profile]);
    build.args(["--target", "wasm32-unknown-unknown"]);
    build.arg("--message-format=json-render-diagnostics");
    if what.is_divided(dev) {
        build.args(["--", "-Clink-arg=--emit-relocs"]);
    }
    let mut child = build
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo cannot be started")?;
    let messages = child.stdout.take().context("cargo has no output")?;
    let mut module = None;
    for line in BufReader::new(messages).lines() {
        module = module_in(&line?, what).or(module);
    }
    if !child.wait()?.success() {
        bail!("the {what:?} does not compile");
    }
    module.context("cargo names no wasm module")
}

/// The wasm module that one of cargo's JSON messages announces.
fn module_in(message: &str, what: Wasm) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    if message["reason"] != "compiler-artifact" || message["target"]["name"] != what.target() {
        return None;
    }
    let mut files = message["filenames"].as_array()?.iter().filter_map(Value::as_str);
    files.find(|file| file.ends_with(".wasm")).map(PathBuf::from)
}

/// Formatting and clippy, over everything that is compiled.
///
/// # Errors
/// Either finds something.
pub fn lint(root: &Path) -> Result<()> {
    run(&mut cargo(root, ["fmt", "--check"]))?;
    let clippy = [
        "clippy",
        "--all-features",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    run(&mut cargo(root, clippy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_where_cargo_says_it_is() {
        let message = r#"{"reason":"compiler-artifact","target":{"name":"app","kind":["bin"]},
            "filenames":["/elsewhere/web/app.d","/elsewhere/web/app.wasm"]}"#;
        assert_eq!(
            module_in(message, Wasm::Page),
            Some("/elsewhere/web/app.wasm".into())
        );
    }

    #[test]
    fn other_messages_name_no_module() {
        let library =
            r#"{"reason":"compiler-artifact","target":{"name":"yew"},"filenames":["/x/libyew.rlib"]}"#;
        assert_eq!(module_in(library, Wasm::Page), None);
        assert_eq!(module_in("   Compiling plimsoll", Wasm::Page), None);
    }

    #[test]
    fn a_failing_command_is_named_as_one_would_type_it() {
        let command = cargo(Path::new("."), ["test", "--features", "ssr"]);
        assert!(line_of(&command).ends_with("test --features ssr"));
    }
}
