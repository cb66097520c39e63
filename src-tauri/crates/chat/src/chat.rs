//! The use cases of the window in one place: conversations, drafts, settings.
//!
//! Outside: turns (see `turn.rs`), engines (see `loading.rs`), and everything that has a window or a path dialog.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use paddock_conversation::{
    ConversationId, ConversationSummary, ConversationView, Draft, Failure, ImageId, MessageId,
    MessageTree,
};
use paddock_devices::{DeviceReport, EngineBuilds};
use paddock_engines::{ByDevice, Engines, EnginesConfig, SupervisorConfig};
use paddock_models::{ModelPlaces, Models};
use paddock_pictures::{DecoderConfig, Decoders, Pictures};
use paddock_settings::{LiveSettings, Settings, SettingsChange};
use paddock_store::Store;
use tokio::sync::watch;

use crate::ChatError;
use crate::active::ActiveAnswers;
use crate::hub::HubSide;
use crate::keeping::Endings;
use crate::loading;

/// Deleted conversations can be restored for so long; then they and their pictures are removed.
const KEEP_DELETED: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long the end of the app waits for answers to be written down.
const CLOSING_PATIENCE: Duration = Duration::from_secs(3);
/// Longest title kept, in characters.
const MAX_TITLE_CHARS: usize = 200;

/// Where things are.
#[derive(Debug, Clone)]
pub struct ChatConfig {
    /// Conversations, settings and pictures of this user.
    pub data_folder: PathBuf,
    /// The `paddock-engine` program.
    pub engine_program: PathBuf,
    /// The program that decodes pictures, in a process of its own: this one, or another that calls
    /// `paddock_decoder::worker::main`.
    pub decoder_program: PathBuf,
    /// Engines built for GPUs.
    pub engine_builds: EngineBuilds,
    /// The folder of the model that ships with Paddock.
    pub demo_model: PathBuf,
    /// The folder of the example pictures, `<name>.png`.
    pub samples_folder: PathBuf,
    /// Where other programs keep models.
    pub model_places: ModelPlaces,
}

/// The use cases. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Chat(Arc<Inner>);

/// [`Chat`] for whoever must not keep it alive.
#[derive(Debug, Clone)]
pub(crate) struct WeakChat(Weak<Inner>);

impl WeakChat {
    pub fn upgrade(&self) -> Option<Chat> {
        self.0.upgrade().map(Chat)
    }
}

#[derive(Debug)]
struct Inner {
    config: ChatConfig,
    store: Arc<Store>,
    pictures: Pictures,
    engines: Engines,
    settings: LiveSettings,
    active: ActiveAnswers,
    endings: Endings,
    models: Models,
    hub: HubSide,
}

impl Chat {
    /// Opens the data folder. Must be called inside a tokio runtime; no engine is started yet.
    ///
    /// # Errors
    /// The data folder cannot be used, or another window uses it.
    pub async fn open(config: ChatConfig) -> Result<Self, ChatError> {
        let folder = config.data_folder.clone();
        let (store, settings) = run_blocking(move || {
            let store = Arc::new(Store::open(&folder, now_ms())?);
            // What cannot be removed today does not keep anybody from their conversations.
            match store.purge_deleted(now_ms(), KEEP_DELETED) {
                Ok(purged) => {
                    for (id, error) in purged.stayed {
                        tracing::warn!(%id, error, "the files of a deleted picture stay for now");
                    }
                }
                Err(error) => tracing::warn!(%error, "deleted conversations could not be removed"),
            }
            let settings = LiveSettings::open(store.clone(), |endpoint| {
                paddock_hub::check_endpoint(endpoint).map_err(|error| error.failure())
            })?;
            Ok((store, settings))
        })
        .await?;
        let engines = Engines::start(EnginesConfig::new(SupervisorConfig {
            program: config.engine_program.clone(),
            placement: Some(Arc::new(ByDevice::new(
                &config.engine_program,
                &config.engine_builds,
            ))),
        }));
        loading::keep(&engines, &settings.current());
        let models = Models::new(store.clone(), config.model_folders());
        let pictures = Pictures::new(
            store.clone(),
            Decoders::new(DecoderConfig::new(config.decoder_program.clone())),
            config.samples_folder.clone(),
        );
        Ok(Self(Arc::new(Inner {
            config,
            endings: Endings::new(store.clone()),
            store,
            engines,
            settings,
            active: ActiveAnswers::default(),
            pictures,
            models,
            hub: HubSide::default(),
        })))
    }

