//! The static site: the page's module with its JavaScript glue, index.html, and the files of www/.

use crate::cargo::Wasm;
use crate::divide::divide;
use crate::{cargo, doors, evidence, hashed, module, offline, say, styles, toolchain};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;
use wasm_bindgen_cli_support::Bindgen;

/// Where the site is put together.
const STAGE: &str = "target/site";

/// Builds the site into a folder (relative to the package's) and returns that folder.
///
/// # Errors
/// The wasm target cannot be had, the page does not compile, or a file cannot be written.
pub fn build(root: &Path, out: &Path, dev: bool) -> Result<PathBuf> {
    let started = Instant::now();
    let out = root.join(out);
    toolchain::ensure_wasm_target()?;
    evidence::refresh(root).context("the page's account of the records cannot be made")?;
    let patience = if out.exists() {
        ""
    } else {
        " (the first time takes a minute or two)"
    };
    say!("building the page{patience}");
    let module = cargo::build_wasm(root, Wasm::Page, dev)?;
    let own = cargo::build_wasm(root, Wasm::Own, dev)?;
    let site = root.join(STAGE);
    empty(&site)?;
    bind(&module, "app", &site, Wasm::Page.is_divided(dev))
        .context("wasm-bindgen cannot process the page's module")?;
    if Wasm::Page.is_divided(dev) {
        divide_page(&module, &site).context("the page's module cannot be divided")?;
    }
    bind(&own, "own", &site, false).context("wasm-bindgen cannot process the own-model panel's module")?;
    copy_files(&root.join("www"), &site)?;
    let index = root.join("index.html");
    let html = fs::read_to_string(&index).with_context(|| format!("{} cannot be read", index.display()))?;
    fs::write(
        site.join("index.html"),
        styles::join(&site, &without_trunk_links(&html))?,
    )?;
    module::install(&module::build(root, Path::new(module::FOLDER), dev)?, &site)?;
    hashed::rename(&site)?;
    offline::write_service_worker(&site)?;
    // An earlier build may have left files that are no longer part of the site; other folders may hold what is not ours.
    if out == root.join("dist") {
        empty(&out)?;
    } else {
        hashed::forget_earlier(&site, &out)?;
        fs::create_dir_all(&out).with_context(|| format!("{} cannot be made", out.display()))?;
    }
    copy_files(&site, &out)?;
    say!(
        "the site is in {} ({:.1} s)",
        out.display(),
        started.elapsed().as_secs_f64()
    );
    Ok(out)
}

/// Writes `NAME.js` and `NAME_bg.wasm`, as the command line of wasm-bindgen would.
fn bind(module: &Path, name: &str, out: &Path, names: bool) -> Result<()> {
    Bindgen::new()
        .input_path(module)
        .out_name(name)
        .web(true)?
        .typescript(false)
        .demangle(false)
        .remove_name_section(!names)
        .remove_producers_section(true)
        .omit_default_module_path(false)
        .generate(out)
}

/// Makes a folder, or empties it.
fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("{} cannot be emptied", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))
}

/// The second part of the page's program.
pub const LATER: &str = "app_later.wasm";

/// Writes the page's program in two parts.
fn divide_page(linked: &Path, out: &Path) -> Result<()> {
    let whole = out.join("app_bg.wasm");
    let parts = divide(&fs::read(linked)?, &fs::read(&whole)?, doors::of_page)?;
    fs::write(whole, parts.first)?;
    fs::write(out.join(LATER), parts.second)?;
    Ok(())
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&target)?;
            copy_files(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)
                .with_context(|| format!("{} cannot be written", target.display()))?;
        }
    }
    Ok(())
}

/// The document without the lines that tell Trunk what to build.
fn without_trunk_links(html: &str) -> String {
    html.split_inclusive('\n')
        .filter(|line| !line.contains("<link data-trunk"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_keeps_everything_but_the_trunk_links() {
        let html = "<head>\n  <link data-trunk rel=\"rust\">\n  <link rel=\"icon\" href=\"x\">\n</head>\n";
        assert_eq!(
            without_trunk_links(html),
            "<head>\n  <link rel=\"icon\" href=\"x\">\n</head>\n"
        );
    }

    #[test]
    fn the_glue_is_made_by_the_version_that_the_page_is_compiled_with() {
        let lock = include_str!("../../../Cargo.lock");
        let version = |name: &str| {
            let (_, rest) = lock
                .split_once(&format!("name = \"{name}\"\nversion = \""))
                .unwrap();
            rest.split('"').next().unwrap()
        };
        assert_eq!(version("wasm-bindgen"), version("wasm-bindgen-cli-support"));
    }
}
