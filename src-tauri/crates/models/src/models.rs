//! The owner of the models on this computer: which there are, adding and forgetting them, and what an id means.
//!
//! Outside: which of them is chosen and how it is loaded (the settings), running them (the engines), and the Hub.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use futures_util::{Stream, stream};
use paddock_checkpoint::place::model_path;
use paddock_checkpoint::{Checkpoint, inspect};
use paddock_conversation::{Failure, ModelId};
use paddock_store::Store;
use tokio::sync::mpsc;

use crate::catalogue;
use crate::discover::FoundModel;
use crate::entry::{ModelEntry, ModelSource};
use crate::error::ModelsError;
use crate::fit::FitModel;
use crate::list::{ModelFolders, ModelList, added_line, demo_line, found_line, search};
use crate::questions::{FitTarget, catalogued};
use crate::reading::Readings;
use crate::resolve::ResolvedModel;

/// Repositories of the Hub whose headers are kept.
const MOST_REMOTE: usize = 64;
/// Lines that are read ahead of whoever takes the list.
const LINES_AHEAD: usize = 4;

/// The models on this computer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Models(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Arc<Store>,
    folders: ModelFolders,
    readings: Arc<Readings>,
    /// Names of found models, by path: their files do not always tell them.
    found: Mutex<HashMap<String, FoundModel>>,
    /// By the names of repositories, while the window is open: a plan is made with every move of a slider.
    remote: Mutex<HashMap<String, FitModel>>,
}

/// A model that was taken out of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Forgotten {
    /// Choose this model if the forgotten one is the chosen one; none if it stays in the list, because another program keeps
    /// it too.
    pub choose_instead: Option<ModelId>,
}

/// What a question about memory is about.
#[derive(Debug, Clone)]
pub enum FitSubject {
    /// `id` is the model's, or its catalogue entry's.
    Known { id: String, model: Box<FitModel> },
    /// A repository of the Hub whose headers have to be read, see [`Models::keep_remote`].
    Remote { repository: String },
}

impl Models {
    /// Reads nothing yet.
    #[must_use]
    pub fn new(store: Arc<Store>, folders: ModelFolders) -> Self {
        Self(Arc::new(Inner {
            store,
            folders,
            readings: Arc::default(),
            found: Mutex::default(),
            remote: Mutex::default(),
        }))
    }

    /// The list, each line read when it is asked for. Blocks.
    ///
    /// # Errors
    /// The store fails.
    pub fn list_now(&self) -> Result<ModelList, ModelsError> {
        let added = self.0.store.local_models()?;
        Ok(ModelList::new(
            self.0.folders.clone(),
            self.0.readings.clone(),
            added,
        ))
    }

    /// The list: the demo model, those that were added or downloaded, then what other programs keep. A line comes as soon as
    /// its files are read; a model that cannot be used has its reason. Must be called inside a tokio runtime.
    pub fn list(&self) -> impl Stream<Item = Result<ModelEntry, ModelsError>> + Send + use<> {
        let (sender, receiver) = mpsc::channel(LINES_AHEAD);
        let models = self.clone();
        tokio::task::spawn_blocking(move || match models.list_now() {
            Ok(lines) => {
                for line in lines {
                    if sender.blocking_send(Ok(line)).is_err() {
                        return;
                    }
                }
            }
            Err(error) => {
                // Nobody waits for it if this fails.
                let _ = sender.blocking_send(Err(error));
            }
        });
        stream::unfold(receiver, |mut receiver| async {
            Some((receiver.recv().await?, receiver))
        })
    }

    /// The model that an id means: only one that is or would be listed, for a page must not be able to name any file. Blocks.
    ///
    /// # Errors
    /// It is not listed, or cannot be loaded.
    pub fn resolve(&self, id: &ModelId) -> Result<Arc<ResolvedModel>, ModelsError> {
        let place = self.place(id)?;
        let reading = self.0.readings.of(&place.path);
        let known = match &*reading {
            Ok(known) => known,
            Err(error) => return Err(ModelsError::Refused(error.failure())),
        };
        if let Some(failure) = &known.checkpoint.blocking {
            return Err(ModelsError::Refused(failure.clone()));
        }
        let name = place.name.unwrap_or_else(|| {
            if id.is_demo() {
                ModelEntry::demo(&known.checkpoint).name
            } else {
                known.checkpoint.name.clone()
            }
        });
        Ok(Arc::new(ResolvedModel::new(id, name, &place.path, known)))
    }

    /// Adds a folder or GGUF file to the list; of a safetensors file, its folder. Blocks.
    ///
    /// # Errors
    /// It is no model (nothing is added), or the store fails.
    pub fn add(&self, path: &Path) -> Result<ModelEntry, ModelsError> {
        let path = real(&model_path(path));
        let demo = &self.0.folders.demo_model;
        if std::fs::canonicalize(demo).is_ok_and(|demo| demo == path) {
            return Ok(demo_line(&self.0.readings, demo));
        }
        if let Err(error) = &*self.0.readings.of(&path) {
            return Err(ModelsError::Refused(error.failure()));
        }
        let text = path.to_str().ok_or_else(|| {
            ModelsError::refused(
                "modelPathUnreadable",
                format!("The name of {} is not readable text.", path.display()),
                "Rename the folder or file, then choose it again.",
            )
        })?;
        self.0.store.add_local_model(text, now_ms())?;
        Ok(added_line(
            &self.0.readings,
            text,
            &self.0.folders.data_folder,
        ))
    }

