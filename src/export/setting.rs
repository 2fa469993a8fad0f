//! A key with its value, as a configuration names it: what every format is read into and written from.

use serde_json::Value;

/// One setting of a configuration that is read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Setting {
    /// The key; of a nested mapping `outer.inner`.
    pub key: String,
    /// Its value.
    pub value: Value,
    /// The line it stands on, from 1.
    pub line: usize,
}

/// One setting that is written, and what it does to memory.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub key: &'static str,
    pub value: Value,
    pub comment: String,
}

/// A setting without a comment.
pub(super) fn plain(key: &'static str, value: impl Into<Value>) -> Line {
    line(key, value, "")
}

/// A setting with what it does to memory.
pub(super) fn line(key: &'static str, value: impl Into<Value>, comment: impl Into<String>) -> Line {
    Line {
        key,
        value: value.into(),
        comment: comment.into(),
    }
}

/// A number as whole when it is.
pub(super) fn number(value: f64) -> Value {
    match value {
        whole if whole.fract() == 0.0 && whole.abs() < 1e15 => Value::from(whole as i64),
        other => Value::from(other),
    }
}
