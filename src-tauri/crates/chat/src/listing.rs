//! The list of models with what was found out about their sight, adding to it and taking out of it.
//!
//! Outside: the list itself and what an id means (the models crate), loading.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::{Stream, StreamExt as _};
use paddock_conversation::ModelId;
use paddock_models::{Forgotten, ModelEntry, ModelFolders, ModelList, Readings, ResolvedModel};

use paddock_settings::SettingsChange;

use crate::chat::Chat;
use crate::load_spec::load_spec;
use crate::{ChatConfig, ChatError};

impl ChatConfig {
    /// Where models lie.
    #[must_use]
    pub fn model_folders(&self) -> ModelFolders {
        ModelFolders {
            demo_model: self.demo_model.clone(),
            data_folder: self.data_folder.clone(),
            places: self.model_places.clone(),
        }
    }
}

/// The list of [`Chat::list_models`] without opening the data folder: a window may be using it. Blocks.
///
/// # Errors
/// There is a database and it cannot be read.
pub fn known_models(config: &ChatConfig) -> Result<Vec<ModelEntry>, ChatError> {
    let added = paddock_store::local_models_in(&config.data_folder)?;
    let readings = Arc::new(Readings::default());
    Ok(ModelList::new(config.model_folders(), readings, added).collect())
}

impl Chat {
    /// The demo model, those that the user added or downloaded, then what other programs keep; a line comes as soon as the
    /// model's files are read, and one that cannot be used has the reason.
    pub fn stream_models(
        &self,
    ) -> impl Stream<Item = Result<ModelEntry, ChatError>> + Send + use<> {
        let chat = self.clone();
        self.models().list().then(move |line| {
            let chat = chat.clone();
            async move {
                let mut line = line?;
                if line.vision {
                    let choice = chat.settings().await.load_choice(&line.id);
                    line = chat
                        .blocking(move |chat| {
                            if let Ok(model) = chat.models().resolve(&line.id) {
                                let spec = load_spec(&model, &choice);
                                line.sight = chat.sight_of(&spec);
                            }
                            Ok(line)
                        })
                        .await?;
                }
                Ok(line)
            }
        })
    }

    /// All of [`Self::stream_models`].
    ///
    /// # Errors
    /// The store fails.
    pub async fn list_models(&self) -> Result<Vec<ModelEntry>, ChatError> {
        let lines: Vec<_> = self.stream_models().collect().await;
        lines.into_iter().collect()
    }

    pub(crate) async fn resolve(&self, id: ModelId) -> Result<Arc<ResolvedModel>, ChatError> {
        self.blocking(move |chat| Ok(chat.models().resolve(&id)?))
            .await
    }

    /// Adds a folder or GGUF file to the list; of a safetensors file, its folder.
    ///
    /// # Errors
    /// It is no model (nothing is added), or the store fails.
    pub async fn add_local_model(&self, path: PathBuf) -> Result<ModelEntry, ChatError> {
        self.blocking(move |chat| Ok(chat.models().add(&path)?))
            .await
    }

    /// Takes a model out of the list; its files stay. If it was the chosen one, the demo model is chosen.
    ///
    /// # Errors
    /// It is not a local model, or the store fails.
    pub async fn forget_model(&self, id: ModelId) -> Result<(), ChatError> {
        let forgotten = id.clone();
        self.blocking(move |chat| {
            let Forgotten { choose_instead } = chat.models().forget(&forgotten)?;
            chat.live_settings().change_with(None, |settings| {
                choose_instead
                    .filter(|_| settings.chosen == id)
                    .map(|value| SettingsChange::Chosen { value })
                    .into_iter()
                    .collect()
            })?;
            Ok(())
        })
        .await
    }
}
