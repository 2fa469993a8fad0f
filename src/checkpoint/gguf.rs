//! The header of a GGUF file (`ggml/docs/gguf.md`): settings, then the names, shapes and types of all tensors.
//!
//! Lists of the tokenizer make such headers megabytes long and are passed over without being kept. Every length is held
//! against the bytes that are there before anything is read or reserved.

mod config;
mod cursor;

use super::{MOST_TENSORS, StoredDtype, Tensor, problem, short};
use crate::model::HfConfig;
use crate::scenario::FieldError;
use cursor::{Cursor, Stop};
use std::collections::BTreeMap;

/// The longest header that is read, in bytes.
pub const LONGEST: u64 = 64 << 20;
/// The most settings.
const MOST_SETTINGS: u64 = 1 << 16;
/// The most dimensions of a tensor (`ggml.h: GGML_MAX_DIMS`).
const MOST_DIMENSIONS: u32 = 4;

/// A header that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Gguf {
    /// `general.architecture`, such as `llama`.
    pub architecture: String,
    /// The architecture under the names of a `config.json`.
    pub config: HfConfig,
    /// The tensors, sizes in PyTorch's order.
    pub tensors: Vec<Tensor>,
}

/// How far reading got.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// The whole header was there.
    Whole(Box<Gguf>),
    /// The header goes on behind the bytes that were given.
    Longer,
}

/// A setting's value, as far as it matters.
#[derive(Clone, Debug, PartialEq)]
enum Setting {
    Whole(u64),
    Real(f64),
    Truth(bool),
    Text(String),
    /// The length of a list, and its first whole numbers.
    List(u64, Vec<u64>),
    /// A negative number.
    Negative(i64),
}

type Settings = BTreeMap<String, Setting>;

/// Reads a header from the first bytes of a file. `whole` says that they are all of it.
///
/// # Errors
/// It is no GGUF file, or a field of it cannot be; the field is named.
pub fn read(bytes: &[u8], file: &str, whole: bool) -> Result<Progress, FieldError> {
    match header(&mut Cursor::new(bytes), file) {
        Ok(gguf) => Ok(Progress::Whole(Box::new(gguf))),
        Err(Stop::Wrong(wrong)) => Err(wrong),
        Err(Stop::Short(field)) if whole => Err(problem(file, &field, "the file ends within it")),
        Err(Stop::Short(field)) if bytes.len() as u64 >= LONGEST => Err(problem(
            file,
            &field,
            format!("the header is longer than {LONGEST} bytes"),
        )),
        Err(Stop::Short(_)) => Ok(Progress::Longer),
    }
}

fn header(cursor: &mut Cursor<'_>, file: &str) -> Result<Gguf, Stop> {
    let wrong = |field: &str, text: String| Stop::Wrong(problem(file, field, text));
    if cursor.bytes(4, "magic")? != b"GGUF" {
        return Err(wrong("", "is no GGUF file".into()));
    }
    let version = cursor.u32("version")?;
    if !(2..=3).contains(&version) {
        return Err(wrong(
            "version",
            format!("{version} is not read; versions 2 and 3 are"),
        ));
    }
    let tensor_count = cursor.u64("tensor_count")?;
    if tensor_count > MOST_TENSORS as u64 {
        return Err(wrong(
            "tensor_count",
            format!("{tensor_count} is above {MOST_TENSORS}"),
        ));
    }
    let settings = settings(cursor, file)?;
    let mut tensors = Vec::new();
    let mut places = Vec::new();
    for _ in 0..tensor_count {
        let (offset, tensor) = tensor(cursor, file)?;
        places.push((offset, tensor.bytes, tensors.len()));
        tensors.push(tensor);
    }
    places.sort_unstable();
    for pair in places.windows(2) {
        let [(begin, bytes, first), (next, _, second)] = [pair[0], pair[1]];
        if begin.checked_add(bytes).is_none_or(|end| end > next) {
            let text = format!("its bytes overlap those of {}", short(&tensors[first].name));
            return Err(wrong(&tensors[second].name, text));
        }
    }
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = tensors.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(wrong(&pair[0].name, "is given twice".into()));
    }
    let (architecture, config) = config::of(&settings, &tensors, file).map_err(Stop::Wrong)?;
    Ok(Gguf {
        architecture,
        config,
        tensors,
    })
}

fn settings(cursor: &mut Cursor<'_>, file: &str) -> Result<Settings, Stop> {
    let count = cursor.u64("metadata_kv_count")?;
    if count > MOST_SETTINGS {
        let text = format!("{count} is above {MOST_SETTINGS}");
        return Err(Stop::Wrong(problem(file, "metadata_kv_count", text)));
    }
    let mut settings = Settings::new();
    for _ in 0..count {
        let key = cursor
            .text("a setting's name")
            .map_err(|stop| stop.within(file))?;
        let kind = cursor.u32(&key)?;
        let value = cursor.setting(kind, &key).map_err(|stop| stop.within(file))?;
        if settings.contains_key(&key) {
            return Err(Stop::Wrong(problem(file, &key, "is given twice")));
        }
        settings.insert(key, value);
    }
    Ok(settings)
}

fn tensor(cursor: &mut Cursor<'_>, file: &str) -> Result<(u64, Tensor), Stop> {
    let name = cursor.text("a tensor's name").map_err(|stop| stop.within(file))?;
    let wrong = |text: String| Stop::Wrong(problem(file, &name, text));
    let dimensions = cursor.u32(&name)?;
    if dimensions > MOST_DIMENSIONS {
        return Err(wrong(format!(
            "{dimensions} dimensions are more than {MOST_DIMENSIONS}"
        )));
    }
    let mut shape = Vec::new();
    for _ in 0..dimensions {
        shape.push(cursor.u64(&name)?);
    }
    let number = cursor.u32(&name)?;
    let Some(dtype) = StoredDtype::of_ggml(number) else {
        return Err(wrong(format!("the type {number} is not known")));
    };
    let offset = cursor.u64(&name)?;
    let elements = shape
        .iter()
        .try_fold(1u64, |product, size| product.checked_mul(*size));
    let Some(bytes) = elements.and_then(|elements| dtype.bytes_of(elements)) else {
        return Err(wrong(format!(
            "shape {shape:?} of {} cannot be stored",
            dtype.name
        )));
    };
    shape.reverse();
    Ok((
        offset,
        Tensor {
            name,
            dtype,
            shape,
            bytes,
        },
    ))
}

#[cfg(test)]
mod tests;
