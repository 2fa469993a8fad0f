//! Headers as the libraries write them, read in one go: ten times as fast as any JSON, which matters for a hundred
//! thousand tensors. What is written otherwise, or wrong, is left to the reader of any JSON, which says what it is.

use super::{MOST_DIMENSIONS, MOST_TENSORS, Raw};
use crate::checkpoint::Tensor;
use serde::de::IgnoredAny;
use std::borrow::Cow;

/// The tensors of a header, each with the place of its first byte.
pub(super) fn tensors(json: &[u8]) -> Option<Vec<(u64, Tensor)>> {
    let mut text = Text { json, at: 0 };
    text.sign(b'{')?;
    let mut found = Vec::new();
    loop {
        let name = text.string()?;
        text.sign(b':')?;
        if name == "__metadata__" {
            text.anything()?;
        } else {
            if found.len() == MOST_TENSORS {
                return None;
            }
            found.push(text.tensor()?.tensor(name).ok()?);
        }
        match text.next()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    text.space();
    (text.at == json.len()).then_some(found)
}

struct Text<'j> {
    json: &'j [u8],
    at: usize,
}

impl<'j> Text<'j> {
    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.json.get(self.at) {
            self.at += 1;
        }
    }

    /// The next byte that is no space.
    fn next(&mut self) -> Option<u8> {
        self.space();
        let byte = *self.json.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn sign(&mut self, wanted: u8) -> Option<()> {
        (self.next()? == wanted).then_some(())
    }

    /// A string without escapes.
    fn string(&mut self) -> Option<&'j str> {
        self.sign(b'"')?;
        let rest = self.json.get(self.at..)?;
        let end = rest
            .iter()
            .position(|byte| matches!(byte, b'"' | b'\\' | ..b' '))?;
        if rest[end] != b'"' {
            return None;
        }
        self.at += end + 1;
        std::str::from_utf8(&rest[..end]).ok()
    }

    /// A whole number of at most 19 digits, which cannot overflow.
    fn number(&mut self) -> Option<u64> {
        self.space();
        let begin = self.at;
        let mut value = 0u64;
        while let Some(digit @ b'0'..=b'9') = self.json.get(self.at) {
            if self.at - begin == 19 {
                return None;
            }
            value = value * 10 + u64::from(digit - b'0');
            self.at += 1;
        }
        let digits = self.at - begin;
        let leads_with_zero = digits > 1 && self.json[begin] == b'0';
        (digits > 0 && !leads_with_zero).then_some(value)
    }

    /// Numbers in brackets, as many as there is room for.
    fn numbers(&mut self, room: &mut [u64]) -> Option<usize> {
        self.sign(b'[')?;
        self.space();
        if self.json.get(self.at) == Some(&b']') {
            self.at += 1;
            return Some(0);
        }
        for (i, place) in room.iter_mut().enumerate() {
            *place = self.number()?;
            match self.next()? {
                b',' => {}
                b']' => return Some(i + 1),
                _ => return None,
            }
        }
        None
    }

    fn tensor(&mut self) -> Option<Raw<'j>> {
        let (mut dtype, mut shape, mut offsets) = (None, None, None);
        let mut sizes = [0; MOST_DIMENSIONS];
        self.sign(b'{')?;
        loop {
            let key = self.string()?;
            self.sign(b':')?;
            match key {
                "dtype" if dtype.is_none() => dtype = Some(self.string()?),
                "shape" if shape.is_none() => {
                    let dimensions = self.numbers(&mut sizes)?;
                    shape = Some(sizes.get(..dimensions)?.to_vec());
                }
                "data_offsets" if offsets.is_none() => {
                    let mut both = [0; 2];
                    (self.numbers(&mut both)? == 2).then_some(())?;
                    offsets = Some(both.into());
                }
                _ => return None,
            }
            match self.next()? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
        Some(Raw {
            dtype: Cow::Borrowed(dtype?),
            shape: shape?,
            data_offsets: offsets?,
        })
    }

    /// Any value, of which nothing is kept.
    fn anything(&mut self) -> Option<()> {
        let rest = serde_json::Deserializer::from_slice(self.json.get(self.at..)?);
        let mut values = rest.into_iter::<IgnoredAny>();
        values.next()?.ok()?;
        self.at += values.byte_offset();
        Some(())
    }
}
