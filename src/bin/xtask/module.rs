//! The JavaScript module as a package: the wasm with its glue and types, the catalogs beside it, and the few files of
//! `src/module/js`.

use crate::cargo::{self, Wasm};
use crate::divide::divide;
use crate::size::compressed_len;
use crate::{doors, say, toolchain};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;
use wasm_bindgen_cli_support::Bindgen;

/// Where the package is put unless said otherwise.
pub const FOLDER: &str = "target/npm/plimsoll";

/// The catalogs, which are not in the wasm.
const CATALOGS: [&str; 4] = ["models", "gpus", "variants", "prices"];

/// The files that are written by hand.
const FILES: [&str; 3] = ["index.js", "index.d.ts", "node.js"];

/// The widget's files.
const WIDGET: [&str; 4] = ["widget.js", "render.js", "scheme.js", "style.js"];

/// Where the site has the widget, and with it the module.
pub const EMBED: &str = "embed";

/// The second part of the wasm.
const REST: &str = "plimsoll_rest.wasm";

/// What the first part of the wasm and its JavaScript may weigh, compressed with brotli: nothing may add to it unnoticed.
const LIMIT: usize = 120 << 10;

/// Builds the package into a folder (relative to the package's) and returns that folder.
///
/// # Errors
/// The wasm target cannot be had, the module does not compile, or a file cannot be written.
pub fn build(root: &Path, out: &Path, dev: bool) -> Result<PathBuf> {
    let started = Instant::now();
    let out = root.join(out);
    write(root, &out, dev)?;
    let seconds = started.elapsed().as_secs_f64();
    say!("the module is in {} ({seconds:.1} s)", out.display());
    Ok(out)
}

fn write(root: &Path, out: &Path, dev: bool) -> Result<()> {
    toolchain::ensure_wasm_target()?;
    say!("building the JavaScript module");
    let module = cargo::build_wasm(root, Wasm::Module, dev)?;
    let is_divided = Wasm::Module.is_divided(dev);
    let catalogs = out.join("catalogs");
    fs::create_dir_all(&catalogs).with_context(|| format!("{} cannot be made", catalogs.display()))?;
    Bindgen::new()
        .input_path(&module)
        .out_name("plimsoll")
        .web(true)?
        .typescript(true)
        .demangle(false)
        .remove_name_section(!is_divided)
        .remove_producers_section(true)
        .omit_default_module_path(false)
        .reset_state_function(true)
        .generate(out)
        .context("wasm-bindgen cannot process the module")?;
    if is_divided {
        let whole = out.join("plimsoll_bg.wasm");
        let parts = divide(&fs::read(&module)?, &fs::read(&whole)?, doors::of_module)
            .context("the module cannot be divided")?;
        fs::write(whole, parts.first)?;
        fs::write(out.join(REST), parts.second)?;
    }
    for name in CATALOGS {
        let rows = read(&root.join(format!("src/catalog/data/{name}.json")))?;
        let script = as_script(&rows).with_context(|| format!("{name}.json is no JSON"))?;
        put(&catalogs.join(format!("{name}.js")), &script)?;
    }
    let glue = out.join("plimsoll.js");
    put(&glue, &without_comments(&read(&glue)?))?;
    let source = root.join("src/module/js");
    for name in FILES {
        let text = read(&source.join(name))?;
        put(
            &out.join(name),
            &if name.ends_with(".js") {
                without_comments(&text)
            } else {
                text
            },
        )?;
    }
    for name in WIDGET {
        put(&out.join(name), &read(&root.join("www/embed").join(name))?)?;
    }
    let about = versioned(&read(&source.join("package.json"))?);
    put(&out.join("package.json"), &about)
}

