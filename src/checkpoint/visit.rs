//! Which pieces of which files to read, one after the other, and what they hold: the same for a folder, a hub and files
//! dropped on the page. Whoever reads asks [`Visit::wanted`], and tells [`Visit::take`] what came.
//!
//! The configuration comes first and is enough for an estimate; the headers refine it.

use super::gguf::{self, Gguf, Progress};
use super::{ConfigFile, Header, Index, OwnModel, Tensor, header_length, problem, strict_json};
use crate::scenario::FieldError;
use std::collections::VecDeque;

/// A piece of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The file's name in the repository or folder.
    pub file: String,
    /// The place of the first byte.
    pub begin: u64,
    /// How many bytes at most; nothing: the whole file, which is small.
    pub length: Option<u64>,
}

/// What came of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Its bytes, and the length of the whole file, where known. Fewer than asked for are the file's last ones.
    Bytes(Vec<u8>, Option<u64>),
    /// There is no such file.
    Missing,
}

/// The longest small file, in bytes: indexes of the largest models are a quarter of it.
pub const LONGEST_FILE: u64 = 64 << 20;
/// What is read of a safetensors file at first: its header, mostly.
const FIRST_OF_SAFETENSORS: u64 = 64 << 10;
/// What is read of a GGUF file at first; the rest in pieces twice as long each.
const FIRST_OF_GGUF: u64 = 1 << 20;

const CONFIG: &str = "config.json";
const INDEX: &str = "model.safetensors.index.json";
const SINGLE: &str = "model.safetensors";
/// What PEFT calls an adapter's settings.
pub const ADAPTER: &str = "adapter_config.json";

/// A model's files while they are read.
#[derive(Clone, Debug, Default)]
pub struct Visit {
    name: String,
    /// Are files that were not named looked for?
    searches: bool,
    waiting: VecDeque<Piece>,
    /// Bytes of a header so far.
    begun: Vec<u8>,
    done: usize,
    config: Option<ConfigFile>,
    index: Option<Index>,
    tensors: Vec<Tensor>,
    gguf: Option<Gguf>,
    adapter: Option<String>,
    remarks: Vec<String>,
}

fn whole(file: &str) -> Piece {
    Piece {
        file: file.into(),
        begin: 0,
        length: None,
    }
}

fn first(file: &str) -> Piece {
    let length = match file.ends_with(".gguf") {
        true => FIRST_OF_GGUF,
        false => FIRST_OF_SAFETENSORS,
    };
    Piece {
        file: file.into(),
        begin: 0,
        length: Some(length),
    }
}

