//! Files of a local folder.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::Source;
use crate::checkpoint::{LONGEST_FILE, Piece, Reply};

pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub fn new(path: &Path) -> Self {
        Folder { path: path.into() }
    }
}

impl Source for Folder {
    fn read(&self, piece: &Piece) -> Result<Reply, String> {
        let path = self.path.join(&piece.file);
        let in_words = |error: std::io::Error| format!("{}: {error}", path.display());
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Reply::Missing),
            Err(error) => return Err(in_words(error)),
        };
        let length = file.metadata().map_err(in_words)?.len();
        file.seek(SeekFrom::Start(piece.begin)).map_err(in_words)?;
        let mut bytes = Vec::new();
        let most = piece.length.unwrap_or(LONGEST_FILE);
        file.take(most).read_to_end(&mut bytes).map_err(in_words)?;
        if piece.length.is_none() && length > LONGEST_FILE {
            return Err(format!(
                "{}: is {length} bytes long; a configuration is shorter than {LONGEST_FILE}",
                path.display()
            ));
        }
        Ok(Reply::Bytes(bytes, Some(length)))
    }
}
