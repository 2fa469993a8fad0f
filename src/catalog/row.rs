//! Reads the embedded data files: rows of named values. One piece of code for all of them, since what serde writes for each
//! kind of row would weigh more in the page than the rows.

use crate::json;
use serde_json::{Map, Value};

/// One row. What is absent, or of another type than asked for, is at zero or empty; tests hold the files to more.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Row(Map<String, Value>);

/// The elements of a JSON array, none where the text is no array.
pub(crate) fn elements(text: &str) -> Vec<Value> {
    list(json::read(text).unwrap_or_default())
}

fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        _ => Vec::new(),
    }
}

impl From<Value> for Row {
    fn from(value: Value) -> Self {
        match value {
            Value::Object(fields) => Row(fields),
            _ => Row::default(),
        }
    }
}

impl Row {
    /// The row of an array, under the names of its columns.
    pub fn of_columns(value: Value, names: &[&str]) -> Row {
        let mut row = Map::new();
        for (name, value) in names.iter().zip(list(value)) {
            row.insert((*name).into(), value);
        }
        Row(row)
    }

    /// The row of a text that is one JSON object.
    pub fn of(text: &str) -> Row {
        Row::from(json::read(text).unwrap_or_default())
    }

    /// The value as it is, taken out of the row.
    pub fn take(&mut self, key: &str) -> Value {
        self.0.get_mut(key).map(Value::take).unwrap_or_default()
    }

    /// A text that may be absent.
    pub fn maybe_text(&mut self, key: &str) -> Option<String> {
        match self.take(key) {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// A text.
    pub fn text(&mut self, key: &str) -> String {
        self.maybe_text(key).unwrap_or_default()
    }

    /// A whole number that may be absent.
    pub fn maybe_whole(&self, key: &str) -> Option<u64> {
        self.0.get(key).and_then(Value::as_u64)
    }

    /// A whole number.
    pub fn whole(&self, key: &str) -> u64 {
        self.maybe_whole(key).unwrap_or_default()
    }

    /// A number that may be absent.
    pub fn maybe_number(&self, key: &str) -> Option<f64> {
        self.0.get(key).and_then(Value::as_f64)
    }

    /// A number.
    pub fn number(&self, key: &str) -> f64 {
        self.maybe_number(key).unwrap_or_default()
    }

    /// A yes or no that may be absent.
    pub fn maybe_flag(&self, key: &str) -> Option<bool> {
        self.0.get(key).and_then(Value::as_bool)
    }

    /// A yes or no.
    pub fn flag(&self, key: &str) -> bool {
        self.maybe_flag(key).unwrap_or_default()
    }

    /// A list.
    pub fn list(&mut self, key: &str) -> Vec<Value> {
        list(self.take(key))
    }

    /// A list of texts.
    pub fn texts(&mut self, key: &str) -> Vec<String> {
        let texts = self.list(key).into_iter();
        texts
            .filter_map(|value| match value {
                Value::String(text) => Some(text),
                _ => None,
            })
            .collect()
    }

    /// A list of rows.
    pub fn rows(&mut self, key: &str) -> Vec<Row> {
        self.list(key).into_iter().map(Row::from).collect()
    }
}
