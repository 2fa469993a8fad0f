//! The examples of the module, each as its own description says.

use crate::node::{fetched, file, package, printed};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A copy of an example with the package where npm would put it.
fn installed(example: &str) -> std::path::PathBuf {
    let folder = package().join("../../examples").join(example);
    // What npm installed for the example stays.
    copy(&file("examples/module").join(example), &folder);
    copy(&package(), &folder.join("node_modules/plimsoll"));
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[test]
#[ignore = "needs Node and the built module: cargo xtask test"]
fn the_example_for_node_prints_the_answer() {
    let folder = installed("node");
    let printed = printed(
        Command::new("node").arg("fits.js").current_dir(folder),
        String::new(),
    );
    assert_eq!(
        printed,
        "Qwen/Qwen3-8B on rtx-4090: fits, 21.0 GiB reserved\n\
         longest sequence that fits: 2446 tokens\n\
         sqe: is not a field of a scenario; did you mean 'seq'?\n"
    );
}

#[test]
#[ignore = "needs Node, npm and the built module: cargo xtask test"]
fn the_example_for_vite_is_bundled() {
    let Some(vite) = fetched("PLIMSOLL_VITE") else {
        return eprintln!("LEFT OUT: there is no Vite");
    };
    let folder = installed("vite");
    let mut build = Command::new("node");
    build
        .arg(vite.join("bin/vite.js"))
        .args(["build", "--logLevel", "warn"])
        .current_dir(&folder);
    printed(&mut build, String::new());
    let assets = fs::read_dir(folder.join("dist/assets")).unwrap();
    let names: Vec<_> = assets
        .map(|asset| asset.unwrap().file_name().into_string().unwrap())
        .collect();
    let has = |start: &str, end: &str| {
        names
            .iter()
            .any(|name| name.starts_with(start) && name.ends_with(end))
    };
    assert!(
        has("plimsoll_bg-", ".wasm")
            && has("plimsoll_rest-", ".wasm")
            && has("models-", ".js")
            && has("index-", ".js"),
        "{names:?}"
    );
}
