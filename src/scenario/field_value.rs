//! How a field's value is written as text and read back.

use super::limits::Limit;
use super::number::number_text;
use super::{FieldError, Targets, quoted};

/// A field's type.
pub(super) trait FieldValue {
    /// The value as a URL writes it.
    fn write(&self) -> String;
    /// Takes the value from text; on an error, which names the field, it stays as it is.
    fn read(&mut self, name: &str, text: &str) -> Result<(), FieldError>;
}

/// Counts, from 1 to the field's limit.
impl FieldValue for u64 {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(&mut self, name: &str, text: &str) -> Result<(), FieldError> {
        let limit = Limit::of(name);
        let value = text.parse().map_err(|_| {
            let problem = format!(
                "{} is not a whole number between 1 and {}",
                quoted(text),
                limit.most
            );
            FieldError::new(name, problem)
        })?;
        *self = limit.check(name, value)?;
        Ok(())
    }
}

impl FieldValue for f64 {
    fn write(&self) -> String {
        number_text(*self)
    }

    fn read(&mut self, name: &str, text: &str) -> Result<(), FieldError> {
        *self = super::number(text)
            .ok_or_else(|| FieldError::new(name, format!("{} is not a number", quoted(text))))?;
        Ok(())
    }
}

impl FieldValue for bool {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(&mut self, name: &str, text: &str) -> Result<(), FieldError> {
        *self = match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "on" | "yes" => true,
            "false" | "0" | "off" | "no" => false,
            _ => {
                return Err(FieldError::new(
                    name,
                    format!("{} is neither true nor false", quoted(text)),
                ));
            }
        };
        Ok(())
    }
}

/// A number, or `none`.
impl FieldValue for Option<f64> {
    fn write(&self) -> String {
        self.map_or_else(|| "none".into(), number_text)
    }

    fn read(&mut self, name: &str, text: &str) -> Result<(), FieldError> {
        if text.is_empty() || text == "none" {
            *self = None;
            return Ok(());
        }
        let mut value = 0.0;
        value.read(name, text)?;
        *self = Some(value);
        Ok(())
    }
}

/// A name, or `none`.
impl FieldValue for Option<String> {
    fn write(&self) -> String {
        self.clone().unwrap_or_else(|| "none".into())
    }

    fn read(&mut self, _: &str, text: &str) -> Result<(), FieldError> {
        *self = Some(text.to_owned()).filter(|text| !text.is_empty() && text != "none");
        Ok(())
    }
}

/// Counts separated by commas, each up to the field's limit.
impl FieldValue for Vec<u64> {
    fn write(&self) -> String {
        let counts: Vec<_> = self.iter().map(u64::to_string).collect();
        counts.join(",")
    }

    fn read(&mut self, name: &str, text: &str) -> Result<(), FieldError> {
        let counts = text.split(',').map(str::trim).filter(|count| !count.is_empty());
        let counts: Result<_, _> = counts
            .map(|text| {
                let mut count = 0;
                count.read(name, text).map(|()| count)
            })
            .collect();
        *self = counts?;
        Ok(())
    }
}

/// Names separated by commas.
impl FieldValue for Vec<String> {
    fn write(&self) -> String {
        self.join(",")
    }

    fn read(&mut self, _: &str, text: &str) -> Result<(), FieldError> {
        *self = text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(Into::into)
            .collect();
        Ok(())
    }
}

/// `all-linear`, or names separated by commas.
impl FieldValue for Targets {
    fn write(&self) -> String {
        match self {
            Targets::Word(word) => word.clone(),
            Targets::Modules(modules) => modules.write(),
        }
    }

    fn read(&mut self, name: &str, text: &str) -> Result<(), FieldError> {
        if text == "all-linear" {
            *self = Targets::all_linear();
        } else {
            let mut modules = Vec::new();
            modules.read(name, text)?;
            *self = Targets::Modules(modules);
        }
        Ok(())
    }
}
