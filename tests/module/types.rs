//! The types, as a strict compiler of TypeScript reads them.

use crate::node::{fetched, file, package, printed};
use std::fs;
use std::process::Command;

#[test]
#[ignore = "needs Node and the built module: cargo xtask test"]
fn the_types_compile_and_tell_right_from_wrong() {
    let Some(typescript) = fetched("PLIMSOLL_TYPESCRIPT") else {
        return eprintln!("LEFT OUT: there is no TypeScript");
    };
    // As an importer sees it: through the package's name and what it exports.
    let folder = package().join("../../types");
    let modules = folder.join("node_modules/plimsoll");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&modules).unwrap();
    for entry in fs::read_dir(package()).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_file() {
            fs::copy(entry.path(), modules.join(entry.file_name())).unwrap();
        }
    }
    for resolution in ["bundler", "nodenext"] {
        let module = if resolution == "bundler" {
            "esnext"
        } else {
            "nodenext"
        };
        fs::write(folder.join("package.json"), r#"{ "type": "module" }"#).unwrap();
        fs::copy(file("tests/module/types.ts"), folder.join("types.ts")).unwrap();
        let options = [
            "--strict",
            "--noEmit",
            "--target",
            "es2022",
            "--lib",
            "es2022,dom",
        ];
        let mut tsc = Command::new("node");
        tsc.arg(typescript.join("lib/tsc.js"))
            .args(options)
            .current_dir(&folder);
        tsc.args(["--module", module, "--moduleResolution", resolution, "types.ts"]);
        printed(&mut tsc, String::new());
    }
}
