//! A search under way: names in folders, bounded, and what was found under them.
//!
//! Outside: the layouts of single programs.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use paddock_checkpoint::{missing_shard, names};

use crate::entry::ModelSource;

/// Names that are looked at in one search; a folder of a million files must not hold the window up.
const MOST_NAMES: usize = 50_000;
/// Names that are looked at in one folder.
const MOST_NAMES_A_FOLDER: usize = 5_000;
/// Sentences about what was passed over.
const MOST_NOTES: usize = 50;
/// Folders in a model's folder that are looked into for GGUF files, as deep as publishers nest them (`UD-Q4_K_XL/...`).
const GGUF_DEPTH: u32 = 2;

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

/// A search under way.
#[derive(Debug)]
pub struct Search {
    names_left: usize,
    /// Real paths of what was found.
    seen: HashSet<PathBuf>,
    found: Discovery,
}

/// One name in a folder.
#[derive(Debug)]
pub struct Entry {
    pub name: String,
    pub path: PathBuf,
    /// None: a link to nothing.
    pub kind: Option<Kind>,
}

impl Entry {
    fn is_file(&self) -> bool {
        self.kind == Some(Kind::File)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Folder,
    File,
}

impl Search {
    pub fn new() -> Self {
        Self {
            names_left: MOST_NAMES,
            seen: HashSet::new(),
            found: Discovery::default(),
        }
    }

    pub fn end(self) -> Discovery {
        self.found
    }

    pub fn note(&mut self, sentence: String) {
        if self.found.notes.len() < MOST_NOTES {
            self.found.notes.push(sentence);
        }
    }

    /// The names in a folder, sorted; links are followed. A folder that is not there is empty, one that cannot be read is
    /// noted.
    pub fn list(&mut self, folder: &Path) -> Vec<Entry> {
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
    pub fn add(&mut self, model: FoundModel) {
        let real = std::fs::canonicalize(&model.path).unwrap_or_else(|_| model.path.clone());
        if self.seen.insert(real) {
            self.found.models.push(model);
        }
    }

    /// Adds the models of one folder: itself if it has a configuration with weights, else each GGUF file in it and below.
    /// Returns whether there was any.
    pub fn add_folder(
        &mut self,
        folder: &Path,
        source: ModelSource,
        name: &str,
        repository: Option<String>,
    ) -> bool {
        let entries = self.list(folder);
        let configured = entries.iter().any(|entry| entry.name == "config.json");
        let mut weights = entries
            .iter()
            .filter(|entry| names::is_weights(&entry.name) && !names::is_gguf(&entry.name))
            .peekable();
        if configured && weights.peek().is_some() {
            let lacking = if weights.all(Entry::is_file) {
                missing_shard(entries.iter().map(|entry| entry.name.as_str()))
                    .map(|missing| format!("{missing} is missing"))
            } else {
                Some("a part of its weights is missing".to_owned())
            };
            match lacking {
                None => {
                    self.add(FoundModel {
                        path: folder.to_owned(),
                        name: name.to_owned(),
                        source,
                        repository,
                        projector: false,
                    });
                    return true;
                }
                Some(lacking) => {
                    self.note(format!("{} was passed over: {lacking}.", folder.display()))
                }
            }
        }
        let any = self.add_ggufs(&entries, source, repository.as_ref(), false, GGUF_DEPTH);
        if !any && configured && entries.iter().any(|entry| names::is_pickle(&entry.name)) {
            self.note(format!(
                "{} was passed over: its weights are pickled Python files.",
                folder.display()
            ));
        }
        any
    }

    /// Adds the GGUF models among these names, and in folders among them so many levels deep. One that is not there (a link
    /// to a disk that is not connected) takes no other with it.
    pub fn add_ggufs(
        &mut self,
        entries: &[Entry],
        source: ModelSource,
        repository: Option<&String>,
        projector_above: bool,
        depth: u32,
    ) -> bool {
        let projector =
            projector_above || entries.iter().any(|entry| names::is_projector(&entry.name));
        let mut any = false;
        for entry in entries {
            if entry.kind == Some(Kind::Folder) {
                if depth > 0 {
                    let below = self.list(&entry.path);
                    any |= self.add_ggufs(&below, source, repository, projector, depth - 1);
                }
                continue;
            }
            let Some(stem) = names::gguf_stem(&entry.name) else {
                continue;
            };
            let split = names::split_stem(&entry.name);
            let whole = entry.is_file()
                && entries
                    .iter()
                    .filter(|part| split.is_some() && names::split_stem(&part.name) == split)
                    .all(Entry::is_file);
            if !whole {
                self.note(format!(
                    "{} was passed over: a part of its weights is missing.",
                    entry.path.display()
                ));
                continue;
            }
            any = true;
            self.add(FoundModel {
                path: entry.path.clone(),
                name: stem.to_owned(),
                source,
                repository: repository.cloned(),
                projector,
            });
        }
        any
    }
}
