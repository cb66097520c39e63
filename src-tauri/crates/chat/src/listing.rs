//! The list of models that the user can choose from: the demo model, those that were added or downloaded, and those that
//! other programs keep on this computer.
//!
//! Outside: reading checkpoints and searching other programs' folders (the models crate), loading.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use paddock_conversation::{Failure, ModelId};
use paddock_models::fit::FitModel;
use paddock_models::{
    FoundModel, ModelEntry, ModelSource, Stamp, discover, found_entry, inspect, model_path, stamp,
};

use crate::chat::{Chat, now_ms};
use crate::{ChatConfig, ChatError};

/// Repositories of the Hub whose headers are kept.
const MOST_REMOTE: usize = 64;

/// What was read, as both are asked for often.
#[derive(Debug, Default)]
pub struct Listing {
    /// Lines, until the files change.
    known: Mutex<HashMap<ModelId, (Stamp, Option<ModelEntry>)>>,
    /// By the names of repositories, while the window is open: a plan is made with every move of a slider.
    remote: Mutex<HashMap<String, FitModel>>,
}

impl Listing {
    /// The name that a model has in the list, if it was listed before.
    pub fn name(&self, id: &ModelId) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Some(known.get(id)?.1.as_ref()?.name.clone())
    }

    /// The other program that keeps a listed model.
    fn keeper(&self, id: &ModelId) -> Option<&'static str> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(id)?.1.as_ref()?.source {
            ModelSource::HuggingFace => Some("the Hugging Face cache"),
            ModelSource::LmStudio => Some("LM Studio"),
            ModelSource::Ollama => Some("Ollama"),
            ModelSource::Demo | ModelSource::Added | ModelSource::Downloaded => None,
        }
    }

    /// A repository's numbers, if its headers were read before.
    pub fn remote(&self, repository: &str) -> Option<FitModel> {
        let remote = self.remote.lock().unwrap_or_else(PoisonError::into_inner);
        remote.get(repository).cloned()
    }

    pub fn keep_remote(&self, repository: &str, model: &FitModel) {
        let mut remote = self.remote.lock().unwrap_or_else(PoisonError::into_inner);
        if remote.len() >= MOST_REMOTE {
            remote.clear();
        }
        remote.insert(repository.to_owned(), model.clone());
    }

    /// The line for the files at `path`, read only if they changed. Blocks.
    fn line(
        &self,
        id: ModelId,
        path: &Path,
        read: impl FnOnce() -> Option<ModelEntry>,
    ) -> Option<ModelEntry> {
        let now = stamp(path);
        let known = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned();
        if let (Some(now), Some((then, entry))) = (now, known)
            && now == then
        {
            return entry;
        }
        let entry = read();
        if let Some(now) = now {
            self.known
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(id, (now, entry.clone()));
        }
        entry
    }

    /// Every line, each model once however many ways lead to it. Blocks.
    fn lines(&self, config: &ChatConfig, local: &[String]) -> Vec<ModelEntry> {
        let mut seen = HashSet::new();
        let mut is_new = |path: &Path| {
            seen.insert(std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))
        };
        let mut lines = Vec::new();
        is_new(&config.demo_model);
        lines.extend(self.line(ModelId::demo(), &config.demo_model, || {
            Some(entry(ModelId::demo(), &config.demo_model))
        }));
        for text in local {
            let path = Path::new(text);
            if is_new(path) {
                let line = self.line(ModelId::local(text), path, || {
                    Some(entry(ModelId::local(text), path))
                });
                lines.extend(line.map(|line| line.with_source(source(path, config))));
            }
        }
        let found = discover(&config.model_places);
        for note in &found.notes {
            tracing::debug!("{note}");
        }
        for model in found.models.iter().filter(|model| is_new(&model.path)) {
            lines.extend(self.found(model));
        }
        lines
    }

    fn found(&self, model: &FoundModel) -> Option<ModelEntry> {
        let id = ModelId::local(model.path.to_str()?);
        self.line(id, &model.path, || found_entry(model))
    }
}

