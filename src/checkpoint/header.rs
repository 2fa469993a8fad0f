//! The header of a safetensors file: eight bytes of length, then JSON that names every tensor.
//!
//! The `safetensors` crate checks a header against the bytes of the whole file, which are not at hand here, keeps the
//! last of two tensors of one name, and does not say which tensor is wrong; so the JSON is read with serde.

mod plain;

use super::{StoredDtype, Tensor, problem, short, strict_json};
use crate::scenario::FieldError;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// The longest header in bytes (`safetensors/src/tensor.rs: MAX_HEADER_SIZE`).
pub const LONGEST_HEADER: u64 = 100_000_000;

/// The most tensors of a header: four times as many as the largest published models have over all their files.
pub const MOST_TENSORS: usize = 400_000;

/// The most dimensions of a tensor.
const MOST_DIMENSIONS: usize = 16;

/// The tensors of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// In the order of their bytes in the file.
    pub tensors: Vec<Tensor>,
}

/// The length of a header's JSON by the file's first eight bytes.
///
/// # Errors
/// There are fewer bytes, or they name a length that no header has.
pub fn header_length(start: &[u8], file: &str) -> Result<u64, FieldError> {
    let Some(eight) = start.first_chunk::<8>() else {
        let text = format!("has {} bytes; a safetensors file has at least 8", start.len());
        return Err(problem(file, "", text));
    };
    match u64::from_le_bytes(*eight) {
        length @ 2..=LONGEST_HEADER => Ok(length),
        length => Err(problem(
            file,
            "header length",
            format!(
                "{length} bytes are claimed; a header has between 2 and {LONGEST_HEADER}. Is it a safetensors file?"
            ),
        )),
    }
}

impl Header {
    /// Reads the JSON of a header: what follows the first eight bytes. `data` is the length of what follows the header
    /// in the file, where it is known.
    ///
    /// # Errors
    /// It is no header as the format asks for: each tensor's bytes must be those of its dtype and shape, and follow the
    /// last one's without a hole.
    pub fn read(json: &[u8], file: &str, data: Option<u64>) -> Result<Self, FieldError> {
        let mut placed = match plain::tensors(json) {
            Some(found) => {
                debug_assert_eq!(any(json).ok().as_ref(), Some(&found), "both readers agree");
                found
            }
            None => {
                any(json).map_err(|error| problem(file, "header", strict_json::in_words(&error, json)))?
            }
        };
        if !placed.is_sorted_by_key(|(begin, tensor)| (*begin, tensor.bytes)) {
            placed.sort_by_key(|(begin, tensor)| (*begin, tensor.bytes));
        }
        let mut end = 0u64;
        let mut before = "";
        for (begin, tensor) in &placed {
            if *begin != end {
                let text = match *begin < end {
                    true => format!("its bytes overlap those of {}", short(before)),
                    false => format!("there are {} unused bytes before it", begin - end),
                };
                return Err(problem(file, &tensor.name, text));
            }
            end = begin.saturating_add(tensor.bytes);
            before = &tensor.name;
        }
        if let Some(data) = data.filter(|data| *data != end) {
            let text = format!("the header names {end} bytes of tensors, and the file holds {data}");
            return Err(problem(file, "", text));
        }
        let tensors: Vec<Tensor> = placed.into_iter().map(|(_, tensor)| tensor).collect();
        if let Some(name) = given_twice(&tensors) {
            return Err(problem(file, name, "is given twice"));
        }
        Ok(Header { tensors })
    }
}

/// A name that two tensors have. Names are held against each other only where a quick hash finds two alike: to order a
/// hundred thousand of them takes longer than to read them.
fn given_twice(tensors: &[Tensor]) -> Option<&str> {
    let mut hashes: Vec<u64> = tensors.iter().map(|tensor| hash(&tensor.name)).collect();
    hashes.sort_unstable();
    if hashes.windows(2).all(|pair| pair[0] != pair[1]) {
        return None;
    }
    let mut names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    names.sort_unstable();
    names
        .windows(2)
        .find_map(|pair| (pair[0] == pair[1]).then_some(pair[0]))
}

/// Eight bytes at a time, multiplied and turned.
fn hash(name: &str) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(ODD);
    let (words, rest) = name.as_bytes().as_chunks::<8>();
    let all = words.iter().fold(name.len() as u64, |hash, word| {
        mix(hash, u64::from_le_bytes(*word))
    });
    rest.iter().fold(all, |hash, byte| mix(hash, u64::from(*byte)))
}

/// The tensors of a header as any JSON.
fn any(json: &[u8]) -> serde_json::Result<Vec<(u64, Tensor)>> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let found = Entries.deserialize(&mut reader)?;
    reader.end().map(|()| found)
}

/// One tensor as the JSON has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw<'a> {
    #[serde(borrow)]
    dtype: Cow<'a, str>,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

impl Raw<'_> {
    /// The place of the tensor's first byte, and the tensor.
    fn tensor(self, name: &str) -> Result<(u64, Tensor), String> {
        let Some(dtype) = StoredDtype::of_safetensors(&self.dtype) else {
            return Err(format!("the dtype '{}' is not known", short(&self.dtype)));
        };
        let (begin, end) = self.data_offsets;
        let Some(bytes) = end.checked_sub(begin) else {
            return Err(format!(
                "data_offsets: it ends at {end}, before it begins at {begin}"
            ));
        };
        if self.shape.len() > MOST_DIMENSIONS {
            return Err(format!(
                "shape: {} dimensions are more than {MOST_DIMENSIONS}",
                self.shape.len()
            ));
        }
        let elements = self
            .shape
            .iter()
            .try_fold(1u64, |product, size| product.checked_mul(*size));
        match elements.and_then(|elements| dtype.bytes_of(elements)) {
            Some(own) if own == bytes => {}
            Some(own) => {
                return Err(format!(
                    "shape {:?} of {} takes {own} bytes, and data_offsets name {bytes}",
                    self.shape, dtype.name
                ));
            }
            None => {
                return Err(format!(
                    "shape {:?} of {} cannot be stored",
                    self.shape, dtype.name
                ));
            }
        }
        let shape = self.shape;
        Ok((
            begin,
            Tensor {
                name: name.to_owned(),
                dtype,
                shape,
                bytes,
            },
        ))
    }
}

/// Reads all tensors, each with the place of its first byte.
struct Entries;

impl<'de> DeserializeSeed<'de> for Entries {
    type Value = Vec<(u64, Tensor)>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Entries {
    type Value = Vec<(u64, Tensor)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some(name) = entries.next_key::<String>()? {
            if name == "__metadata__" {
                entries.next_value::<IgnoredAny>()?;
                continue;
            }
            if found.len() == MOST_TENSORS {
                return Err(A::Error::custom(format!(
                    "there are more than {MOST_TENSORS} tensors"
                )));
            }
            let about = |text: String| A::Error::custom(format!("{}: {text}", short(&name)));
            let raw = entries
                .next_value::<Raw>()
                .map_err(|error| about(error.to_string()))?;
            found.push(raw.tensor(&name).map_err(about)?);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
