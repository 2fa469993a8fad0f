//! A place in bytes of which more may follow.

use super::Setting;
use crate::checkpoint::problem;
use crate::scenario::FieldError;

/// The longest text that is kept; longer ones are no name of anything.
const LONGEST_TEXT: u64 = 1 << 16;
/// Whole numbers of a list that are kept: one a layer.
const MOST_KEPT: usize = 1024;
/// Lists in lists in lists are no settings of a model.
const DEEPEST: u32 = 3;

/// Why reading stopped.
pub(super) enum Stop {
    /// The bytes end within this field.
    Short(String),
    /// The field cannot be.
    Wrong(FieldError),
}

impl Stop {
    /// Names the file of an error that is known without it.
    pub fn within(self, file: &str) -> Self {
        match self {
            Stop::Wrong(error) => Stop::Wrong(problem(file, &error.field, error.problem)),
            short => short,
        }
    }
}

pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Cursor { rest: bytes }
    }

    /// The next bytes. A claim of more than there are never reserves memory.
    pub fn bytes(&mut self, count: u64, field: &str) -> Result<&'a [u8], Stop> {
        let split = usize::try_from(count)
            .ok()
            .and_then(|count| self.rest.split_at_checked(count));
        let (taken, rest) = split.ok_or_else(|| Stop::Short(field.into()))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &str) -> Result<[u8; N], Stop> {
        let (taken, rest) = self
            .rest
            .split_first_chunk()
            .ok_or_else(|| Stop::Short(field.into()))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub fn u32(&mut self, field: &str) -> Result<u32, Stop> {
        Ok(u32::from_le_bytes(self.array(field)?))
    }

    pub fn u64(&mut self, field: &str) -> Result<u64, Stop> {
        Ok(u64::from_le_bytes(self.array(field)?))
    }

    pub fn text(&mut self, field: &str) -> Result<String, Stop> {
        let length = self.u64(field)?;
        if length > LONGEST_TEXT {
            return Err(wrong(
                field,
                format!("a text of {length} bytes is longer than {LONGEST_TEXT}"),
            ));
        }
        Ok(String::from_utf8_lossy(self.bytes(length, field)?).into_owned())
    }

    /// The value of a setting of this type.
    pub fn setting(&mut self, kind: u32, field: &str) -> Result<Setting, Stop> {
        let signed = |value: i64| u64::try_from(value).map_or(Setting::Negative(value), Setting::Whole);
        Ok(match kind {
            0 => Setting::Whole(u8::from_le_bytes(self.array(field)?).into()),
            1 => signed(i8::from_le_bytes(self.array(field)?).into()),
            2 => Setting::Whole(u16::from_le_bytes(self.array(field)?).into()),
            3 => signed(i16::from_le_bytes(self.array(field)?).into()),
            4 => Setting::Whole(self.u32(field)?.into()),
            5 => signed(i32::from_le_bytes(self.array(field)?).into()),
            6 => Setting::Real(f32::from_le_bytes(self.array(field)?).into()),
            7 => Setting::Truth(self.array::<1>(field)? != [0]),
            8 => {
                let length = self.u64(field)?;
                // Chat templates are long; their text is of no concern.
                let bytes = self.bytes(length, field)?;
                let kept = &bytes[..bytes.len().min(256)];
                Setting::Text(String::from_utf8_lossy(kept).into_owned())
            }
            9 => self.list(field, 1)?,
            10 => Setting::Whole(self.u64(field)?),
            11 => signed(i64::from_le_bytes(self.array(field)?)),
            12 => Setting::Real(f64::from_le_bytes(self.array(field)?)),
            _ => return Err(wrong(field, format!("the type {kind} of its value is not known"))),
        })
    }

    fn list(&mut self, field: &str, depth: u32) -> Result<Setting, Stop> {
        if depth > DEEPEST {
            return Err(wrong(field, format!("lists are nested more than {DEEPEST} deep")));
        }
        let kind = self.u32(field)?;
        let length = self.u64(field)?;
        let width: u64 = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            10..=12 => 8,
            8 => {
                for _ in 0..length {
                    let bytes = self.u64(field)?;
                    self.bytes(bytes, field)?;
                }
                return Ok(Setting::List(length, Vec::new()));
            }
            9 => {
                for _ in 0..length {
                    self.list(field, depth + 1)?;
                }
                return Ok(Setting::List(length, Vec::new()));
            }
            _ => {
                return Err(wrong(
                    field,
                    format!("the type {kind} of its values is not known"),
                ));
            }
        };
        let bytes = length
            .checked_mul(width)
            .ok_or_else(|| Stop::Short(field.into()))?;
        let mut items = Cursor::new(self.bytes(bytes, field)?);
        let mut kept = Vec::new();
        while !items.rest.is_empty() && kept.len() < MOST_KEPT {
            match items.setting(kind, field)? {
                Setting::Whole(number) => kept.push(number),
                Setting::Truth(truth) => kept.push(truth.into()),
                _ => break,
            }
        }
        Ok(Setting::List(length, kept))
    }
}

fn wrong(field: &str, text: String) -> Stop {
    Stop::Wrong(FieldError::new(field, text))
}
