//! The measuring programs, carried within the binary, and the Python that runs them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::scenario::Stack;

/// Every file of the measuring programs.
const FILES: &[(&str, &str)] = &[
    ("watch.py", include_str!("../../measure/watch.py")),
    ("history.py", include_str!("../../measure/history.py")),
    ("folder.py", include_str!("../../measure/folder.py")),
    ("hf.py", include_str!("../../measure/hf.py")),
    ("with_unsloth.py", include_str!("../../measure/with_unsloth.py")),
];

/// The programs on disk, for as long as this lives; model folders are made beside them and go with them.
pub(super) struct Programs {
    folder: TempDir,
    python: PathBuf,
}

impl Programs {
    /// Writes them out for a Python.
    pub fn write(python: PathBuf) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("plimsoll-").tempdir()?;
        for (name, text) in FILES {
            fs::write(folder.path().join(name), text)?;
        }
        Ok(Programs { folder, python })
    }

    /// The command that runs the program of a stack; it wants its job on standard input.
    pub fn command(&self, stack: Stack) -> Command {
        let file = match stack {
            Stack::Hf => "hf.py",
            Stack::Unsloth => "with_unsloth.py",
        };
        let mut command = Command::new(&self.python);
        command
            .arg("-u")
            .arg(self.folder.path().join(file))
            // Libraries write caches into the working directory, and model folders into the temporary one.
            .current_dir(self.folder.path())
            .env("TMPDIR", self.folder.path())
            .env("PYTHONIOENCODING", "utf-8");
        command
    }
}

/// A Python that starts: the one that is named, or the active environment's, or the system's.
///
/// # Errors
/// A sentence with the way on.
pub(super) fn find_python(named: Option<&Path>) -> Result<PathBuf, String> {
    const WAY_ON: &str = "name one with --python, such as venv/bin/python of an environment with torch in it";
    if let Some(named) = named {
        // Programs run in a folder of their own: a path that is relative to this one is made whole.
        let whole = if named.components().count() > 1 {
            std::path::absolute(named).unwrap_or_else(|_| named.into())
        } else {
            named.into()
        };
        return match starts(&whole) {
            Ok(()) => Ok(whole),
            Err(error) => Err(format!("{}: {error}; {WAY_ON}", named.display())),
        };
    }
    let environments = ["VIRTUAL_ENV", "CONDA_PREFIX"]
        .into_iter()
        .filter_map(std::env::var_os);
    let inside = if cfg!(windows) { "python.exe" } else { "bin/python" };
    environments
        .map(|environment| Path::new(&environment).join(inside))
        .chain(["python3".into(), "python".into()])
        .find(|python| starts(python).is_ok())
        .ok_or_else(|| format!("no Python was found; {WAY_ON}"))
}

fn starts(python: &Path) -> Result<(), String> {
    let status = Command::new(python)
        .args(["-c", ""])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("does not run as Python ({status})")),
        Err(error) => Err(error.to_string()),
    }
}
