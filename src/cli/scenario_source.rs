//! Reads a whole scenario: from a JSON file, a link, or standard input.

use std::io::Read;
use std::path::Path;

use super::Problems;
use crate::scenario::Scenario;

/// A scenario, and what of its source was passed over.
#[derive(Default)]
pub(super) struct Source {
    pub scenario: Scenario,
    pub warnings: Vec<String>,
}

/// Reads what `--scenario` names: `-` is standard input, what looks like a link is one, all else is a file. A file holds
/// JSON or a link.
///
/// # Errors
/// A file that cannot be read, JSON that is none, and every value that a field cannot have.
pub(super) fn read(name: &str) -> Result<Source, Problems> {
    let text = match name {
        "-" => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        }
        link if is_link(link) => return from_link(link),
        file => std::fs::read_to_string(file),
    };
    let text = text.map_err(|error| Problems::one("scenario", format!("{name}: {error}")))?;
    parse(&text)
}

/// Reads a scenario that is written as JSON or as a link.
///
/// # Errors
/// As [`read`], files apart.
pub(super) fn parse(text: &str) -> Result<Source, Problems> {
    let text = text.trim_start_matches('\u{feff}').trim();
    match text.starts_with('{') {
        true => from_json(text),
        false => from_link(text),
    }
}

fn is_link(name: &str) -> bool {
    name.contains("://") || name.starts_with('#') || (name.contains('=') && !Path::new(name).exists())
}

fn from_link(link: &str) -> Result<Source, Problems> {
    if !link.contains('=') {
        return Err(Problems::one(
            "scenario",
            "neither a JSON object nor a link that holds a scenario",
        ));
    }
    let parsed = Scenario::from_fragment(link);
    match parsed.problems.is_empty() {
        true => Ok(Source {
            scenario: parsed.scenario,
            warnings: parsed.notices,
        }),
        false => Err(parsed.problems.into()),
    }
}

fn from_json(text: &str) -> Result<Source, Problems> {
    let scenario = serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        let names_its_field = message
            .split_once(": ")
            .is_some_and(|(field, _)| !field.contains(' '));
        Problems(vec![match names_its_field {
            true => message,
            false => format!("scenario: {message}"),
        }])
    })?;
    Ok(Source {
        scenario,
        warnings: Vec::new(),
    })
}
