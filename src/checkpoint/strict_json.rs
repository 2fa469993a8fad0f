//! JSON as it is meant: no key twice, no NaN, no bottomless nesting. Errors name the path of the field.

use super::problem;
use crate::scenario::FieldError;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::RefCell;
use std::fmt;

/// The largest configuration that is read, in bytes: the longest published are a tenth of it.
pub(super) const LONGEST: usize = 1 << 20;

/// Reads a small JSON file.
///
/// # Errors
/// It is too long, no JSON, nests deeper than 128 levels (serde_json's own bound), or names a key twice.
pub(super) fn read(bytes: &[u8], file: &str) -> Result<Value, FieldError> {
    if bytes.len() > LONGEST {
        return Err(problem(
            file,
            "",
            format!(
                "is {} bytes long; a configuration has less than {LONGEST}",
                bytes.len()
            ),
        ));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let path = RefCell::new(Vec::new());
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = Node { path: &path }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    read.map_err(|error| problem(file, &path.borrow().join("."), in_words(&error, bytes)))
}

/// An object of a small JSON file, as [`read`].
pub(super) fn read_object(bytes: &[u8], file: &str) -> Result<Map<String, Value>, FieldError> {
    match read(bytes, file)? {
        Value::Object(keys) => Ok(keys),
        _ => Err(problem(file, "", "is no JSON object")),
    }
}

/// What serde_json says, and more where what stands there is Python's and not JSON.
pub(super) fn in_words(error: &serde_json::Error, bytes: &[u8]) -> String {
    match word_at(error, bytes) {
        Some(word @ ("NaN" | "Infinity" | "-Infinity")) => {
            format!("{word} is no number of JSON (line {})", error.line())
        }
        _ => error.to_string(),
    }
}

/// The word at the place of an error.
fn word_at<'a>(error: &serde_json::Error, bytes: &'a [u8]) -> Option<&'a str> {
    let line = bytes
        .split(|byte| *byte == b'\n')
        .nth(error.line().checked_sub(1)?)?;
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    let at = error.column().saturating_sub(1).min(line.len());
    let begin = line[..at]
        .iter()
        .rposition(|byte| !is_word(byte))
        .map_or(0, |i| i + 1);
    let word = line[begin..].iter().take_while(|byte| is_word(byte)).count();
    std::str::from_utf8(&line[begin..begin + word]).ok()
}

/// Reads one value below a path. Where reading fails, the path stays as it is.
struct Node<'p> {
    path: &'p RefCell<Vec<String>>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Node { path: self.path })? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            self.path.borrow_mut().push(key.clone());
            if map.contains_key(&key) {
                return Err(A::Error::custom("is given twice"));
            }
            let value = entries.next_value_seed(Node { path: self.path })?;
            self.path.borrow_mut().pop();
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[track_caller]
    fn complaint(text: &str) -> String {
        read(text.as_bytes(), "config.json").unwrap_err().to_string()
    }

    #[test]
    fn ordinary_json_is_read_as_serde_json_reads_it() {
        let text = r#"{"a": [1, -2, 0.5, "x", null, true], "b": {"c": 1e3}}"#;
        assert_eq!(
            read(text.as_bytes(), "f").unwrap(),
            serde_json::from_str::<serde_json::Value>(text).unwrap()
        );
    }

    #[test]
    fn a_key_given_twice_is_named() {
        assert_eq!(
            complaint(r#"{"text_config": {"hidden_size": 1, "hidden_size": 2}}"#),
            "config.json: text_config.hidden_size: is given twice at line 1 column 48"
        );
    }

    #[test]
    fn pythons_numbers_that_json_lacks_are_named() {
        assert_eq!(
            complaint("{\"rope\":\n {\"factor\": NaN}}"),
            "config.json: rope.factor: NaN is no number of JSON (line 2)"
        );
        assert_eq!(
            complaint(r#"{"x": -Infinity}"#),
            "config.json: x: -Infinity is no number of JSON (line 1)"
        );
    }

    #[test]
    fn bottomless_nesting_is_refused() {
        for text in ["[".repeat(10_000), "{\"a\":".repeat(10_000)] {
            assert!(
                complaint(&text).contains("recursion limit exceeded"),
                "{}",
                complaint(&text)
            );
        }
    }

    #[test]
    fn what_is_no_json_says_where() {
        assert_eq!(
            complaint(""),
            "config.json: EOF while parsing a value at line 1 column 0"
        );
        assert_eq!(
            complaint("{} x"),
            "config.json: trailing characters at line 1 column 4"
        );
        assert!(complaint(&" ".repeat(super::LONGEST + 1)).contains("a configuration has less than"));
    }
}
