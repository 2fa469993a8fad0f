//! A file of records that says nothing of whose machine it was.

use std::io::{self, Write};
use std::path::Path;

use crate::validate::{Identity, Record, redact};

/// Writes the records without names, paths and serial numbers.
///
/// # Errors
/// The file cannot be written.
pub(super) fn write(path: &Path, records: &[Record]) -> io::Result<()> {
    let identity = identity();
    let mut text = String::new();
    for record in records {
        text += &serde_json::to_string(&redact(record, &identity))?;
        text.push('\n');
    }
    let mut file = std::fs::File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The names that this machine knows itself and its user by.
fn identity() -> Identity {
    let variable = |names: [&str; 2]| names.iter().find_map(|name| std::env::var(name).ok());
    let host = std::fs::read_to_string("/etc/hostname")
        .ok()
        .map(|name| name.trim().to_owned());
    Identity {
        user: variable(["USER", "USERNAME"]),
        host: host
            .filter(|name| !name.is_empty())
            .or_else(|| variable(["HOSTNAME", "COMPUTERNAME"])),
    }
}
