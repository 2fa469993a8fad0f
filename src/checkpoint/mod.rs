//! A model's own files: what its `config.json`, its safetensors headers and index, its adapter's configuration or its
//! GGUF header say. Everything here works on bytes that were read elsewhere, never more of a file than its header, and
//! takes no byte for granted: what is wrong is an error that names the file and the field.
//!
//! 1. [`Visit`] says which pieces of which files to read next, and is told what came back;
//! 2. [`ConfigFile`], [`Header`], [`Index`] and [`gguf`] read them;
//! 3. [`OwnModel`] is what comes out: the architecture, the exact stored bytes by part and dtype ([`Inventory`]), the
//!    quantization, and how the configuration's count of weights agrees with the files'.

mod config_file;
mod cross_check;
mod dtype;
pub mod gguf;
mod header;
mod index;
mod inventory;
mod layers;
mod nearest;
mod own_model;
mod quantization;
mod refusal;
mod role;
mod strict_json;
mod tensor;
mod tower;
mod visit;

pub use config_file::ConfigFile;
pub use cross_check::Check;
pub use dtype::StoredDtype;
pub use header::{Header, LONGEST_HEADER, MOST_TENSORS, header_length};
pub use index::Index;
pub use inventory::{Inventory, Line};
pub use own_model::OwnModel;
pub use quantization::Quantization;
pub use refusal::Refusal;
pub use role::Role;
pub use tensor::Tensor;
pub use visit::{ADAPTER, LONGEST_FILE, Piece, Reply, Visit};

use crate::scenario::FieldError;

/// A problem of one field of one file.
fn problem(file: &str, field: &str, text: impl std::fmt::Display) -> FieldError {
    match field {
        "" => FieldError::new(file, text.to_string()),
        field => FieldError::new(file, format!("{}: {text}", short(field))),
    }
}

/// A name out of a file for a message: printable, and not all of it when it is long.
fn short(name: &str) -> String {
    const MOST: usize = 100;
    let mut text: String = name
        .chars()
        .take(MOST)
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    if name.chars().nth(MOST).is_some() {
        text.push('…');
    }
    text
}
