//! Reads the fields of a JSON object one by one, so that a wrong value is named and an unknown field is not overlooked.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Refusal;

/// The fields of an object that are not read yet.
pub(super) struct Fields {
    /// What stands before a field's name in messages, such as `lora.`.
    prefix: &'static str,
    left: Map<String, Value>,
}

impl Fields {
    /// The fields of an object; `prefix` stands before their names in messages.
    pub fn new(prefix: &'static str, object: Map<String, Value>) -> Self {
        Fields { prefix, left: object }
    }

    /// Reads a field, or takes its default when it is absent.
    pub fn take<T: DeserializeOwned>(&mut self, name: &str, default: T) -> Result<T, Refusal> {
        match self.left.remove(name) {
            None => Ok(default),
            Some(value) => serde_json::from_value(value)
                .map_err(|error| Refusal(format!("{}{name}: {error}", self.prefix))),
        }
    }

    /// Reads an object that is a field; absent or null it is empty.
    pub fn object(&mut self, name: &str, prefix: &'static str) -> Result<Fields, Refusal> {
        let object: Option<Map<String, Value>> = self.take(name, None)?;
        Ok(Fields::new(prefix, object.unwrap_or_default()))
    }

    /// Are all fields read?
    pub fn finish(self) -> Result<(), Refusal> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(name) => Err(Refusal(format!("field '{}{name}' is not known", self.prefix))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        let Value::Object(object) = value else {
            panic!("an object")
        };
        Fields::new("lora.", object)
    }

    #[test]
    fn an_absent_field_has_its_default() {
        assert_eq!(fields(json!({})).take("rank", 16), Ok(16));
    }

    #[test]
    fn a_wrong_value_is_named() {
        let refusal = fields(json!({"rank": "many"})).take("rank", 16).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "lora.rank: invalid type: string \"many\", expected i32"
        );
    }

    #[test]
    fn a_field_that_nobody_read_is_named() {
        let mut fields = fields(json!({"rank": 8, "colour": "blue"}));
        assert_eq!(fields.take("rank", 16), Ok(8));
        assert_eq!(
            fields.finish().unwrap_err().to_string(),
            "field 'lora.colour' is not known"
        );
    }
}
