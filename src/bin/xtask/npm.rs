//! What tests take from the npm registry, by npm, and keep in `target/npm`.

use crate::cargo::run;
use crate::say;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A package that tests use.
#[derive(Clone, Copy, Debug)]
pub struct Package {
    name: &'static str,
    version: &'static str,
    /// What is left out without it.
    test: &'static str,
    /// Does it need other packages?
    alone: bool,
}

/// axe-core, which checks accessibility.
pub const AXE: Package = Package {
    name: "axe-core",
    version: "4.10.3",
    test: "the accessibility check",
    alone: true,
};

/// TypeScript's compiler.
pub const TYPESCRIPT: Package = Package {
    name: "typescript",
    version: "5.9.3",
    test: "the test of the module's types",
    alone: true,
};

/// A bundler.
pub const VITE: Package = Package {
    name: "vite",
    version: "8.3.8",
    test: "the test of the example for Vite",
    alone: false,
};

/// The package's folder, fetched once. Nothing where there is no npm, or no network: its test is then left out.
pub fn ensure(root: &Path, package: Package) -> Option<PathBuf> {
    let Package {
        name, version, test, ..
    } = package;
    let place = root.join("target/npm").join(format!("{name}-{version}"));
    let folder = match package.alone {
        true => place.join("package"),
        false => place.join("node_modules").join(name),
    };
    if folder.join("package.json").is_file() {
        return Some(folder);
    }
    say!("fetching {name} {version} for {test}");
    match fetch(&place, package) {
        Ok(()) => Some(folder),
        Err(problem) => {
            say!("{test} is LEFT OUT, it needs npm to fetch {name} {version}: {problem:#}");
            None
        }
    }
}

fn fetch(place: &Path, package: Package) -> Result<()> {
    fs::create_dir_all(place).with_context(|| format!("{} cannot be made", place.display()))?;
    let Package { name, version, .. } = package;
    let wanted = format!("{name}@{version}");
    let mut npm = Command::new("npm");
    npm.current_dir(place).stdout(Stdio::null());
    if !package.alone {
        npm.args([
            "install",
            "--silent",
            "--no-save",
            "--no-audit",
            "--no-fund",
            "--prefix",
            ".",
        ]);
        return run(npm.arg(wanted));
    }
    run(npm.args(["pack", "--silent", &wanted]))?;
    let archive = format!("{name}-{version}.tgz");
    run(Command::new("tar").args(["-xzf", &archive]).current_dir(place))?;
    fs::remove_file(place.join(&archive)).with_context(|| format!("{archive} cannot be removed"))
}

/// Is there a Node that the module supports?
pub fn has_node() -> bool {
    let version = Command::new("node").arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    version.is_ok_and(|version| major(&version).is_some_and(|major| major >= 20))
}

/// `v20.20.2` is 20.
fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_node_is_read() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("not found"), None);
    }
}