    /// Takes a model out of the list; its files stay. Blocks.
    ///
    /// # Errors
    /// It is not a model of this computer, or only another program's, or the store fails.
    pub fn forget(&self, id: &ModelId) -> Result<Forgotten, ModelsError> {
        let Some(path) = id.local_path() else {
            return Err(ModelsError::NotListed { id: id.to_string() });
        };
        let added = self.0.store.local_models()?.iter().any(|text| text == path);
        let found = self.find(path);
        if !added && let Some(keeper) = found.as_ref().and_then(|found| keeper(found.source)) {
            return Err(ModelsError::refused(
                "modelOfAnotherProgram",
                format!("This model is {keeper}'s; Paddock only uses it where it lies."),
                "Remove it with the program that it belongs to.",
            ));
        }
        self.0.store.forget_local_model(path)?;
        Ok(Forgotten {
            choose_instead: found.is_none().then(ModelId::demo),
        })
    }

    /// What a question is about. A model that cannot run here is planned too, and the plan says why it cannot. Blocks.
    ///
    /// # Errors
    /// There is no such model, or it cannot be read.
    pub fn fit_subject(&self, target: &FitTarget) -> Result<FitSubject, ModelsError> {
        let known = |id: String, model: FitModel| FitSubject::Known {
            id,
            model: Box::new(model),
        };
        match target {
            FitTarget::Catalogue { id } => catalogued(id).map(|(id, model)| known(id, model)),
            FitTarget::Model { id } => {
                let place = self.place(id)?;
                match &*self.0.readings.of(&place.path) {
                    Ok(read) => Ok(known(id.to_string(), read.fit.clone())),
                    Err(error) => Err(ModelsError::Refused(error.failure())),
                }
            }
            FitTarget::Hub { repository } => {
                // A repository of the catalogue needs no network.
                if let Some(entry) = catalogue::find(repository)
                    && let Some(model) = entry.fit_model()
                {
                    return Ok(known(entry.id.clone(), model));
                }
                let remote = self.0.remote.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(match remote.get(repository) {
                    Some(model) => known(repository.clone(), model.clone()),
                    None => FitSubject::Remote {
                        repository: repository.clone(),
                    },
                })
            }
        }
    }

    /// Keeps what a repository's headers told; returns its numbers for planning.
    pub fn keep_remote(&self, repository: &str, checkpoint: &Checkpoint) -> FitModel {
        let model = FitModel::from(checkpoint);
        let mut remote = self.0.remote.lock().unwrap_or_else(PoisonError::into_inner);
        if remote.len() >= MOST_REMOTE {
            remote.clear();
        }
        remote.insert(repository.to_owned(), model.clone());
        model
    }

    /// Where a listed model lies.
    fn place(&self, id: &ModelId) -> Result<Place, ModelsError> {
        let not_listed = || ModelsError::NotListed { id: id.to_string() };
        if id.is_demo() {
            return Ok(Place {
                path: self.0.folders.demo_model.clone(),
                name: None,
            });
        }
        let text = id.local_path().ok_or_else(not_listed)?;
        let path = PathBuf::from(text);
        if self
            .0
            .store
            .local_models()?
            .iter()
            .any(|added| added == text)
        {
            return Ok(Place { path, name: None });
        }
        let found = self.find(text).ok_or_else(not_listed)?;
        // What is not listed because no conversation can be held with it is none to resolve either.
        let line = found_line(&self.0.readings, &found).ok_or_else(not_listed)?;
        Ok(Place {
            path,
            name: Some(line.name),
        })
    }

    /// Another program's model at this very path, searched for once.
    fn find(&self, path: &str) -> Option<FoundModel> {
        let kept = || self.0.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept().get(path) {
            return Some(found.clone());
        }
        let all = search(&self.0.folders.places).models;
        let mut kept = kept();
        kept.extend(all.into_iter().filter_map(|model| {
            let path = model.path.to_str()?.to_owned();
            Some((path, model))
        }));
        kept.get(path).cloned()
    }
}

struct Place {
    path: PathBuf,
    /// As it is listed, where its files do not tell.
    name: Option<String>,
}

fn keeper(source: ModelSource) -> Option<&'static str> {
    match source {
        ModelSource::HuggingFace => Some("the Hugging Face cache"),
        ModelSource::LmStudio => Some("LM Studio"),
        ModelSource::Ollama => Some("Ollama"),
        ModelSource::Demo | ModelSource::Added | ModelSource::Downloaded => None,
    }
}

/// The path without links, but for the file's own: in the Hugging Face cache a file is a link to one without a name, and
/// the parts of a split file are found by their names.
fn real(path: &Path) -> PathBuf {
    let whole = || std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) if path.is_file() => {
            std::fs::canonicalize(folder).map_or_else(|_| whole(), |folder| folder.join(name))
        }
        _ => whole(),
    }
}

/// Milliseconds since 1970, UTC.
fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}

/// Why a model at a path cannot be loaded, if it cannot: for commands that name files themselves. Blocks.
///
/// # Errors
/// The reason.
pub fn runnable(path: &Path) -> Result<Checkpoint, Failure> {
    let checkpoint = inspect(path).map_err(|error| error.failure())?;
    match checkpoint.blocking.clone() {
        None => Ok(checkpoint),
        Some(failure) => Err(failure),
    }
}
