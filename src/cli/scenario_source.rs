//! Reads a whole scenario: from a JSON file, a link, or standard input.

use std::io::Read;
use std::path::Path;

use super::Problems;
use super::import::remarks;
use crate::export::import;
use crate::scenario::Scenario;

/// A scenario, and what of its source was passed over.
#[derive(Default)]
pub(super) struct Source {
    pub scenario: Scenario,
    pub warnings: Vec<String>,
}

/// Reads what `--scenario` names: `-` is standard input, what looks like a link is one, all else is a file. A file holds
/// JSON, a link, or a trainer's configuration.
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
    match is_configuration(name, text.trim_start_matches('\u{feff}').trim()) {
        true => from_configuration(name, &text),
        false => parse(&text),
    }
}

/// Is it a trainer's, by its file's name or by what it holds? Scenarios are one object or one line.
fn is_configuration(name: &str, text: &str) -> bool {
    let ends = [".yaml", ".yml", ".py"].iter().any(|end| name.ends_with(end));
    let saved = ["\"peft_type\"", "\"per_device_train_batch_size\""];
    ends || match text.starts_with('{') {
        true => saved.iter().any(|key| text.contains(key)),
        false => text.contains('\n'),
    }
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

/// A trainer's configuration; what is not understood becomes a warning each.
fn from_configuration(name: &str, text: &str) -> Result<Source, Problems> {
    let imported = import(text).map_err(|reason| Problems::one("scenario", format!("{name}: {reason}")))?;
    Ok(Source {
        warnings: remarks(&imported),
        scenario: imported.scenario,
    })
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
