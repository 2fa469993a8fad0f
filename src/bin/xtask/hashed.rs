//! File names that change with their content, so that browsers may keep what they name for good: `app.js` becomes
//! `app-01234567.js`. What others link to keeps its name, the documents and the small scripts that start everything, and
//! names the rest.

use crate::offline::addresses;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

/// What `Cache-Control` says of such files.
pub const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// The digits of a hash in a name, in hexadecimal.
const DIGITS: usize = 8;

/// The page's styles.
const STYLES: [&str; 4] = ["style.css", "form.css", "answer.css", "tables.css"];

/// The script of the page's second thread.
const WORKER: &str = "worker.js";

/// Renames the files of a site, in all that names them too, and tells the hosts that read `_headers`.
///
/// # Errors
/// A file cannot be read or written, or names another where that cannot be changed.
pub fn rename(site: &Path) -> Result<()> {
    let files = addresses(site)?;
    let mut wanted: Vec<_> = files
        .iter()
        .filter_map(|file| Some((order(file, &files)?, file)))
        .collect();
    wanted.sort();
    let made = wanted
        .into_iter()
        .map(|(_, file)| give_hash(site, file))
        .collect::<Result<Vec<_>>>()?;
    tell_hosts(site, &made)
}

/// Removes from a folder what an earlier build of the site has left there under other hashes.
///
/// # Errors
/// A file cannot be removed.
pub fn forget_earlier(site: &Path, folder: &Path) -> Result<()> {
    for file in addresses(site)?.iter().filter(|file| has_hash(file)) {
        let place = folder.join(file);
        let Some(around) = place.parent().filter(|around| around.is_dir()) else {
            continue;
        };
        for entry in fs::read_dir(around)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if has_hash(&name) && plain(&name) == plain(base(file)) {
                fs::remove_file(around.join(&name)).with_context(|| format!("{name} cannot be removed"))?;
            }
        }
    }
    Ok(())
}

/// A name without its hash.
pub fn plain(name: &str) -> String {
    match parts(name) {
        Some((stem, extension)) => format!("{stem}.{extension}"),
        None => name.to_owned(),
    }
}

/// Does this name change with the content?
pub fn has_hash(name: &str) -> bool {
    parts(name).is_some()
}

/// What stands before a name's hash, and its extension.
fn parts(name: &str) -> Option<(&str, &str)> {
    let (stem, extension) = name.rsplit_once('.')?;
    let (stem, hash) = stem.rsplit_once('-')?;
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (hash.len() == DIGITS && hash.bytes().all(hex)).then_some((stem, extension))
}

/// When a file gets its hash, if it does: after those that it names.
fn order(file: &str, files: &[String]) -> Option<u8> {
    let glue_of = |stem: &str| files.contains(&format!("{stem}_bg.wasm"));
    if file.ends_with(".wasm") || file.starts_with("embed/catalogs/") || STYLES.contains(&file) {
        Some(0)
    } else if file.strip_suffix(".js").is_some_and(glue_of) {
        Some(1)
    } else {
        (file == WORKER).then_some(2)
    }
}

/// Renames one file, and returns its new name.
fn give_hash(site: &Path, file: &str) -> Result<String> {
    let content = fs::read(site.join(file)).with_context(|| format!("{file} cannot be read"))?;
    let mut hash = DefaultHasher::new();
    content.hash(&mut hash);
    let (stem, extension) = file.rsplit_once('.').context("a file without an extension")?;
    let hashed = format!(
        "{stem}-{:0digits$x}.{extension}",
        hash.finish() & 0xffff_ffff,
        digits = DIGITS
    );
    fs::rename(site.join(file), site.join(&hashed)).with_context(|| format!("{file} cannot be renamed"))?;
    let (old, new) = (base(file), base(&hashed));
    for other in addresses(site)? {
        ensure!(base(&other) != old, "{file} and {other} have one name");
        let content = fs::read(site.join(&other)).with_context(|| format!("{other} cannot be read"))?;
        let Ok(text) = String::from_utf8(content) else {
            continue;
        };
        let changed = renamed(&text, old, new);
        if changed != text {
            ensure!(
                !has_hash(&other),
                "{other} names {file}, which is renamed after it"
            );
            fs::write(site.join(&other), changed).with_context(|| format!("{other} cannot be written"))?;
        }
    }
    Ok(hashed)
}

