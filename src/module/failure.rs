//! What is thrown: always with the fields that are to blame, where any are.

use crate::estimate::EstimateError;
use crate::scenario::FieldError;
use serde::Serialize;
use std::fmt::Display;
use wasm_bindgen::JsValue;

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub enum Kind {
    /// Fields that cannot be used as they are.
    Invalid,
    /// A sound run that the model cannot express; refused rather than guessed.
    NotModelled,
    /// What takes the rest of the module's program, which was not loaded.
    NotLoaded,
}

/// Why there is no result, as it crosses the border; JavaScript makes an `Error` of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct Failure {
    /// Whose fault it is.
    pub kind: Kind,
    /// Everything that is wrong, in one line.
    pub message: String,
    /// The fields that cannot be used, each with what would be accepted; empty for what is not modelled.
    pub problems: Vec<FieldError>,
}

impl Failure {
    /// One field, and what went wrong with it.
    pub fn field(field: &str, problem: &impl Display) -> Self {
        FieldError::new(field, problem.to_string()).into()
    }

    /// The value that is thrown.
    pub fn thrown(self) -> JsValue {
        // Texts alone: there is nothing in it that could not be written.
        let plain = self.serialize(&serde_wasm_bindgen::Serializer::json_compatible());
        plain.unwrap_or(JsValue::UNDEFINED)
    }

    /// The value that is thrown for an error.
    pub fn thrown_by(error: impl Into<Failure>) -> JsValue {
        error.into().thrown()
    }
}

impl From<Vec<FieldError>> for Failure {
    fn from(problems: Vec<FieldError>) -> Self {
        Failure {
            kind: Kind::Invalid,
            message: FieldError::list(&problems),
            problems,
        }
    }
}

impl From<FieldError> for Failure {
    fn from(problem: FieldError) -> Self {
        vec![problem].into()
    }
}

impl From<EstimateError> for Failure {
    fn from(error: EstimateError) -> Self {
        match error {
            EstimateError::Invalid(problems) => problems.into(),
            EstimateError::NotModelled(_) => Failure {
                kind: Kind::NotModelled,
                message: error.to_string(),
                problems: Vec::new(),
            },
        }
    }
}
