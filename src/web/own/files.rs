//! Files of the user's: of large ones only the pieces that are asked for are read.

use crate::checkpoint::{ADAPTER, LONGEST_FILE, Piece, Reply};
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen_futures::JsFuture;
use web_sys::{File, FileList};

/// What the user dropped, chose or pasted.
pub struct Files {
    files: Vec<File>,
    pasted: Option<String>,
}

impl Files {
    /// Files as a browser lists them; of a folder those that lie in it, and not deeper.
    pub fn listed(list: &FileList) -> Self {
        let files = (0..list.length()).filter_map(|index| list.item(index));
        let files = files.filter(|file| depth(file) <= 1).collect();
        Files { files, pasted: None }
    }

    /// A text, taken for a `config.json` or an `adapter_config.json`.
    pub fn pasted(text: String) -> Self {
        Files {
            files: Vec::new(),
            pasted: Some(text),
        }
    }

    /// Their names.
    pub fn names(&self) -> Vec<String> {
        match &self.pasted {
            Some(text) if text.contains("\"peft_type\"") => vec![ADAPTER.into()],
            Some(_) => vec!["config.json".into()],
            None => self.files.iter().map(File::name).collect(),
        }
    }

    /// A name for the model: that of its weights, where one file has them.
    pub fn label(&self) -> String {
        let names = self.names();
        let weights: Vec<&String> = names
            .iter()
            .filter(|name| is_weights(name) && !name.starts_with("model") && !name.starts_with("adapter_"))
            .collect();
        match weights[..] {
            [name] => name
                .rsplit_once('.')
                .map_or(name.as_str(), |(stem, _)| stem)
                .to_owned(),
            _ => String::new(),
        }
    }

    /// Reads a piece.
    ///
    /// # Errors
    /// A sentence for the user.
    pub async fn read(&self, piece: &Piece) -> Result<Reply, String> {
        if let Some(text) = &self.pasted {
            return Ok(Reply::Bytes(text.clone().into_bytes(), None));
        }
        let Some(file) = self.files.iter().find(|file| file.name() == piece.file) else {
            return Ok(Reply::Missing);
        };
        let size = file.size();
        let most = piece.length.unwrap_or(LONGEST_FILE);
        if piece.length.is_none() && size > most as f64 {
            return Err(format!(
                "{}: is {size} bytes long; a configuration is shorter than {most}",
                piece.file
            ));
        }
        let end = (piece.begin + most) as f64;
        let unreadable = |_| format!("{}: cannot be read; was it moved or changed?", piece.file);
        let part = file
            .slice_with_f64_and_f64(piece.begin as f64, end.min(size))
            .map_err(unreadable)?;
        let buffer = JsFuture::from(part.array_buffer()).await.map_err(unreadable)?;
        Ok(Reply::Bytes(Uint8Array::new(&buffer).to_vec(), Some(size as u64)))
    }
}

fn is_weights(name: &str) -> bool {
    name.ends_with(".safetensors") || name.ends_with(".gguf")
}

/// How many folders a chosen folder's file lies in, that one included.
fn depth(file: &File) -> usize {
    let path = Reflect::get(file, &"webkitRelativePath".into());
    let path = path.ok().and_then(|path| path.as_string());
    path.map_or(0, |path| path.matches('/').count())
}