/// The text with another name for a file wherever it stands in quotes, with or without a folder.
fn renamed(text: &str, old: &str, new: &str) -> String {
    let mut text = text.to_owned();
    for (before, after) in [("/", "\""), ("/", "'"), ("\"", "\""), ("'", "'")] {
        text = text.replace(&format!("{before}{old}{after}"), &format!("{before}{new}{after}"));
    }
    text
}

fn base(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

/// Lists the files for hosts that read `_headers`: one rule each, for the hosts differ in what a `*` inside a name means.
fn tell_hosts(site: &Path, files: &[String]) -> Result<()> {
    let headers = site.join("_headers");
    if !headers.is_file() {
        return Ok(());
    }
    let mut rules = fs::read_to_string(&headers).context("_headers cannot be read")?;
    for file in files {
        rules += &format!("/{file}\n  Cache-Control: {FOR_GOOD}\n");
    }
    fs::write(headers, rules).context("_headers cannot be written")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::env;

    /// A folder that is gone when the test is over.
    struct Site(std::path::PathBuf);

    impl Site {
        fn with(name: &str, files: &[(&str, &str)]) -> Self {
            let folder = env::temp_dir().join(format!("plimsoll-{name}-{}", std::process::id()));
            for (file, content) in files {
                let file = folder.join(file);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, content).unwrap();
            }
            Site(folder)
        }

        fn read(&self, file: &str) -> String {
            fs::read_to_string(self.0.join(file)).unwrap()
        }
    }

    impl Drop for Site {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn whatever_names_a_file_names_its_content() {
        let files = |wasm: &'static str| {
            [
                ("_headers", "/*\n  X: y\n"),
                ("app.js", "new URL('app_bg.wasm', import.meta.url)"),
                ("app_bg.wasm", wasm),
                ("boot.js", "import init from \"./app.js\"; // app.js"),
                (
                    "index.html",
                    "<link href=\"./app_bg.wasm\"><script src=\"./boot.js\" data-worker=\"./worker.js\">",
                ),
                ("worker.js", "import init from \"./app.js\";"),
            ]
        };
        let (one, other) = (
            Site::with("hashed", &files("1")),
            Site::with("hashed-other", &files("2")),
        );
        for site in [&one, &other] {
            rename(&site.0).unwrap();
        }
        let names = addresses(&one.0).unwrap();
        let others = addresses(&other.0).unwrap();
        let [headers, app, wasm, boot, index, worker] = names.as_slice() else {
            panic!("{names:?}");
        };
        assert_eq!(plain(app), "app.js");
        assert_eq!(plain(wasm), "app_bg.wasm");
        assert_eq!(plain(worker), "worker.js");
        assert_eq!([headers, boot, index], ["_headers", "boot.js", "index.html"]);
        // Another wasm makes another glue, and that another worker.
        for changed in [app, wasm, worker] {
            assert!(!others.contains(changed), "{changed}");
        }
        assert_eq!(one.read(app), format!("new URL('{wasm}', import.meta.url)"));
        assert_eq!(
            one.read("boot.js"),
            format!("import init from \"./{app}\"; // app.js")
        );
        assert_eq!(
            one.read("index.html"),
            format!("<link href=\"./{wasm}\"><script src=\"./boot.js\" data-worker=\"./{worker}\">")
        );
        let rules = one.read("_headers");
        assert!(rules.starts_with("/*\n  X: y\n"));
        for file in [app, wasm, worker] {
            assert!(
                rules.contains(&format!("\n/{file}\n  Cache-Control: {FOR_GOOD}\n")),
                "{rules}"
            );
        }
    }

    #[test]
    fn only_what_the_build_has_made_is_replaced() {
        let site = Site::with("hashed-new", &[("app-01234567.js", "")]);
        let folder = Site::with(
            "hashed-old",
            &[
                ("app-89abcdef.js", ""),
                ("app-letter.js", ""),
                ("theirs-89abcdef.js", ""),
            ],
        );
        forget_earlier(&site.0, &folder.0).unwrap();
        assert_eq!(
            addresses(&folder.0).unwrap(),
            ["app-letter.js", "theirs-89abcdef.js"]
        );
    }

    #[test]
    fn a_hash_is_eight_digits_before_the_extension() {
        assert_eq!(plain("embed/plimsoll_bg-0123abcd.wasm"), "embed/plimsoll_bg.wasm");
        for name in [
            "app.js",
            "app-0123.js",
            "app-0123ABCD.js",
            "0123abcd",
            "app-0123abcd",
        ] {
            assert!(!has_hash(name), "{name}");
            assert_eq!(plain(name), name);
        }
    }
}
