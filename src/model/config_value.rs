//! What a field of a configuration can hold, and how it is read from and written to JSON.

use serde_json::{Map, Value};

/// A field's type.
pub(super) trait ConfigValue {
    /// Takes the value. Fails with what is expected instead.
    fn read(&mut self, value: Value) -> Result<(), String>;
    /// The value, or nothing when the field is absent.
    fn write(&self) -> Option<Value>;
}

impl<T: FromJson> ConfigValue for T {
    fn read(&mut self, value: Value) -> Result<(), String> {
        *self = T::from_json(&value).ok_or_else(|| unexpected(T::EXPECTED, &value))?;
        Ok(())
    }

    fn write(&self) -> Option<Value> {
        Some(self.to_json())
    }
}

impl<T: FromJson> ConfigValue for Option<T> {
    fn read(&mut self, value: Value) -> Result<(), String> {
        let mut inner = T::default();
        inner.read(value)?;
        *self = Some(inner);
        Ok(())
    }

    fn write(&self) -> Option<Value> {
        self.as_ref()?.write()
    }
}

#[cold]
#[inline(never)]
fn unexpected(expected: &str, found: &Value) -> String {
    format!("expected {expected}, found {found}")
}

/// A type with a form in JSON.
pub(super) trait FromJson: Default {
    const EXPECTED: &'static str;
    fn from_json(value: &Value) -> Option<Self>;
    fn to_json(&self) -> Value;
}

impl FromJson for u64 {
    const EXPECTED: &'static str = "a whole number";
    fn from_json(value: &Value) -> Option<Self> {
        value.as_u64()
    }
    fn to_json(&self) -> Value {
        (*self).into()
    }
}

impl FromJson for f64 {
    const EXPECTED: &'static str = "a number";
    fn from_json(value: &Value) -> Option<Self> {
        value.as_f64()
    }
    fn to_json(&self) -> Value {
        (*self).into()
    }
}

impl FromJson for bool {
    const EXPECTED: &'static str = "true or false";
    fn from_json(value: &Value) -> Option<Self> {
        value.as_bool()
    }
    fn to_json(&self) -> Value {
        (*self).into()
    }
}

impl FromJson for String {
    const EXPECTED: &'static str = "text";
    fn from_json(value: &Value) -> Option<Self> {
        value.as_str().map(|text| text.trim().into())
    }
    fn to_json(&self) -> Value {
        self.as_str().into()
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    const EXPECTED: &'static str = "a list";
    fn from_json(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(T::from_json).collect()
    }
    fn to_json(&self) -> Value {
        self.iter().map(T::to_json).collect()
    }
}

impl FromJson for Map<String, Value> {
    const EXPECTED: &'static str = "an object";
    fn from_json(value: &Value) -> Option<Self> {
        value.as_object().cloned()
    }
    fn to_json(&self) -> Value {
        Value::Object(self.clone())
    }
}
