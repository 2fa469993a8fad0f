//! Python: keyword arguments read out of a script, and written calls with comments.

use super::setting::{Line, Setting};
use serde_json::{Map, Value};

/// Reads every `name=value` of a text whose value is a literal: keyword arguments and assignments alike. Calls are
/// passed through, so that their own arguments are read; other expressions are kept as text in a `Value::Null`'s stead.
pub(super) fn read(text: &str) -> Vec<Setting> {
    let mut scanner = Scanner { text, at: 0 };
    let mut settings = Vec::new();
    while scanner.at < text.len() {
        let start = scanner.at;
        if scanner.skip_comment_or_string() {
            continue;
        }
        match scanner.name() {
            Some(name) => {
                let key = name.to_owned();
                let line = text[..start].matches('\n').count() + 1;
                if scanner.equals() {
                    let before = scanner.at;
                    match scanner.literal(0) {
                        Some(value) => settings.push(Setting { key, value, line }),
                        None => scanner.at = before,
                    }
                }
            }
            None => scanner.advance(),
        }
    }
    settings
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

/// Deeper than any argument.
const DEEPEST: usize = 16;

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn advance(&mut self) {
        self.at += self.peek().map_or(1, char::len_utf8);
    }

    fn space(&mut self) {
        loop {
            while self.peek().is_some_and(char::is_whitespace) {
                self.advance();
            }
            if self.peek() != Some('#') {
                return;
            }
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    fn skip_comment_or_string(&mut self) -> bool {
        match self.peek() {
            Some('#') => {
                self.at += self.rest().find('\n').unwrap_or(self.rest().len());
                true
            }
            Some('"' | '\'') => {
                let before = self.at;
                if self.string().is_none() {
                    self.at = before;
                    self.advance();
                }
                true
            }
            _ => false,
        }
    }

    /// A name, or a dotted one.
    fn name(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        if !rest.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            return None;
        }
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'));
        let name = &rest[..end.unwrap_or(rest.len())];
        self.at += name.len();
        Some(name)
    }

    /// An equals sign that is none of a comparison.
    fn equals(&mut self) -> bool {
        let before = self.at;
        self.space();
        if self.peek() == Some('=') && !self.rest().starts_with("==") {
            self.advance();
            self.space();
            return true;
        }
        self.at = before;
        false
    }

    fn literal(&mut self, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        match self.peek()? {
            '"' | '\'' => self.string().map(Value::String),
            '[' | '(' => self.items(depth).map(Value::Array),
            '{' => self.object(depth),
            c if c.is_ascii_digit() || c == '-' || c == '.' => self.number(),
            _ => {
                let name = self.name()?;
                // A call or an index is no literal.
                if matches!(self.peek(), Some('(' | '[')) {
                    return None;
                }
                Some(match name {
                    "True" => true.into(),
                    "False" => false.into(),
                    "None" => Value::Null,
                    // torch.bfloat16
                    name => name.rsplit('.').next().unwrap_or(name).into(),
                })
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        let quote = self.peek().filter(|c| matches!(c, '"' | '\''))?;
        let triple: String = std::iter::repeat_n(quote, 3).collect();
        let (open, close) = match self.rest().starts_with(&triple) {
            true => (3, triple),
            false => (1, quote.to_string()),
        };
        let inner = &self.rest()[open..];
        let mut end = 0;
        while !inner[end..].starts_with(&close) {
            let mut chars = inner[end..].chars();
            match chars.next()? {
                '\\' => end += 1 + chars.next()?.len_utf8(),
                c => end += c.len_utf8(),
            }
        }
        self.at += open + end + close.len();
        Some(inner[..end].to_owned())
    }

    fn number(&mut self) -> Option<Value> {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-._".contains(c)));
        let text = rest[..end.unwrap_or(rest.len())].replace('_', "");
        self.at += end.unwrap_or(rest.len());
        let whole = text.parse::<i64>().ok().map(Value::from);
        whole.or_else(|| crate::scenario::number(&text).map(Value::from))
    }

    fn items(&mut self, depth: usize) -> Option<Vec<Value>> {
        let close = if self.peek()? == '[' { ']' } else { ')' };
        self.advance();
        let mut items = Vec::new();
        loop {
            self.space();
            if self.peek()? == close {
                self.advance();
                return Some(items);
            }
            items.push(self.literal(depth + 1)?);
            self.space();
            if self.peek()? == ',' {
                self.advance();
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        self.advance();
        let mut map = Map::new();
        loop {
            self.space();
            if self.peek()? == '}' {
                self.advance();
                return Some(Value::Object(map));
            }
            let key = self.string()?;
            self.space();
            if self.peek()? != ':' {
                return None;
            }
            self.advance();
            self.space();
            map.insert(key, self.literal(depth + 1)?);
            self.space();
            if self.peek()? == ',' {
                self.advance();
            }
        }
    }
}

/// Settings as keyword arguments, one a line, each followed by its comment.
pub(super) fn arguments(lines: &[Line], indent: &str) -> String {
    let line = |Line { key, value, comment }: &Line| {
        let comment = if comment.is_empty() {
            String::new()
        } else {
            format!("  # {comment}")
        };
        format!("{indent}{key}={},{comment}\n", literal(value))
    };
    lines.iter().map(line).collect()
}

/// A value as Python writes it; text that begins with `=` is an expression.
pub(super) fn literal(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::String(text) => match text.strip_prefix('=') {
            Some(expression) => expression.into(),
            None => Value::String(text.clone()).to_string(),
        },
        Value::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let pair = |(key, value): (&String, &Value)| format!("\"{key}\": {}", literal(value));
            format!("{{{}}}", map.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
        Value::Number(number) => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyword_arguments_are_read_through_calls() {
        let text = "config = LoraConfig(r=16, lora_alpha = 32, # r=8\n  target_modules=[\"q_proj\", 'v_proj'],\n)\nmodel = \
                    from_pretrained(\"m\", quantization_config=BitsAndBytesConfig(load_in_4bit=True, \
                    bnb_4bit_compute_dtype=torch.bfloat16), d={\"use_reentrant\": False}, n=-1.5e-4, x=len(y), a == b)";
        let found: Vec<_> = read(text)
            .into_iter()
            .map(|s| format!("{}@{}={}", s.key, s.line, s.value))
            .collect();
        assert_eq!(
            found,
            [
                "r@1=16",
                "lora_alpha@1=32",
                "target_modules@2=[\"q_proj\",\"v_proj\"]",
                "load_in_4bit@4=true",
                "bnb_4bit_compute_dtype@4=\"bfloat16\"",
                "d@4={\"use_reentrant\":false}",
                "n@4=-0.00015",
            ]
        );
    }

    #[test]
    fn hostile_text_is_read_to_its_end() {
        for text in [
            "a=",
            "a='",
            "a={\"",
            "a=[[[",
            "a=(",
            "é=1",
            "\"\"\"",
            "a=1=2",
            &"a=[".repeat(5000),
        ] {
            read(text);
        }
    }
}
