//! The page's styles as one file: they are asked for once, and weigh less together.

use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Puts the styles that a document links to into the first of them, and returns the document with that link alone.
///
/// # Errors
/// A file cannot be read, written or removed.
pub fn join(site: &Path, html: &str) -> Result<String> {
    let links: Vec<(&str, &str)> = html
        .split_inclusive('\n')
        .filter_map(|line| Some((line, linked(line)?)))
        .collect();
    let mut all = String::new();
    for (_, name) in &links {
        let file = site.join(name);
        all += &fs::read_to_string(&file).with_context(|| format!("{name} cannot be read"))?;
        fs::remove_file(&file).with_context(|| format!("{name} cannot be removed"))?;
    }
    let mut html = html.to_owned();
    if let [(_, first), others @ ..] = links.as_slice() {
        fs::write(site.join(first), dense(&all)).with_context(|| format!("{first} cannot be written"))?;
        for (line, _) in others {
            html = html.replace(line, "");
        }
    }
    Ok(html)
}

/// The file that a line of the document links to as a style.
fn linked(line: &str) -> Option<&str> {
    let line = line.trim().strip_prefix("<link rel=\"stylesheet\" href=\"./")?;
    line.strip_suffix("\">")
}

/// Styles without comments and without the spaces that only a reader needs. No text in them has such spaces.
fn dense(styles: &str) -> String {
    let mut rest = styles;
    let mut bare = String::new();
    while let Some((before, comment)) = rest.split_once("/*") {
        bare += before;
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    bare += rest;
    let mut dense = bare.split_whitespace().collect::<Vec<_>>().join(" ");
    for sign in ["{", "}", ";", ","] {
        dense = dense
            .replace(&format!(" {sign}"), sign)
            .replace(&format!("{sign} "), sign);
    }
    dense.replace(": ", ":").replace(";}", "}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_spaces_go_and_rules_stay() {
        let styles = "/* Ink. */\n.a > b, .c:hover {\n  color: red; /* or not */\n  width: calc(1px + 2%);\n}\n\n@media print {\n  p::before { content: \"+\"; }\n}\n";
        assert_eq!(
            dense(styles),
            ".a > b,.c:hover{color:red;width:calc(1px + 2%)}@media print{p::before{content:\"+\"}}"
        );
    }

    #[test]
    fn a_document_links_to_one_file_of_all() {
        let site = std::env::temp_dir().join(format!("plimsoll-styles-{}", std::process::id()));
        fs::create_dir_all(&site).unwrap();
        fs::write(site.join("one.css"), "a { b: c; }\n").unwrap();
        fs::write(site.join("two.css"), "d { e: f; }\n").unwrap();
        let html = "<link rel=\"icon\" href=\"./x.svg\">\n<link rel=\"stylesheet\" href=\"./one.css\">\n  <link rel=\"stylesheet\" href=\"./two.css\">\n</head>\n";
        let joined = join(&site, html).unwrap();
        let style = fs::read_to_string(site.join("one.css"));
        let other = site.join("two.css").exists();
        fs::remove_dir_all(&site).unwrap();
        assert_eq!(
            joined,
            "<link rel=\"icon\" href=\"./x.svg\">\n<link rel=\"stylesheet\" href=\"./one.css\">\n</head>\n"
        );
        assert_eq!(style.unwrap(), "a{b:c}d{e:f}");
        assert!(!other);
    }
}