/// A file's name without its folders.
fn last(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

impl Visit {
    /// All of a repository or folder of this name.
    pub fn of_repository(name: &str) -> Self {
        Visit {
            name: name.into(),
            searches: true,
            waiting: [whole(CONFIG)].into(),
            ..Visit::default()
        }
    }

    /// These files alone, by their names. Beside a `config.json` or `adapter_config.json` what else lies in a model's folder
    /// is passed over.
    ///
    /// # Errors
    /// One of them is none that can be read.
    pub fn of_files(name: &str, files: &[String]) -> Result<Self, FieldError> {
        let is = |wanted: &str| files.iter().any(|file| last(file) == wanted);
        let configured = is(CONFIG) || is(ADAPTER);
        let mut waiting: Vec<Piece> = Vec::new();
        for file in files {
            waiting.push(match (last(file), file.rsplit('.').next()) {
                (CONFIG | ADAPTER, _) => whole(file),
                // The adapter's own weights, not its base's.
                (name, Some("safetensors")) if configured && name.starts_with("adapter_") => continue,
                (_, Some("safetensors" | "gguf")) => first(file),
                (name, Some("json")) if !configured || name.ends_with(".index.json") => whole(file),
                _ if configured => continue,
                _ => {
                    let text = "is not read; give a config.json, a model.safetensors.index.json, an adapter_config.json, safetensors or GGUF files";
                    return Err(problem(file, "", text));
                }
            });
        }
        // The configuration is needed to place what the headers name.
        waiting.sort_by_key(|piece| piece.length.is_some());
        Ok(Visit {
            name: name.into(),
            waiting: waiting.into(),
            ..Visit::default()
        })
    }

    /// The next piece to read; nothing when all is known.
    pub fn wanted(&self) -> Option<&Piece> {
        self.waiting.front()
    }

    /// Pieces that were read, and how many there are as far as is known.
    pub fn progress(&self) -> (usize, usize) {
        (self.done, self.done + self.waiting.len())
    }

    /// Is there enough for a first estimate?
    pub fn has_config(&self) -> bool {
        self.config.is_some() || self.gguf.is_some()
    }

    /// The `adapter_config.json`, where it is an adapter that was visited.
    pub fn adapter(&self) -> Option<&str> {
        self.adapter.as_deref()
    }

    /// Takes what came of the wanted piece.
    ///
    /// # Errors
    /// What is wrong with the file; the visit is over.
    pub fn take(&mut self, reply: Reply) -> Result<(), FieldError> {
        let Some(piece) = self.waiting.pop_front() else {
            return Ok(());
        };
        self.done += 1;
        match reply {
            Reply::Missing => self.miss(&piece),
            Reply::Bytes(bytes, length) => match piece.length {
                None => self.take_json(&piece.file, &bytes),
                Some(_) if piece.file.ends_with(".gguf") => self.take_gguf(&piece, bytes, length),
                Some(_) => self.take_header(&piece, bytes, length),
            },
        }
    }

    fn miss(&mut self, piece: &Piece) -> Result<(), FieldError> {
        match piece.file.as_str() {
            CONFIG if self.searches => self.waiting.push_back(whole(ADAPTER)),
            ADAPTER if self.searches => {
                let text = "has neither config.json nor adapter_config.json; a GGUF file is named by itself, with its folder";
                return Err(problem(&self.name, "", text));
            }
            INDEX if self.searches => self.waiting.push_back(first(SINGLE)),
            SINGLE if self.searches => self.remarks.push(
                "there are no safetensors files: what is stored is taken from the configuration alone".into(),
            ),
            file => return Err(problem(file, "", format!("is missing in {}", self.name))),
        }
        Ok(())
    }

    fn take_json(&mut self, file: &str, bytes: &[u8]) -> Result<(), FieldError> {
        let last = last(file);
        if last.ends_with(".index.json") {
            let index = Index::read(bytes, file)?;
            if self.searches {
                self.waiting.extend(index.files.iter().map(|file| first(file)));
            }
            self.index = Some(index);
        } else if last == ADAPTER || (last != CONFIG && is_adapter(bytes)) {
            strict_json::read_object(bytes, file)?;
            self.adapter = Some(String::from_utf8_lossy(bytes).into_owned());
        } else {
            self.config = Some(ConfigFile::read(bytes, file)?);
            if self.searches {
                self.waiting.push_back(whole(INDEX));
            }
        }
        Ok(())
    }

    fn take_header(&mut self, piece: &Piece, bytes: Vec<u8>, length: Option<u64>) -> Result<(), FieldError> {
        self.begin(piece, bytes);
        let header = header_length(&self.begun, &piece.file)?;
        let needed = 8 + header;
        if let Some(length) = length.filter(|length| *length < needed) {
            let text = format!("{header} bytes are claimed, and the file has {length}");
            return Err(problem(&piece.file, "header length", text));
        }
        let have = self.begun.len() as u64;
        if have < needed {
            return self.go_on(piece, needed - have);
        }
        let json = self.begun.get(8..needed as usize).unwrap_or_default();
        let data = length.map(|length| length - needed);
        let read = Header::read(json, &piece.file, data)?;
        self.begun.clear();
        self.tensors.extend(read.tensors);
        if self.tensors.len() > super::MOST_TENSORS {
            return Err(problem(
                &self.name,
                "",
                format!("has more than {} tensors", super::MOST_TENSORS),
            ));
        }
        Ok(())
    }

    fn take_gguf(&mut self, piece: &Piece, bytes: Vec<u8>, length: Option<u64>) -> Result<(), FieldError> {
        let short = piece.length.is_some_and(|asked| (bytes.len() as u64) < asked);
        self.begin(piece, bytes);
        let have = self.begun.len() as u64;
        let whole = short || length.is_some_and(|length| have >= length);
        match gguf::read(&self.begun, &piece.file, whole)? {
            Progress::Longer => self.go_on(piece, have.clamp(1, gguf::LONGEST)),
            Progress::Whole(gguf) => {
                self.begun.clear();
                self.gguf = Some(*gguf);
                Ok(())
            }
        }
    }

    /// Puts a piece behind those of the same file.
    fn begin(&mut self, piece: &Piece, bytes: Vec<u8>) {
        match piece.begin {
            0 => self.begun = bytes,
            _ => self.begun.extend_from_slice(&bytes),
        }
    }

    /// Asks for the next bytes of the same file, at once.
    fn go_on(&mut self, piece: &Piece, length: u64) -> Result<(), FieldError> {
        let begin = self.begun.len() as u64;
        if begin == piece.begin {
            return Err(problem(&piece.file, "", "ends within its header"));
        }
        let file = piece.file.clone();
        self.waiting.push_front(Piece {
            file,
            begin,
            length: Some(length),
        });
        Ok(())
    }

    /// The model, by what is known so far.
    ///
    /// # Errors
    /// Neither a configuration nor a GGUF header was read.
    pub fn model(&self) -> Result<OwnModel, FieldError> {
        let mut model = match (&self.config, &self.gguf) {
            (Some(config), gguf) => {
                let tensors = gguf.as_ref().map_or(&self.tensors, |gguf| &gguf.tensors);
                OwnModel::new(&self.name, config, tensors, self.waiting.is_empty())
            }
            (None, Some(gguf)) => OwnModel::of_gguf(&self.name, gguf),
            (None, None) if self.adapter.is_some() => {
                let text =
                    "an adapter says nothing of the model it belongs to: give that one's config.json too";
                return Err(problem(ADAPTER, "", text));
            }
            (None, None) if self.tensors.iter().any(|tensor| tensor.name.contains(".lora_A.")) => {
                let text = "is needed: the safetensors file holds an adapter";
                return Err(problem(ADAPTER, "", text));
            }
            (None, None) => {
                let text =
                    "is needed beside the safetensors files: they name tensors, and not how they are used";
                return Err(problem(CONFIG, "", text));
            }
        };
        model.remarks.extend(self.remarks.iter().cloned());
        model.notice_size(self.index.as_ref().and_then(|index| index.total_size));
        Ok(model)
    }
}

/// `adapter_config.json` under another name.
fn is_adapter(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|window| window == b"\"peft_type\"")
}

#[cfg(test)]
mod tests;
