//! Models that other programs have put on this computer: found by their folders and used where they lie, never copied,
//! changed or deleted.
//!
//! Outside: models that the user chose or downloaded with Paddock, and loading.

mod hugging_face;
mod lm_studio;
mod ollama;

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use paddock_conversation::{Failure, ModelId};

pub(crate) use hugging_face::newest_snapshot;

use crate::{CheckpointError, ModelEntry, ModelSource, inspect_headers};

/// Names that are looked at in one search; a folder of a million files must not hold the window up.
const MOST_NAMES: usize = 50_000;
/// Names that are looked at in one folder.
const MOST_NAMES_A_FOLDER: usize = 5_000;
/// Sentences about what was passed over.
const MOST_NOTES: usize = 50;

/// The folders in which other programs keep models. Those that do not exist are of no harm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelPlaces {
    /// `hub` folders of Hugging Face's cache.
    pub hugging_face: Vec<PathBuf>,
    pub lm_studio: Vec<PathBuf>,
    /// Folders with `manifests` and `blobs`.
    pub ollama: Vec<PathBuf>,
}

impl ModelPlaces {
    /// The usual folders of a user, and those that environment variables name (`HF_HUB_CACHE`, `HF_HOME`,
    /// `OLLAMA_MODELS`...). Looks at nothing on disk.
    #[must_use]
    pub fn of_user(
        home: Option<&Path>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> ModelPlaces {
        let named = |name: &str| {
            variable(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let at_home = |path: &str| home.map(|home| home.join(path));
        let cache = named("XDG_CACHE_HOME").map(|cache| cache.join("huggingface/hub"));
        ModelPlaces {
            hugging_face: [
                named("HF_HUB_CACHE"),
                named("HUGGINGFACE_HUB_CACHE"),
                named("HF_HOME").map(|folder| folder.join("hub")),
                cache,
                at_home(".cache/huggingface/hub"),
            ]
            .into_iter()
            .flatten()
            .collect(),
            lm_studio: [".lmstudio/models", ".cache/lm-studio/models"]
                .into_iter()
                .filter_map(at_home)
                .collect(),
            ollama: [
                named("OLLAMA_MODELS"),
                at_home(".ollama/models"),
                // Where its service keeps them on Linux.
                Some(PathBuf::from("/usr/share/ollama/.ollama/models")),
            ]
            .into_iter()
            .flatten()
            .collect(),
        }
    }
}

/// A model that another program keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundModel {
    /// What the engine is given: a folder or a GGUF file.
    pub path: PathBuf,
    /// Name for people: the repository's, the file's, or Ollama's (`llama3.2:3b`).
    pub name: String,
    pub source: ModelSource,
    /// `owner/name` where the folders tell it.
    pub repository: Option<String>,
    /// It came with an image projector, which the engine cannot use.
    pub projector: bool,
}

/// What a search came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discovery {
    /// In the order of the places, then by name; each file once, however many names it has.
    pub models: Vec<FoundModel>,
    /// What was passed over and why, a sentence each.
    pub notes: Vec<String>,
}

/// Looks through the places. Reads names and manifests only; blocks for milliseconds.
#[must_use]
pub fn discover(places: &ModelPlaces) -> Discovery {
    let mut search = Search {
        names_left: MOST_NAMES,
        seen: HashSet::new(),
        found: Discovery::default(),
    };
    for folder in &places.hugging_face {
        hugging_face::search(&mut search, folder);
    }
    for folder in &places.lm_studio {
        lm_studio::search(&mut search, folder);
    }
    for folder in &places.ollama {
        ollama::search(&mut search, folder);
    }
    search.found
}

/// A line of the list for a found model, from its headers. `None` for what no conversation can be held with: models that
/// embed or classify text.
#[must_use]
pub fn found_entry(found: &FoundModel) -> Option<ModelEntry> {
    let id = ModelId::local(found.path.to_str()?);
    let mut entry = match inspect_headers(&found.path) {
        Ok(checkpoint) if !converses(&checkpoint.architecture) => return None,
        Ok(checkpoint) => ModelEntry::from_checkpoint(id, &checkpoint),
        Err(error) if !may_converse(&found.path, &error) => return None,
        Err(error) => ModelEntry::from_problem(id, &found.path, &error),
    };
    entry.name.clone_from(&found.name);
    if found.projector && entry.ready {
        entry.problem.get_or_insert_with(|| text_only(&found.name));
    }
    Some(entry.with_source(found.source))
}

/// What to know of a GGUF model whose projector is there.
pub(crate) fn text_only(name: &str) -> Failure {
    Failure::new(
        "modelCannotSee",
        format!("{name} answers about text only: the engine takes no pictures with GGUF models."),
        "For pictures, choose the safetensors version of the model.",
    )
}

/// By a class name of transformers or an architecture of a GGUF file.
fn converses(architecture: &str) -> bool {
    let lower = architecture.to_ascii_lowercase();
    let known = crate::Family::of_architecture(architecture).name != architecture;
    let class = lower.ends_with("forcausallm") || lower.ends_with("forconditionalgeneration");
    // GGUF architectures are in small letters and say what does not converse.
    let gguf = architecture == lower && !lower.contains("bert") && !lower.contains("embed");
    known || class || gguf
}

/// Whether a model whose headers could not be read is worth a line.
fn may_converse(path: &Path, error: &CheckpointError) -> bool {
    match error {
        CheckpointError::NoModel { .. } | CheckpointError::NotFound { .. } => false,
        // A projector alone.
        CheckpointError::Unsupported { .. } => false,
        _ if path.is_dir() => crate::config::architecture_of_folder(path)
            .is_none_or(|architecture| converses(&architecture)),
        _ => true,
    }
}

/// A search under way.
struct Search {
    names_left: usize,
    /// Real paths of what was found.
    seen: HashSet<PathBuf>,
    found: Discovery,
}

/// One name in a folder.
struct Entry {
    name: String,
    path: PathBuf,
    /// None: a link to nothing.
    kind: Option<Kind>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folder,
    File,
}

impl Search {
    fn note(&mut self, sentence: String) {
        if self.found.notes.len() < MOST_NOTES {
            self.found.notes.push(sentence);
        }
    }

