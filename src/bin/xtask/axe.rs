//! axe-core, which checks the page's accessibility in the browser tests; from the npm registry, by npm.

use crate::cargo::run;
use crate::say;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const VERSION: &str = "4.10.3";

/// The script, fetched once. Nothing where there is no npm, or no network: the check is then left out.
pub fn ensure(root: &Path) -> Option<PathBuf> {
    let folder = root.join("target/axe-core");
    let script = folder.join(VERSION).join("axe.min.js");
    if !script.is_file()
        && let Err(problem) = fetch(&folder, &script)
    {
        say!("the accessibility check is LEFT OUT, it needs npm to fetch axe-core {VERSION}: {problem:#}");
        return None;
    }
    Some(script)
}

fn fetch(folder: &Path, script: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    say!("fetching axe-core {VERSION} for the accessibility check");
    let mut pack = Command::new("npm");
    pack.args(["pack", "--silent", &format!("axe-core@{VERSION}")])
        .current_dir(folder)
        .stdout(Stdio::null());
    run(&mut pack)?;
    let mut unpack = Command::new("tar");
    let archive = format!("axe-core-{VERSION}.tgz");
    unpack
        .args(["-xzf", &archive, "package/axe.min.js"])
        .current_dir(folder);
    run(&mut unpack)?;
    let target = script.parent().context("the script has a folder")?;
    fs::create_dir_all(target)?;
    fs::rename(folder.join("package/axe.min.js"), script)?;
    Ok(())
}
