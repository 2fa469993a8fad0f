//! What a command answers, and how it reaches the terminal.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use super::style::{BAD, WARN};
use crate::estimate::EstimateError;
use crate::scenario::FieldError;

/// The exit code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exit {
    /// The run fits, or all is well.
    #[default]
    Ok = 0,
    /// The run does not fit, or a measurement is beyond its tolerance.
    DoesNotFit = 1,
    /// The input cannot be used.
    BadInput = 2,
    /// The user stopped it; as shells say it.
    Interrupted = 130,
}

/// What a command answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Text for standard output; its colours are taken out where it is no terminal.
    pub text: String,
    /// What the user should know, one line each, for standard error.
    pub warnings: Vec<String>,
    /// What is wrong, one line each, for standard error.
    pub errors: Vec<String>,
    /// The exit code.
    pub exit: Exit,
}

/// Everything that keeps a command from an answer, one line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<String>);

impl Problems {
    /// One problem of one field or file.
    pub fn one(field: &str, problem: impl std::fmt::Display) -> Self {
        Problems(vec![format!("{field}: {problem}")])
    }
}

impl From<Vec<FieldError>> for Problems {
    fn from(fields: Vec<FieldError>) -> Self {
        Problems(fields.iter().map(ToString::to_string).collect())
    }
}

impl From<EstimateError> for Problems {
    fn from(error: EstimateError) -> Self {
        match error {
            EstimateError::Invalid(fields) => fields.into(),
            EstimateError::NotModelled(_) => Problems(vec![error.to_string()]),
        }
    }
}

impl From<serde_json::Error> for Problems {
    fn from(error: serde_json::Error) -> Self {
        Problems::one("json", error)
    }
}

impl From<Problems> for Report {
    fn from(problems: Problems) -> Self {
        Report {
            errors: problems.0,
            exit: Exit::BadInput,
            ..Report::default()
        }
    }
}

impl Report {
    /// Text alone.
    pub fn text(text: String) -> Self {
        Report {
            text,
            ..Report::default()
        }
    }

    /// A value as indented JSON.
    ///
    /// # Errors
    /// None in practice: the values written here have string keys and finite numbers.
    pub fn json(value: &impl serde::Serialize) -> Result<Self, Problems> {
        Ok(Report::text(serde_json::to_string_pretty(value)? + "\n"))
    }

    /// Writes everything and gives the exit code. A reader that stops reading, as `head` does, is no error.
    pub fn print(&self) -> ExitCode {
        let written = self.write(&mut anstream::stdout().lock(), &mut anstream::stderr().lock());
        match written {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => ExitCode::from(Exit::BadInput as u8),
            _ => ExitCode::from(self.exit as u8),
        }
    }

    fn write(&self, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<()> {
        for warning in &self.warnings {
            writeln!(err, "{WARN}warning:{WARN:#} {warning}")?;
        }
        for error in &self.errors {
            writeln!(err, "{BAD}error:{BAD:#} {error}")?;
        }
        out.write_all(self.text.as_bytes())?;
        out.flush()
    }
}
