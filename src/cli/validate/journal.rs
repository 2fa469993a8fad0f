//! The file of records: each is written and flushed before the next run starts.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::validate::Record;

/// A file that records are appended to.
pub(super) struct Journal {
    path: PathBuf,
    file: Option<File>,
    /// What it holds.
    pub records: Vec<Record>,
    /// Lines that are no records, such as the last one of a validation that was killed while writing it.
    pub broken: usize,
}

impl Journal {
    /// Reads what is there. Nothing is created before the first record.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut journal = Journal {
            path: path.into(),
            file: None,
            records: Vec::new(),
            broken: 0,
        };
        let text = match std::fs::metadata(path) {
            // A device or a pipe is written to, not read.
            Ok(found) if !found.is_file() => Vec::new(),
            Ok(_) => std::fs::read(path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        for line in text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.trim_ascii().is_empty())
        {
            match serde_json::from_slice(line) {
                Ok(record) => journal.records.push(record),
                Err(_) => journal.broken += 1,
            }
        }
        Ok(journal)
    }

    /// Appends a record and sees to it that it is on the disk.
    ///
    /// # Errors
    /// The disk is full, or the file cannot be written; the record is kept in memory.
    pub fn append(&mut self, record: Record) -> io::Result<()> {
        let line = serde_json::to_string(&record)? + "\n";
        self.records.push(record);
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(open(&self.path)?),
        };
        file.write_all(line.as_bytes())?;
        file.flush()?;
        match file.sync_data() {
            // What is no file on a disk cannot be synchronised.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            done => done,
        }
    }

    /// The record of a run, if it is settled.
    pub fn settled(&self, id: &str) -> Option<&Record> {
        let of_run = |record: &&Record| record.id == id && record.outcome.is_settled();
        self.records.iter().rfind(of_run)
    }
}

/// Opens for appending, behind a line end: a line that was cut off must not spoil the next.
fn open(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    if file.metadata()?.is_file() && file.metadata()?.len() > 0 {
        let mut reader = File::open(path)?;
        let mut last = [0];
        reader.seek(SeekFrom::End(-1))?;
        reader.read_exact(&mut last)?;
        if last != [b'\n'] {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}
