//! `model.safetensors.index.json`: which file holds which tensor.

use super::{problem, short, strict_json};
use crate::scenario::FieldError;
use serde::de::{DeserializeSeed, Error as _, MapAccess, Visitor};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;

/// The longest index in bytes.
const LONGEST: usize = 64 << 20;
/// The most files: three times as many as the largest published model has.
const MOST_FILES: usize = 1024;

/// An index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// The bytes of all tensors together, as it says.
    pub total_size: Option<u64>,
    /// The files, each once, in the order of their names.
    pub files: Vec<String>,
    /// How many tensors it names.
    pub tensors: usize,
}

impl Index {
    /// Reads an index.
    ///
    /// # Errors
    /// It is no index, or names files outside of its own folder.
    pub fn read(bytes: &[u8], file: &str) -> Result<Self, FieldError> {
        if bytes.len() > LONGEST {
            let text = format!("is {} bytes long; an index has at most {LONGEST}", bytes.len());
            return Err(problem(file, "", text));
        }
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let read = Top
            .deserialize(&mut reader)
            .and_then(|index| reader.end().map(|()| index));
        let index = read.map_err(|error| problem(file, "", strict_json::in_words(&error, bytes)))?;
        match index.files.is_empty() {
            true => Err(problem(file, "weight_map", "names no file")),
            false => Ok(index),
        }
    }
}

/// Is this a file's name, and nothing but?
fn is_file_name(name: &str) -> bool {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !name.starts_with('.')
        && name.ends_with(".safetensors")
        && name.len() <= 200
        && name.chars().all(harmless)
}

struct Top;

impl<'de> DeserializeSeed<'de> for Top {
    type Value = Index;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Index, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Top {
    type Value = Index;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a weight_map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Index, A::Error> {
        let mut index = Index::default();
        let mut seen = BTreeSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom(format!("{}: is given twice", short(&key))));
            }
            match key.as_str() {
                "weight_map" => {
                    let (files, tensors) = entries.next_value_seed(Weights)?;
                    (index.files, index.tensors) = (files.into_iter().collect(), tensors);
                }
                "metadata" => index.total_size = total_size(&entries.next_value::<Value>()?),
                _ => drop(entries.next_value::<serde::de::IgnoredAny>()?),
            }
        }
        Ok(index)
    }
}

/// Some tools write it as a floating-point number.
fn total_size(metadata: &Value) -> Option<u64> {
    let size = metadata.get("total_size")?;
    let whole = |size: f64| (0.0..9e15).contains(&size).then_some(size as u64);
    size.as_u64().or_else(|| size.as_f64().and_then(whole))
}

/// The weight map: its files and the number of its tensors.
struct Weights;

impl<'de> DeserializeSeed<'de> for Weights {
    type Value = (BTreeSet<String>, usize);

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Weights {
    type Value = (BTreeSet<String>, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("weight_map: an object from tensors to files")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let (mut files, mut tensors) = (BTreeSet::new(), BTreeSet::new());
        while let Some(tensor) = entries.next_key::<String>()? {
            let about = |text: &str| A::Error::custom(format!("weight_map: {}: {text}", short(&tensor)));
            let file = entries
                .next_value::<String>()
                .map_err(|error| about(&error.to_string()))?;
            if !is_file_name(&file) {
                return Err(about(&format!(
                    "'{}' is no safetensors file of this folder",
                    short(&file)
                )));
            }
            files.insert(file);
            if files.len() > MOST_FILES {
                return Err(about(&format!("there are more than {MOST_FILES} files")));
            }
            if tensors.contains(&tensor) {
                return Err(about("is given twice"));
            }
            if tensors.len() == super::MOST_TENSORS {
                return Err(about("there are too many tensors"));
            }
            tensors.insert(tensor);
        }
        Ok((files, tensors.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn complaint(text: &str) -> String {
        Index::read(text.as_bytes(), "index").unwrap_err().to_string()
    }

    #[test]
    fn files_are_listed_once() {
        let text = r#"{"metadata": {"total_size": 12.0}, "weight_map":
            {"a": "m-00002.safetensors", "b": "m-00001.safetensors", "c": "m-00001.safetensors"}}"#;
        let index = Index::read(text.as_bytes(), "f").unwrap();
        assert_eq!(index.files, ["m-00001.safetensors", "m-00002.safetensors"]);
        assert_eq!((index.total_size, index.tensors), (Some(12), 3));
    }

    #[test]
    fn files_elsewhere_are_refused() {
        for file in [
            "../x.safetensors",
            "/etc/passwd",
            "a/b.safetensors",
            "http:x.safetensors",
            ".safetensors",
            "x.bin",
        ] {
            let text = format!(r#"{{"weight_map": {{"w": "{file}"}}}}"#);
            assert!(
                complaint(&text).contains("is no safetensors file of this folder"),
                "{file}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(complaint("{}"), "index: weight_map: names no file");
        assert!(
            complaint(r#"{"weight_map": {"w": 3}}"#).contains("weight_map: w: invalid type: integer `3`")
        );
        assert!(
            complaint(r#"{"weight_map": {"w": "a.safetensors", "w": "a.safetensors"}}"#)
                .contains("weight_map: w: is given twice")
        );
        assert!(complaint(r#"{"metadata": 1, "metadata": 2}"#).contains("metadata: is given twice"));
        assert!(complaint(r#"{"metadata": {"total_size": NaN}}"#).contains("NaN is no number"));
    }
}
