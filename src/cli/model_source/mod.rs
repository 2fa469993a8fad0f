//! What `--model` names: a model of the catalog, also by a mirror's name, a folder or file, or a repository: the local
//! Hugging Face cache first, then the Hub.

mod cache;
mod folder;
mod hub;

use std::path::Path;

use super::Problems;
use crate::catalog::{self, Mirror};
use crate::checkpoint::{ADAPTER, OwnModel, Piece, Reply, Visit};
use crate::export::{Adapter, adapter};
use crate::scenario::{FieldError, ModelRef, Scenario, WeightFormat};
use folder::Folder;
use hub::Hub;

/// Where pieces of files come from.
trait Source {
    /// Reads a piece.
    ///
    /// # Errors
    /// A sentence for the user.
    fn read(&self, piece: &Piece) -> Result<Reply, String>;
}

/// What was found under a name.
pub(super) struct Found {
    pub model: Which,
    /// Where it was found, for the user.
    pub place: String,
    /// The adapter that was named instead of its base.
    pub adapter: Option<Adapter>,
    /// How the repository that was named stores a model of the catalog.
    weights: Option<WeightFormat>,
    pub warnings: Vec<String>,
}

/// The model.
pub(super) enum Which {
    /// One of the catalog.
    Catalog(String),
    /// One with files of its own.
    Own(Box<OwnModel>),
}

impl Found {
    fn catalog(id: &str) -> Self {
        Found {
            model: Which::Catalog(id.into()),
            place: "the catalog".into(),
            adapter: None,
            weights: None,
            warnings: Vec::new(),
        }
    }

    /// A model of the catalog under another owner's name.
    fn mirror(name: &str, mirror: Mirror) -> Self {
        let id = &mirror.model.id;
        let stored = match mirror.weights {
            Some(weights) => format!(" stored as {}", weights.label()),
            None => String::new(),
        };
        Found {
            weights: mirror.weights,
            warnings: vec![format!("model: '{name}' is taken for {id}{stored}")],
            ..Found::catalog(id)
        }
    }

    /// Are its files' headers known too?
    fn is_whole(&self) -> bool {
        match &self.model {
            Which::Own(own) => own.inventory.is_some(),
            Which::Catalog(_) => true,
        }
    }

    /// Puts the model, and the adapter's settings, into a run.
    pub fn apply(&self, run: &mut Scenario) {
        match &self.model {
            Which::Catalog(id) => run.model = ModelRef::Catalog(id.clone()),
            Which::Own(own) => own.apply(run),
        }
        if let Some(weights) = self.weights {
            run.set_weights(weights);
        }
        if let Some(adapter) = &self.adapter {
            adapter.apply(run);
        }
    }
}

/// Finds what a name means. Names that are neither of the catalog, a path nor a repository's stay, to be refused with the
/// nearest.
///
/// # Errors
/// Files that cannot be read, with the way on.
pub(super) fn find(name: &str) -> Result<Found, Problems> {
    let path = Path::new(name);
    if path.exists() {
        return visit_path(path, name, Adapters::Followed);
    }
    match hub_name(name) {
        _ if catalog::model(name).is_some() => Ok(Found::catalog(name)),
        Some(repository) => find_named(name, &repository, Adapters::Followed),
        None if is_file(name) => Err(Problems::one("model", format!("{name}: there is no such file"))),
        None => Ok(Found::catalog(name)),
    }
}

/// What to do with an adapter instead of a model.
#[derive(Clone, Copy)]
enum Adapters {
    /// Its base is the model.
    Followed,
    /// It is the base of one already: that may lead in a circle.
    Refused,
}

/// A repository whose name may be a mirror's.
fn find_named(name: &str, repository: &Repository, adapters: Adapters) -> Result<Found, Problems> {
    match catalog::mirror(name) {
        // The same weights under another name: nothing that its files could add.
        Some(mirror) if mirror.weights.is_none() => Ok(Found::mirror(name, mirror)),
        // Which layers are stored how is in its headers; without them, by the rule.
        Some(mirror) => find_repository(repository, adapters).or_else(|Problems(why)| {
            let mut found = Found::mirror(name, mirror);
            found.warnings.extend(why.into_iter().skip(1));
            Ok(found)
        }),
        None => find_repository(repository, adapters),
    }
}

