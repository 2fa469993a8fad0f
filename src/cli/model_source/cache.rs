//! The local cache of huggingface_hub (`huggingface_hub/constants.py`, `file_download.py: repo_folder_name`).

use std::env;
use std::fs;
use std::path::PathBuf;

/// A variable that is set and not empty.
pub(super) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// Where huggingface_hub keeps things: `HF_HOME`, else below the user's cache.
pub(super) fn home() -> Option<PathBuf> {
    let cache = || match variable("XDG_CACHE_HOME") {
        Some(cache) => Some(PathBuf::from(cache)),
        None => Some(env::home_dir()?.join(".cache")),
    };
    variable("HF_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(cache()?.join("huggingface")))
}

/// The folder of a repository's files at a revision, if it has been downloaded.
pub(super) fn snapshot(id: &str, revision: &str) -> Option<PathBuf> {
    let named = variable("HF_HUB_CACHE").or_else(|| variable("HUGGINGFACE_HUB_CACHE"));
    let hub = named.map(PathBuf::from).or_else(|| Some(home()?.join("hub")))?;
    let repository = hub.join(format!("models--{}", id.replace('/', "--")));
    let commit = fs::read_to_string(repository.join("refs").join(revision));
    let commit = commit.unwrap_or_else(|_| revision.to_owned());
    let folder = repository.join("snapshots").join(commit.trim());
    folder.is_dir().then_some(folder)
}
