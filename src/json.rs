//! A small reader of JSON, for files that are known to be sound: what reads JSON from anybody, with a reason for each thing
//! that can be wrong, would weigh more in the page than the files.

use crate::scenario::number;
use serde_json::{Map, Value};

/// Deeper than any file is nested.
const DEPTH: u32 = 32;

/// The value that a text holds, or nothing when it is no JSON.
pub(crate) fn read(text: &str) -> Option<Value> {
    let mut reader = Reader { rest: text, depth: 0 };
    let value = reader.value()?;
    reader.rest.trim_ascii_start().is_empty().then_some(value)
}

struct Reader<'t> {
    rest: &'t str,
    depth: u32,
}

impl Reader<'_> {
    /// Goes past this token if it comes next.
    fn takes(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_ascii_start().strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn value(&mut self) -> Option<Value> {
        self.depth += 1;
        let value = match self.rest.trim_ascii_start().bytes().next()? {
            _ if self.depth > DEPTH => return None,
            b'{' => self.object()?,
            b'[' => self.array()?,
            b'"' => Value::String(self.text()?),
            b't' if self.takes("true") => Value::Bool(true),
            b'f' if self.takes("false") => Value::Bool(false),
            b'n' if self.takes("null") => Value::Null,
            _ => self.number()?,
        };
        self.depth -= 1;
        Some(value)
    }

    fn object(&mut self) -> Option<Value> {
        let mut fields = Map::new();
        self.takes("{");
        while !self.takes("}") {
            if !fields.is_empty() && !self.takes(",") {
                return None;
            }
            let name = self.text()?;
            if !self.takes(":") {
                return None;
            }
            fields.insert(name, self.value()?);
        }
        Some(Value::Object(fields))
    }

    fn array(&mut self) -> Option<Value> {
        let mut items = Vec::new();
        self.takes("[");
        while !self.takes("]") {
            if !items.is_empty() && !self.takes(",") {
                return None;
            }
            items.push(self.value()?);
        }
        Some(Value::Array(items))
    }

    fn text(&mut self) -> Option<String> {
        if !self.takes("\"") {
            return None;
        }
        let mut text = String::new();
        loop {
            let end = self.rest.bytes().position(|byte| matches!(byte, b'"' | b'\\'))?;
            text.push_str(self.rest.get(..end)?);
            self.rest = self.rest.get(end..)?;
            if self.takes("\"") {
                return Some(text);
            }
            let escaped = self.rest.as_bytes().get(1)?;
            self.rest = self.rest.get(2..)?;
            text.push(match escaped {
                b'"' | b'\\' | b'/' => char::from(*escaped),
                b'n' => '\n',
                b't' => '\t',
                b'r' => '\r',
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'u' => {
                    let code = u32::from_str_radix(self.rest.get(..4)?, 16).ok()?;
                    self.rest = self.rest.get(4..)?;
                    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
                }
                _ => return None,
            });
        }
    }

    fn number(&mut self) -> Option<Value> {
        self.rest = self.rest.trim_ascii_start();
        let is_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
        let end = self.rest.bytes().position(|byte| !is_part(byte));
        let (text, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        let whole = text.parse::<u64>().map(Value::from);
        let whole = whole.or_else(|_| text.parse::<i64>().map(Value::from));
        whole.ok().or_else(|| Some(number(text)?.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn as_serde_reads(text: &str) {
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(read(text), Some(expected));
    }

    #[test]
    fn the_data_files_are_read_as_any_reader_would() {
        as_serde_reads(include_str!("catalog/data/models.json"));
        as_serde_reads(include_str!("catalog/data/gpus.json"));
        as_serde_reads(include_str!("catalog/data/variants.json"));
        as_serde_reads(include_str!("catalog/data/prices.json"));
        as_serde_reads(include_str!("estimate/calibration.json"));
    }

    #[test]
    fn every_kind_of_value_is_read() {
        as_serde_reads(
            r#" {"a": [1, -2, 2.5, 1e3, "x \"y\" \\ \u00e9 \n", true, false, null, {}, []], "b": {"c": 0.1}} "#,
        );
    }

    #[test]
    fn what_is_no_json_is_nothing() {
        for text in [
            "",
            "{",
            "[1, 2",
            "[1 2]",
            "[1,]",
            "{\"a\" 1}",
            "{a: 1}",
            "\"x",
            "\"\\",
            "tru",
            "1 2",
            "é",
            "\"\\u12",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read(&"[".repeat(100_000)), None);
    }
}