/// Puts what browsers load of a package beside the widget of a site.
///
/// # Errors
/// A file cannot be read or written.
pub fn install(package: &Path, site: &Path) -> Result<()> {
    let out = site.join(EMBED);
    fs::create_dir_all(out.join("catalogs"))?;
    let catalogs = CATALOGS.map(|name| format!("catalogs/{name}.js"));
    let rest = package.join(REST).is_file().then_some(REST);
    let loaded = ["index.js", "plimsoll.js", "plimsoll_bg.wasm"].into_iter();
    let loaded = loaded.chain(rest).map(String::from);
    for name in loaded.chain(catalogs) {
        fs::copy(package.join(&name), out.join(&name))
            .with_context(|| format!("{name} cannot be copied into {}", out.display()))?;
    }
    Ok(())
}

/// A JavaScript module that gives a JSON text.
fn as_script(json: &str) -> Result<String> {
    let dense = serde_json::from_str::<Value>(json)?.to_string();
    Ok(format!("export default {};\n", Value::String(dense)))
}

/// A script without the lines that are nothing but a comment: its types have them too.
fn without_comments(script: &str) -> String {
    let mut code = String::new();
    let mut is_inside = false;
    for line in script.lines() {
        let text = line.trim();
        is_inside |= text.starts_with("/**");
        if !is_inside && !text.starts_with("//") {
            code.extend([line, "\n"]);
        }
        is_inside &= !text.ends_with("*/");
    }
    code
}

/// The package's description with this crate's version. As text, for the order of its conditions matters.
fn versioned(about: &str) -> String {
    about.replace(
        "\"version\": \"0.0.0\"",
        concat!("\"version\": \"", env!("CARGO_PKG_VERSION"), "\""),
    )
}

/// Prints what the parts of a package weigh.
///
/// # Errors
/// A file cannot be read, or what it begins with is over the limit.
pub fn report(package: &Path) -> Result<()> {
    println!("{:<24} {:>12} {:>12}", "part", "bytes", "brotli 11");
    let line = |name: &str, bytes: usize, small: usize| println!("{name:<24} {bytes:>12} {small:>12}");
    let mut together = [0, 0];
    for name in ["plimsoll_bg.wasm", "plimsoll.js", "index.js"] {
        let content = fs::read(package.join(name)).with_context(|| format!("{name} cannot be read"))?;
        let small = compressed_len(&content)?;
        line(name, content.len(), small);
        together[0] += content.len();
        together[1] += small;
    }
    line("begins with", together[0], together[1]);
    println!("{:<24} {:>12} {LIMIT:>12}", "limit", "");
    let rest = package.join(REST).is_file().then(|| REST.to_owned());
    let catalogs = CATALOGS.map(|name| format!("catalogs/{name}.js"));
    for name in rest.into_iter().chain(catalogs) {
        let content = fs::read(package.join(&name)).with_context(|| format!("{name} cannot be read"))?;
        line(&name, content.len(), compressed_len(&content)?);
    }
    if together[1] > LIMIT {
        bail!(
            "the module begins with {} bytes compressed, over its limit of {LIMIT}",
            together[1]
        );
    }
    Ok(())
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

fn put(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalog_becomes_a_script_that_gives_its_text() {
        let script = as_script("[ {\"name\": \"a \\\"quoted\\\" one\"} ]").unwrap();
        assert_eq!(
            script,
            "export default \"[{\\\"name\\\":\\\"a \\\\\\\"quoted\\\\\\\" one\\\"}]\";\n"
        );
    }

    #[test]
    fn scripts_come_without_their_comments() {
        let script =
            "// Adds.\n/**\n * @param {number} a\n */\nexport const add = (a) =>\n  a // one\n  * 2;\n";
        assert_eq!(
            without_comments(script),
            "export const add = (a) =>\n  a // one\n  * 2;\n"
        );
    }

    #[test]
    fn the_package_has_the_version_of_the_crate() {
        let about = versioned(include_str!("../../module/js/package.json"));
        let about: Value = serde_json::from_str(&about).unwrap();
        assert_eq!(about["version"], env!("CARGO_PKG_VERSION"));
    }
}
