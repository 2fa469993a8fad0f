//! YAML: a configuration's settings with their lines, and written settings with their comments.

use super::setting::{Line, Setting};
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};
use serde_json::{Map, Value};

/// Reads the settings of a YAML mapping. Keys of nested mappings are joined by dots; lists of scalars stay lists.
///
/// # Errors
/// What is wrong, with its line: no YAML, or no mapping at the top.
pub(super) fn read(text: &str) -> Result<Vec<Setting>, String> {
    let mut events = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error: ScanError| {
            format!("line {}: not YAML: {}", error.marker().line(), error.info())
        })?;
        match event {
            Event::Alias(_) => return Err(at(span, "aliases are not read")),
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
            Event::StreamEnd | Event::DocumentEnd => {}
            event => events.push((event, span)),
        }
    }
    let mut reader = Reader {
        events: events.into_iter().peekable(),
        depth: 0,
    };
    match reader.events.next() {
        Some((Event::MappingStart(..), _)) => {}
        Some((_, span)) => return Err(at(span, "expected keys with values")),
        None => return Err("is empty".into()),
    }
    let mut settings = Vec::new();
    reader.mapping("", &mut settings)?;
    Ok(settings)
}

fn at(span: Span, problem: &str) -> String {
    format!("line {}: {problem}", span.start.line())
}

/// Deeper than any configuration; so that hostile input does not exhaust the stack.
const DEEPEST: usize = 32;

struct Reader<I: Iterator> {
    events: std::iter::Peekable<I>,
    depth: usize,
}

impl<'a, I: Iterator<Item = (Event<'a>, Span)>> Reader<I> {
    /// A mapping whose start is read, up to its end.
    fn mapping(&mut self, path: &str, settings: &mut Vec<Setting>) -> Result<(), String> {
        self.deeper()?;
        while let Some((event, span)) = self.events.next() {
            let key = match event {
                Event::MappingEnd => break,
                Event::Scalar(key, ..) => match path {
                    "" => key.into_owned(),
                    path => format!("{path}.{key}"),
                },
                _ => return Err(at(span, "expected a key")),
            };
            let line = span.start.line();
            if settings.iter().any(|setting| setting.key == key) {
                return Err(format!("line {line}: '{key}' is given twice"));
            }
            match self.events.next() {
                Some((Event::MappingStart(..), _)) => self.mapping(&key, settings)?,
                Some((event, span)) => {
                    let value = self.value(event, span)?;
                    settings.push(Setting { key, value, line });
                }
                None => return Err(format!("line {line}: '{key}' has no value")),
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn value(&mut self, event: Event<'a>, span: Span) -> Result<Value, String> {
        self.deeper()?;
        let value = match event {
            Event::Scalar(text, style, ..) => scalar(&text, style),
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                while let Some((event, span)) = self.events.next() {
                    match event {
                        Event::SequenceEnd => break,
                        event => items.push(self.value(event, span)?),
                    }
                }
                Value::Array(items)
            }
            Event::MappingStart(..) => {
                let mut settings = Vec::new();
                self.mapping("", &mut settings)?;
                let pairs = settings.into_iter().map(|setting| (setting.key, setting.value));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
            _ => return Err(at(span, "expected a value")),
        };
        self.depth -= 1;
        Ok(value)
    }

    fn deeper(&mut self) -> Result<(), String> {
        self.depth += 1;
        match self.depth > DEEPEST {
            true => Err(format!("is nested more than {DEEPEST} levels deep")),
            false => Ok(()),
        }
    }
}

/// A scalar as PyYAML resolves it, which the trainers read with: `yes` and `on` are true.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return text.into();
    }
    match text.to_ascii_lowercase().as_str() {
        "" | "~" | "null" => return Value::Null,
        "true" | "yes" | "on" => return true.into(),
        "false" | "no" | "off" => return false.into(),
        _ => {}
    }
    if let Ok(whole) = text.parse::<i64>() {
        return whole.into();
    }
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    let number = crate::scenario::number(text).filter(|_| numeric);
    number.map_or_else(|| text.into(), Value::from)
}

/// Settings as YAML, each with its comment above it.
pub(super) fn write(lines: &[Line]) -> String {
    let mut text = String::new();
    for Line { key, value, comment } in lines {
        if !comment.is_empty() {
            text += &format!("# {comment}\n");
        }
        text += &match value {
            Value::Object(map) => {
                let inner: String = map
                    .iter()
                    .map(|(key, value)| format!("  {key}: {}\n", flow(value)))
                    .collect();
                format!("{key}:\n{inner}")
            }
            value => format!("{key}: {}\n", flow(value)),
        };
    }
    text
}

/// A value on one line. JSON's notation is YAML's; words that stand for themselves need no quotes.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) if stands_for_itself(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        value => value.to_string(),
    }
}

fn stands_for_itself(text: &str) -> bool {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte));
    plain && text.starts_with(|c: char| c.is_ascii_alphabetic()) && scalar(text, ScalarStyle::Plain) == text
}

#[cfg(test)]
mod tests {
    use super::super::setting::line;
    use super::*;

    #[test]
    fn settings_are_read_with_their_lines() {
        let settings = read("# comment\na: 1\nb:\n  c: [x, 'yes']\n  d: yes\ne: 2e-4\nf:\n").unwrap();
        let found: Vec<_> = settings
            .iter()
            .map(|s| (s.key.as_str(), s.value.to_string(), s.line))
            .collect();
        assert_eq!(
            found,
            [
                ("a", "1".to_string(), 2),
                ("b.c", "[\"x\",\"yes\"]".into(), 4),
                ("b.d", "true".into(), 5),
                ("e", "0.0002".into(), 6),
                ("f", "null".into(), 7),
            ]
        );
    }

    #[test]
    fn what_is_no_yaml_is_named_with_its_line() {
        assert!(read("a: 1\nb: [1\nc: 2\n").unwrap_err().starts_with("line "));
        assert_eq!(read("- a\n").unwrap_err(), "line 1: expected keys with values");
        assert_eq!(read("a: 1\na: 2\n").unwrap_err(), "line 2: 'a' is given twice");
        assert_eq!(
            read("a: &x 1\nb: *x\n").unwrap_err(),
            "line 2: aliases are not read"
        );
        assert_eq!(read("").unwrap_err(), "is empty");
        let deep = format!("a: {}", "[".repeat(100));
        assert!(read(&deep).is_err());
    }

    #[test]
    fn what_is_written_is_read_again() {
        let value = serde_json::json!({"x": true, "y": "on", "z": [1, "a b"]});
        let text = write(&[
            line("one", 1, "why"),
            line("two", value, ""),
            line("three", "no", ""),
        ]);
        assert_eq!(
            text,
            "# why\none: 1\ntwo:\n  x: true\n  y: \"on\"\n  z: [1, \"a b\"]\nthree: \"no\"\n"
        );
        let settings = read(&text).unwrap();
        let values: Vec<_> = settings.iter().map(|s| s.value.to_string()).collect();
        assert_eq!(values, ["1", "true", "\"on\"", "[1,\"a b\"]", "\"no\""]);
    }
}
