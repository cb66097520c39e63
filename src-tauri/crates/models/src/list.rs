//! The list of models that the user can choose from: the demo model, those that were added or downloaded, and those that
//! other programs keep on this computer; one at a time, in an order that stays.
//!
//! Outside: reading checkpoints (the checkpoint crate), the layouts of other programs' folders (`discover`), keeping what was
//! added (`models`).

use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use paddock_checkpoint::{CheckpointError, Family, config, text_only};
use paddock_conversation::ModelId;

use crate::discover::{Discovery, FoundModel, discover};
use crate::entry::{ModelEntry, ModelSource};
use crate::places::ModelPlaces;
use crate::reading::Readings;

/// Where models lie.
#[derive(Debug, Clone, Default)]
pub struct ModelFolders {
    /// The model that ships with Paddock.
    pub demo_model: PathBuf,
    /// What Paddock downloads lies in it.
    pub data_folder: PathBuf,
    /// Where other programs keep models.
    pub places: ModelPlaces,
}

/// The lines of the list, each read when it is asked for. Blocks, a tenth of a second a model at most.
#[derive(Debug)]
pub struct ModelList {
    folders: ModelFolders,
    readings: Arc<Readings>,
    next: VecDeque<Candidate>,
    /// Other programs' folders are searched after all else was listed.
    searched: bool,
    seen: HashSet<PathBuf>,
}

#[derive(Debug)]
enum Candidate {
    Demo,
    Added(String),
    Found(FoundModel),
}

impl ModelList {
    /// `added` are the paths that were added or downloaded, in their order.
    #[must_use]
    pub fn new(folders: ModelFolders, readings: Arc<Readings>, added: Vec<String>) -> Self {
        let mut next = VecDeque::from([Candidate::Demo]);
        next.extend(added.into_iter().map(Candidate::Added));
        Self {
            folders,
            readings,
            next,
            searched: false,
            seen: HashSet::new(),
        }
    }

    /// Each model once, however many ways lead to it.
    fn is_new(&mut self, path: &Path) -> bool {
        self.seen
            .insert(std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))
    }

    fn line(&mut self, candidate: &Candidate) -> Option<ModelEntry> {
        match candidate {
            Candidate::Demo => {
                let path = self.folders.demo_model.clone();
                self.is_new(&path);
                Some(demo_line(&self.readings, &path))
            }
            Candidate::Added(text) => {
                let path = Path::new(text);
                self.is_new(path)
                    .then(|| added_line(&self.readings, text, &self.folders.data_folder))
            }
            Candidate::Found(model) => {
                if !self.is_new(&model.path) {
                    return None;
                }
                found_line(&self.readings, model)
            }
        }
    }
}

impl Iterator for ModelList {
    type Item = ModelEntry;

    fn next(&mut self) -> Option<ModelEntry> {
        loop {
            let Some(candidate) = self.next.pop_front() else {
                if self.searched {
                    return None;
                }
                self.searched = true;
                let found = search(&self.folders.places);
                self.next
                    .extend(found.models.into_iter().map(Candidate::Found));
                continue;
            };
            if let Some(line) = self.line(&candidate) {
                return Some(line);
            }
        }
    }
}

/// What other programs keep; nothing if searching for it fails, which takes nothing else with it.
pub(crate) fn search(places: &ModelPlaces) -> Discovery {
    let found = catch_unwind(AssertUnwindSafe(|| discover(places))).unwrap_or_else(|_| {
        tracing::error!("searching for other programs' models panicked");
        Discovery::default()
    });
    for note in &found.notes {
        tracing::debug!("{note}");
    }
    found
}

pub(crate) fn demo_line(readings: &Readings, path: &Path) -> ModelEntry {
    match &*readings.of(path) {
        Ok(known) => ModelEntry::demo(&known.checkpoint),
        Err(error) => ModelEntry::from_problem(ModelId::demo(), path, error.failure()),
    }
}

/// One line for an added path, whatever state the model is in.
pub(crate) fn added_line(readings: &Readings, text: &str, data_folder: &Path) -> ModelEntry {
    let (id, path) = (ModelId::local(text), Path::new(text));
    let line = match &*readings.of(path) {
        Ok(known) => ModelEntry::from_checkpoint(id, &known.checkpoint),
        Err(error) => ModelEntry::from_problem(id, path, error.failure()),
    };
    line.with_source(if path.starts_with(data_folder) {
        ModelSource::Downloaded
    } else {
        ModelSource::Added
    })
}

/// A line for a model of another program. `None` for what no conversation can be held with: models that embed or classify
/// text.
#[must_use]
pub fn found_line(readings: &Readings, found: &FoundModel) -> Option<ModelEntry> {
    let id = ModelId::local(found.path.to_str()?);
    let mut line = match &*readings.of(&found.path) {
        Ok(known) if !converses(&known.checkpoint.architecture) => return None,
        Ok(known) => ModelEntry::from_checkpoint(id, &known.checkpoint),
        Err(error) if !may_converse(&found.path, error) => return None,
        Err(error) => ModelEntry::from_problem(id, &found.path, error.failure()),
    };
    line.name.clone_from(&found.name);
    if found.projector && line.ready {
        line.problem.get_or_insert_with(|| text_only(&found.name));
    }
    Some(line.with_source(found.source))
}

/// By a class name of transformers or an architecture of a GGUF file.
fn converses(architecture: &str) -> bool {
    let lower = architecture.to_ascii_lowercase();
    let known = Family::of_architecture(architecture).name != architecture;
    let class = lower.ends_with("forcausallm") || lower.ends_with("forconditionalgeneration");
    // GGUF architectures are in small letters and say what does not converse.
    let gguf = architecture == lower && !lower.contains("bert") && !lower.contains("embed");
    known || class || gguf
}

/// Whether a model whose files could not be read is worth a line.
fn may_converse(path: &Path, error: &CheckpointError) -> bool {
    match error {
        CheckpointError::NoModel { .. } | CheckpointError::NotFound { .. } => false,
        _ if path.is_dir() => {
            config::architecture_of_folder(path).is_none_or(|architecture| converses(&architecture))
        }
        // A projector alone.
        CheckpointError::Unsupported { .. } => false,
        _ => true,
    }
}