/// One line, whatever state the model is in. Blocks.
fn entry(id: ModelId, path: &Path) -> ModelEntry {
    match inspect(path) {
        Ok(checkpoint) if id.is_demo() => ModelEntry::demo(&checkpoint),
        Ok(checkpoint) => ModelEntry::from_checkpoint(id, &checkpoint),
        Err(error) => ModelEntry::from_problem(id, path, &error),
    }
}

/// What Paddock downloads lies in its own folder.
fn source(path: &Path, config: &ChatConfig) -> ModelSource {
    if path.starts_with(&config.data_folder) {
        ModelSource::Downloaded
    } else {
        ModelSource::Added
    }
}

/// The list of [`Chat::list_models`] without opening the data folder: a window may be using it. Blocks.
///
/// # Errors
/// There is a database and it cannot be read.
pub fn known_models(config: &ChatConfig) -> Result<Vec<ModelEntry>, ChatError> {
    let local = paddock_store::local_models_in(&config.data_folder)?;
    Ok(Listing::default().lines(config, &local))
}

impl Chat {
    /// The demo model, those that the user added or downloaded, then what other programs keep; a model that cannot be used
    /// stays in the list with the reason.
    ///
    /// # Errors
    /// The store fails.
    pub async fn list_models(&self) -> Result<Vec<ModelEntry>, ChatError> {
        let settings = self.settings().await;
        self.blocking(move |chat| {
            let local = chat.store().local_models()?;
            let mut entries = chat.listing().lines(chat.config(), &local);
            for entry in entries.iter_mut().filter(|entry| entry.vision) {
                if let Ok(model) = chat.resolve_now(&entry.id) {
                    let settings = settings.for_model(&entry.id);
                    entry.sight = chat.sight_of(&model.load_spec(&settings));
                }
            }
            Ok(entries)
        })
        .await
    }

    /// Adds a folder or GGUF file to the list; of a safetensors file, its folder.
    ///
    /// # Errors
    /// It is no model (nothing is added), or the store fails.
    pub async fn add_local_model(&self, path: PathBuf) -> Result<ModelEntry, ChatError> {
        self.blocking(move |chat| {
            let path = real(&model_path(&path));
            if std::fs::canonicalize(&chat.config().demo_model).is_ok_and(|demo| demo == path) {
                return Ok(entry(ModelId::demo(), &path));
            }
            let checkpoint = inspect(&path).map_err(|e| ChatError::Refused(e.failure()))?;
            let text = path.to_str().ok_or_else(|| {
                ChatError::Refused(Failure::new(
                    "modelPathUnreadable",
                    format!("The name of {} is not readable text.", path.display()),
                    "Rename the folder or file, then choose it again.",
                ))
            })?;
            chat.store().add_local_model(text, now_ms())?;
            let entry = ModelEntry::from_checkpoint(ModelId::local(text), &checkpoint);
            Ok(entry.with_source(source(&path, chat.config())))
        })
        .await
    }

    /// Takes a model out of the list; its files stay. If it was the chosen one, the demo model is chosen.
    ///
    /// # Errors
    /// It is not a local model, or the store fails.
    pub async fn forget_model(&self, id: ModelId) -> Result<(), ChatError> {
        let Some(path) = id.local_path().map(str::to_owned) else {
            return Err(ChatError::NoModel { id: id.to_string() });
        };
        let listed = path.clone();
        let added = self
            .blocking(move |chat| Ok(chat.store().local_models()?.contains(&listed)))
            .await?;
        if !added && let Some(keeper) = self.listing().keeper(&id) {
            return Err(ChatError::Refused(Failure::new(
                "modelOfAnotherProgram",
                format!("This model is {keeper}'s; Paddock only uses it where it lies."),
                "Remove it with the program that it belongs to.",
            )));
        }
        let settings = self.settings().await;
        if settings.model_id == id {
            self.update_settings(settings.with_model(ModelId::demo()))
                .await?;
        }
        self.blocking(move |chat| Ok(chat.store().forget_local_model(&path)?))
            .await
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