    /// Ends running answers (they are kept as interrupted) and the engines.
    pub async fn shutdown(&self) {
        self.0.active.close();
        self.0.pictures.close();
        let written = async {
            while !self.0.active.is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        // What is not written by then is marked at the next start.
        let _ = tokio::time::timeout(CLOSING_PATIENCE, written).await;
        self.0.engines.shutdown().await;
    }

    pub(crate) fn downgrade(&self) -> WeakChat {
        WeakChat(Arc::downgrade(&self.0))
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    /// The owner of the pictures.
    #[must_use]
    pub fn pictures(&self) -> &Pictures {
        &self.0.pictures
    }

    pub(crate) fn engines(&self) -> &Engines {
        &self.0.engines
    }

    /// The owner of the models on this computer.
    #[must_use]
    pub fn models(&self) -> &Models {
        &self.0.models
    }

    pub(crate) fn hub_side(&self) -> &HubSide {
        &self.0.hub
    }

    pub(crate) fn active(&self) -> &ActiveAnswers {
        &self.0.active
    }

    pub(crate) fn endings(&self) -> &Endings {
        &self.0.endings
    }

    /// The answers that are on the screen and could not be written down yet.
    #[must_use]
    pub fn unkept_answers(&self) -> watch::Receiver<Vec<MessageId>> {
        self.0.endings.unkept()
    }

    pub(crate) fn config(&self) -> &ChatConfig {
        &self.0.config
    }

    /// Runs what blocks where nobody waits for the thread.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, ChatError> + Send + 'static,
    ) -> Result<T, ChatError> {
        let chat = self.clone();
        run_blocking(move || work(&chat)).await
    }

    // ---- conversations

    /// Newest first; with a query, those whose title or text has every word of it.
    ///
    /// # Errors
    /// The store fails.
    pub async fn list_conversations(
        &self,
        query: Option<String>,
    ) -> Result<Vec<ConversationSummary>, ChatError> {
        self.blocking(move |chat| Ok(chat.store().list_conversations(query.as_deref())?))
            .await
    }

    /// # Errors
    /// There is no such conversation, or the store fails.
    pub async fn open_conversation(
        &self,
        id: ConversationId,
    ) -> Result<ConversationView, ChatError> {
        self.blocking(move |chat| chat.view(id)).await
    }

    fn view(&self, id: ConversationId) -> Result<ConversationView, ChatError> {
        let store = self.store();
        let (summary, active_leaf) = store.conversation(id)?;
        let mut messages = store.messages(id)?;
        self.endings().overlay(&mut messages);
        Ok(ConversationView {
            summary,
            messages,
            active_leaf,
            draft: store.load_draft(Some(id))?,
        })
    }

    /// # Errors
    /// There is no such conversation, or the store fails.
    pub async fn rename_conversation(
        &self,
        id: ConversationId,
        title: String,
    ) -> Result<ConversationSummary, ChatError> {
        let title: String = title.split_whitespace().collect::<Vec<_>>().join(" ");
        let title: String = title.chars().take(MAX_TITLE_CHARS).collect();
        if title.is_empty() {
            return Err(ChatError::Refused(Failure::new(
                "emptyTitle",
                "A conversation needs a title.",
                "Write a word or two.",
            )));
        }
        self.blocking(move |chat| Ok(chat.store().rename_conversation(id, &title)?))
            .await
    }

    /// Hides a conversation and stops an answer being written in it; it can be restored for 30 days.
    ///
    /// # Errors
    /// There is no such conversation, or the store fails.
    pub async fn delete_conversation(&self, id: ConversationId) -> Result<(), ChatError> {
        self.active().cancel_in(id);
        self.blocking(move |chat| Ok(chat.store().delete_conversation(id, now_ms())?))
            .await
    }

    /// # Errors
    /// There is no such conversation any more, or the store fails.
    pub async fn restore_conversation(
        &self,
        id: ConversationId,
    ) -> Result<ConversationSummary, ChatError> {
        self.blocking(move |chat| Ok(chat.store().restore_conversation(id)?))
            .await
    }

    /// Shows the branch of `leaf`, followed down to its newest end.
    ///
    /// # Errors
    /// The message is not of this conversation, or the store fails.
    pub async fn select_branch(
        &self,
        conversation: ConversationId,
        leaf: MessageId,
    ) -> Result<ConversationView, ChatError> {
        self.blocking(move |chat| {
            let messages = chat.store().messages(conversation)?;
            let leaf = MessageTree::new(&messages).newest_leaf_below(leaf)?;
            chat.store().select_leaf(conversation, leaf)?;
            chat.view(conversation)
        })
        .await
    }

    /// # Errors
    /// The store fails.
    pub async fn save_draft(
        &self,
        conversation: Option<ConversationId>,
        text: String,
        images: Vec<ImageId>,
    ) -> Result<(), ChatError> {
        self.blocking(move |chat| Ok(chat.store().save_draft(conversation, &text, &images)?))
            .await
    }

    /// # Errors
    /// The store fails.
    pub async fn load_draft(
        &self,
        conversation: Option<ConversationId>,
    ) -> Result<Draft, ChatError> {
        self.blocking(move |chat| Ok(chat.store().load_draft(conversation)?))
            .await
    }

    // ---- this computer

    /// What this computer has, and what the chosen device resolves to.
    ///
    /// # Errors
    /// Never in practice: only if the app is ending.
    pub async fn device_report(&self) -> Result<DeviceReport, ChatError> {
        let settings = self.settings().await;
        let preference = settings.load_choice(&settings.chosen).device;
        self.blocking(move |chat| Ok(chat.report_for(&preference)))
            .await
    }

    // ---- settings

    pub async fn settings(&self) -> Settings {
        self.0.settings.current()
    }

    pub(crate) fn live_settings(&self) -> &LiveSettings {
        &self.0.settings
    }

    /// Changes settings; those that concern the engine take effect with the next load. `revision`: what the changes were
    /// made on.
    ///
    /// # Errors
    /// A number is out of range, a setting was changed since, or the store fails: nothing is changed.
    pub async fn change_settings(
        &self,
        revision: Option<u32>,
        changes: Vec<SettingsChange>,
    ) -> Result<Settings, ChatError> {
        let settings = self
            .blocking(move |chat| Ok(chat.live_settings().change(revision, changes)?))
            .await?;
        self.0.hub.apply(&settings);
        loading::keep(self.engines(), &settings);
        Ok(settings)
    }
}

async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ChatError> + Send + 'static,
) -> Result<T, ChatError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| ChatError::TaskEnded {
            detail: e.to_string(),
        })?
}

/// Milliseconds since 1970, UTC.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}