fn is_file(name: &str) -> bool {
    [".json", ".safetensors", ".gguf"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// A repository of the Hub, perhaps one of its files, perhaps at a revision: `owner/name/file.gguf@main`.
struct Repository {
    id: String,
    file: Option<String>,
    revision: String,
}

fn hub_name(name: &str) -> Option<Repository> {
    let (path, revision) = name.split_once('@').unwrap_or((name, "main"));
    let word = |text: &str| {
        let harmless = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !text.is_empty() && !text.starts_with('.') && text.chars().all(harmless)
    };
    let parts: Vec<&str> = path.split('/').collect();
    if !parts.iter().all(|part| word(part)) || !word(revision) {
        return None;
    }
    let (id, file) = match parts[..] {
        [owner, name] if !is_file(name) => (format!("{owner}/{name}"), None),
        [owner, name, .., last] if last.ends_with(".gguf") => {
            (format!("{owner}/{name}"), Some(parts[2..].join("/")))
        }
        _ => return None,
    };
    Some(Repository {
        id,
        file,
        revision: revision.into(),
    })
}

impl Repository {
    fn visit(&self) -> Result<Visit, Problems> {
        match &self.file {
            None => Ok(Visit::of_repository(&self.id)),
            Some(file) => Ok(Visit::of_files(&self.id, std::slice::from_ref(file)).map_err(of_model)?),
        }
    }
}

/// The cache, then the Hub; a cache without weights is what is left when the Hub cannot be asked.
fn find_repository(repository: &Repository, adapters: Adapters) -> Result<Found, Problems> {
    let cached = cache::snapshot(&repository.id, &repository.revision).and_then(|folder| {
        let place = format!("the Hugging Face cache ({})", folder.display());
        walk(repository.visit().ok()?, &Folder::new(&folder), place, adapters).ok()
    });
    let cached = match cached {
        Some(found) if found.is_whole() => return Ok(found),
        partial => partial,
    };
    let asked = match hub::is_offline() {
        true => Err(Problems::one(
            "model",
            format!(
                "{} is not in the local cache, and HF_HUB_OFFLINE is set",
                repository.id
            ),
        )),
        false => Hub::new(&repository.id, &repository.revision).and_then(|hub| {
            let place = hub.place();
            walk(repository.visit()?, &hub, place, adapters)
        }),
    };
    match (asked, cached) {
        (Ok(found), _) => Ok(found),
        (Err(Problems(problems)), Some(mut found)) => {
            found.warnings.extend(problems);
            Ok(found)
        }
        (Err(Problems(mut problems)), None) => {
            let near = catalog::nearest_models(&repository.id, 3);
            let names: Vec<&str> = near.iter().map(|model| model.id.as_str()).collect();
            let nearest = match names.is_empty() {
                true => String::new(),
                false => format!("; nearest are {}", names.join(", ")),
            };
            let text = format!("model: '{}' is not in the catalog{nearest}", repository.id);
            problems.insert(0, text);
            Err(Problems(problems))
        }
    }
}

fn visit_path(path: &Path, name: &str, adapters: Adapters) -> Result<Found, Problems> {
    let full = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let label = |of: &Path| {
        of.file_stem()
            .map_or(name.into(), |stem| stem.to_string_lossy().into_owned())
    };
    if full.is_dir() {
        let label = full
            .file_name()
            .map_or(name.into(), |last| last.to_string_lossy().into_owned());
        return walk(
            Visit::of_repository(&label),
            &Folder::new(&full),
            name.into(),
            adapters,
        );
    }
    let (Some(folder), Some(file)) = (full.parent(), full.file_name().and_then(|file| file.to_str())) else {
        return Err(Problems::one("model", format!("{name}: is no file")));
    };
    let mut files = vec![file.to_owned()];
    if file.ends_with(".index.json") {
        let label = label(folder);
        return walk(
            Visit::of_repository(&label),
            &Folder::new(folder),
            name.into(),
            adapters,
        );
    }
    // Headers name tensors; what they are for is said beside them.
    if file.ends_with(".safetensors") && folder.join("config.json").exists() {
        files.push("config.json".into());
    }
    let label = match file {
        "config.json" => label(folder),
        _ => label(&full),
    };
    walk(
        Visit::of_files(&label, &files).map_err(of_model)?,
        &Folder::new(folder),
        name.into(),
        adapters,
    )
}

fn of_model(problem: FieldError) -> Problems {
    Problems::one("model", problem)
}

/// Reads everything a visit asks for.
fn walk(mut visit: Visit, source: &dyn Source, place: String, adapters: Adapters) -> Result<Found, Problems> {
    while let Some(piece) = visit.wanted().cloned() {
        let reply = source
            .read(&piece)
            .map_err(|sentence| Problems::one("model", sentence))?;
        visit.take(reply).map_err(of_model)?;
    }
    match (visit.adapter(), adapters) {
        (Some(text), Adapters::Followed) if !visit.has_config() => with_base(text),
        _ => {
            let model = visit.model().map_err(of_model)?;
            Ok(Found {
                model: Which::Own(Box::new(model)),
                place,
                adapter: None,
                weights: None,
                warnings: Vec::new(),
            })
        }
    }
}

/// An adapter: its settings, and the model it belongs to.
fn with_base(text: &str) -> Result<Found, Problems> {
    let adapter = adapter(text).map_err(|reason| Problems::one("model", format!("{ADAPTER}: {reason}")))?;
    let base = adapter.base.as_str();
    let mut found = match catalog::model(base) {
        Some(model) => Found::catalog(&model.id),
        None => match (Path::new(base).join("config.json").exists(), hub_name(base)) {
            (true, _) => visit_path(Path::new(base), base, Adapters::Refused)?,
            (false, Some(repository)) => find_named(base, &repository, Adapters::Refused)?,
            (false, None) => {
                let text = format!("the adapter belongs to '{base}', which is not here; give that model");
                return Err(Problems::one("model", text));
            }
        },
    };
    let remarks = adapter
        .remarks
        .iter()
        .map(|remark| format!("{ADAPTER}: {remark}"));
    found.warnings.extend(remarks);
    found.adapter = Some(adapter);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::hub_name;

    #[test]
    fn names_of_repositories_are_told_from_paths() {
        let of = |name| hub_name(name).map(|r| (r.id, r.file, r.revision));
        let some = |id: &str, file: Option<&str>, revision: &str| {
            Some((id.to_owned(), file.map(Into::into), revision.to_owned()))
        };
        assert_eq!(of("a/b"), some("a/b", None, "main"));
        assert_eq!(of("a/b@v1.0"), some("a/b", None, "v1.0"));
        assert_eq!(of("a/b/c.gguf"), some("a/b", Some("c.gguf"), "main"));
        for name in [
            "a",
            "a/b/c",
            "./a",
            "../a/b",
            "/a/b",
            "a b/c",
            "a/b.json",
            "a/../b.gguf",
            "a/b@",
            "a/b?x",
        ] {
            assert_eq!(of(name), None, "{name}");
        }
    }
}
