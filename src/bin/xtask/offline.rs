//! The service worker: which files it keeps, by what is in them.

use crate::hashed::plain;
use crate::module::EMBED;
use crate::size::ON_DEMAND;
use anyhow::{Context, Result};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// Writes `sw.js` for the files of a site.
///
/// # Errors
/// A file cannot be read or written.
pub fn write_service_worker(site: &Path) -> Result<()> {
    let target = site.join("sw.js");
    let mut hash = DefaultHasher::new();
    let (mut names, mut later) = (vec!["./".to_owned()], Vec::new());
    for file in files_of_page(site)?.into_iter().filter(|file| *file != target) {
        let content = fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let name = address(site, &file);
        // Whoever never asks for it need not load it.
        if ON_DEMAND.contains(&plain(&name).as_str()) {
            later.push(format!("./{name}"));
            continue;
        }
        (&name, content).hash(&mut hash);
        names.push(format!("./{name}"));
    }
    let script = format!(
        "const HASH = \"{:016x}\";\nconst FILES = {names:?};\nconst LATER = {later:?};\n{}",
        hash.finish(),
        include_str!("service_worker.js")
    );
    fs::write(&target, script).with_context(|| format!("{} cannot be written", target.display()))
}

/// The files that the page itself loads: all but the widget's, which other people's pages load.
///
/// # Errors
/// A folder cannot be read.
pub fn files_of_page(site: &Path) -> Result<Vec<PathBuf>> {
    let mut files = files_below(site)?;
    // `_headers` is read by the host, not served by it.
    files.retain(|file| !file.starts_with(site.join(EMBED)) && !file.ends_with("_headers"));
    Ok(files)
}

/// The files of a site as their addresses in it, in order.
///
/// # Errors
/// A folder cannot be read.
pub fn addresses(site: &Path) -> Result<Vec<String>> {
    Ok(files_below(site)?
        .iter()
        .map(|file| address(site, file))
        .collect())
}

fn address(site: &Path, file: &Path) -> String {
    let inside = file.strip_prefix(site).unwrap_or(file);
    inside.display().to_string().replace('\\', "/")
}

/// Every file of a folder and the folders in it, in order.
///
/// # Errors
/// A folder cannot be read.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::env;

    #[test]
    fn another_content_makes_another_worker_and_the_same_the_same() {
        let site = env::temp_dir().join(format!("plimsoll-offline-{}", std::process::id()));
        fs::create_dir_all(&site).unwrap();
        let written = |content: &str| {
            fs::write(site.join("index.html"), content).unwrap();
            write_service_worker(&site).unwrap();
            fs::read_to_string(site.join("sw.js")).unwrap()
        };
        let (first, other, again) = (written("a"), written("b"), written("a"));
        fs::remove_dir_all(&site).unwrap();
        assert_eq!(first, again);
        assert_ne!(first, other);
        assert!(
            first.contains("const FILES = [\"./\", \"./index.html\"];"),
            "{first}"
        );
    }
}