    /// The names in a folder, sorted; links are followed. A folder that is not there is empty, one that cannot be read is
    /// noted.
    fn list(&mut self, folder: &Path) -> Vec<Entry> {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                self.note(format!("{} cannot be read: {error}.", folder.display()));
                return Vec::new();
            }
        };
        let most = MOST_NAMES_A_FOLDER.min(self.names_left);
        let mut list: Vec<Entry> = Vec::new();
        for entry in entries.flatten() {
            if list.len() == most {
                self.note(format!(
                    "{} has too many files; the rest was not looked at.",
                    folder.display()
                ));
                break;
            }
            let path = entry.path();
            // A name that is not text cannot be a part of an id.
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let kind = std::fs::metadata(&path).ok().and_then(|meta| {
                if meta.is_dir() {
                    Some(Kind::Folder)
                } else if meta.is_file() {
                    Some(Kind::File)
                } else {
                    None
                }
            });
            list.push(Entry { name, path, kind });
        }
        self.names_left -= list.len();
        list.sort_by(|a, b| a.name.cmp(&b.name));
        list
    }

    /// Adds a model unless it was found under another name.
    fn add(&mut self, model: FoundModel) {
        let real = std::fs::canonicalize(&model.path).unwrap_or_else(|_| model.path.clone());
        if self.seen.insert(real) {
            self.found.models.push(model);
        }
    }

    /// Adds the models of one folder: itself if it has a configuration with weights, else each of its GGUF files.
    /// Returns whether there was any.
    fn add_folder(
        &mut self,
        folder: &Path,
        source: ModelSource,
        name: &str,
        repository: Option<String>,
    ) -> bool {
        let entries = self.list(folder);
        let lower = |entry: &Entry| entry.name.to_ascii_lowercase();
        let ends = |ending: &str| entries.iter().any(|entry| lower(entry).ends_with(ending));
        let whole = entries
            .iter()
            .filter(|entry| is_weights(&entry.name))
            .all(|entry| entry.kind == Some(Kind::File));
        if !whole {
            self.note(format!(
                "{} was passed over: a part of its weights is missing.",
                folder.display()
            ));
            return false;
        }
        let configured = entries.iter().any(|entry| entry.name == "config.json");
        if configured && (ends(".safetensors") || ends(".uqff")) {
            if let Some(missing) = missing_shard(entries.iter().map(|entry| entry.name.as_str())) {
                self.note(format!(
                    "{} was passed over: {missing} is missing.",
                    folder.display()
                ));
                return false;
            }
            self.add(FoundModel {
                path: folder.to_owned(),
                name: name.to_owned(),
                source,
                repository,
                projector: false,
            });
            return true;
        }
        let projector = entries.iter().any(|entry| is_projector(&entry.name));
        let mut any = false;
        for entry in &entries {
            let Some(stem) = gguf_stem(&entry.name) else {
                continue;
            };
            any = true;
            self.add(FoundModel {
                path: entry.path.clone(),
                name: stem.to_owned(),
                source,
                repository: repository.clone(),
                projector,
            });
        }
        if !any && configured && (ends(".bin") || ends(".pth")) {
            self.note(format!(
                "{} was passed over: its weights are pickled Python files.",
                folder.display()
            ));
        }
        any
    }
}

fn is_weights(name: &str) -> bool {
    let ending = Path::new(name).extension().and_then(OsStr::to_str);
    ending.is_some_and(|ending| {
        ["safetensors", "gguf", "uqff"]
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    })
}

/// Whether a file's name says that it is an image projector.
pub(crate) fn is_projector(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.ends_with(".gguf") && lower.contains("mmproj")
}

/// The name of a GGUF model: the file's without its ending. None for other files, projectors, and all parts of a split
/// file but the first.
fn gguf_stem(name: &str) -> Option<&str> {
    if !name.to_ascii_lowercase().ends_with(".gguf") || is_projector(name) {
        return None;
    }
    if let Some((stem, count)) = crate::gguf::split_stem(name) {
        return (name == crate::gguf::split_name(stem, 1, count)).then_some(stem);
    }
    name.get(..name.len() - ".gguf".len())
}

/// The first shard that the other shards' numbering promises and that is not there.
fn missing_shard<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let shards: HashSet<&str> = names
        .filter(|name| name.starts_with("model-") && name.ends_with(".safetensors"))
        .collect();
    let count: u32 = shards.iter().find_map(|name| {
        let (_, count) = name.strip_suffix(".safetensors")?.split_once("-of-")?;
        if count.len() == 5 {
            count.parse().ok()
        } else {
            None
        }
    })?;
    (1..=count)
        .map(|number| format!("model-{number:05}-of-{count:05}.safetensors"))
        .find(|name| !shards.contains(name.as_str()))
}
