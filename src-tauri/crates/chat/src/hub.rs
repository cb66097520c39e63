//! Models from the Hub: searching, looking before downloading, the downloads, the access token.
//!
//! Outside: the Hub's protocol and the download itself (the hub crate). Nothing here opens a connection that the user
//! did not ask for.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use paddock_conversation::Failure;
use paddock_hub::{
    Arrived, Credentials, Download, Downloads, Gate, Hub, HubError, HubHit, HubOptions, Keychain,
    Preflight, Reference, Survey, Throttle, Token, TokenError, TokenSource, TokenStore,
    environment_endpoint, normal_endpoint, remote_checkpoint, survey,
};
use paddock_models::Checkpoint;
use paddock_settings::Settings;
use serde::Serialize;
use specta::Type;
use tokio::sync::watch;

use crate::ChatError;
use crate::chat::{Chat, WeakChat};

/// What one who uses the Hub wants otherwise than the settings say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HubWish {
    /// None: the settings', else `HF_ENDPOINT`, else the Hub itself.
    pub endpoint: Option<String>,
    /// None: the settings'.
    pub bytes_per_second: Option<u64>,
}

/// The downloads of an open [`Chat`], begun when they are first asked for.
#[derive(Debug)]
pub struct HubSide {
    downloads: OnceLock<Downloads>,
    throttle: Arc<Throttle>,
    keychain: Box<dyn TokenStore>,
}

impl Default for HubSide {
    fn default() -> Self {
        Self {
            downloads: OnceLock::new(),
            throttle: Arc::new(Throttle::new(None)),
            keychain: Box::new(Keychain),
        }
    }
}

impl HubSide {
    /// A changed limit holds at once.
    pub fn apply(&self, settings: &Settings) {
        self.throttle.set(settings.download_bytes_per_second);
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Where models are downloaded from if nothing is set: what `HF_ENDPOINT` names, else the Hub itself.
#[must_use]
pub fn default_hub_endpoint() -> String {
    environment_endpoint(variable)
}

/// The endpoint in use: the settings', else the environment's, else the Hub itself.
fn endpoint_in_use(endpoint: Option<&str>) -> String {
    endpoint.map_or_else(default_hub_endpoint, normal_endpoint)
}

/// How the Hub is reached, with the token that belongs to the endpoint. Blocks.
fn hub_options(endpoint: Option<&str>, keychain: &dyn TokenStore) -> HubOptions {
    let endpoint = endpoint_in_use(endpoint);
    let credentials = Credentials::of(&endpoint, variable, keychain);
    if let Some(problem) = &credentials.problem {
        tracing::warn!(%problem, "the access token could not be looked up");
    }
    HubOptions {
        endpoint,
        token: credentials.found.map(|(token, _)| token),
        token_problem: credentials.problem,
        ..HubOptions::default()
    }
}

/// What is known of the token for the endpoint in use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct HubTokenState {
    /// Where it comes from, in words; none if there is none.
    pub place: Option<String>,
    /// It is in the keychain, so Paddock can remove it.
    pub removable: bool,
    /// The keychain could not be asked: whether a token is kept is not known.
    pub problem: Option<Failure>,
}

/// What a repository's headers tell, for whoever has no data folder open.
///
/// # Errors
/// The text names no repository, or it cannot be reached or read.
pub async fn hub_checkpoint(endpoint: Option<String>, text: &str) -> Result<Checkpoint, ChatError> {
    let reference = reference(text)?;
    let options = tokio::task::spawn_blocking(move || hub_options(endpoint.as_deref(), &Keychain))
        .await
        .map_err(|error| ChatError::TaskEnded {
            detail: error.to_string(),
        })?;
    read(&Hub::new(options)?, &reference).await
}

async fn read(hub: &Hub, reference: &Reference) -> Result<Checkpoint, ChatError> {
    remote_checkpoint(hub, reference)
        .await?
        .map_err(ChatError::Refused)
}

fn reference(text: &str) -> Result<Reference, ChatError> {
    text.parse()
        .map_err(|error: paddock_hub::ReferenceError| ChatError::Refused(error.failure()))
}

fn token_error(error: &TokenError) -> ChatError {
    ChatError::Refused(error.failure())
}

/// Lets a model that arrived join the list.
fn arrived(chat: WeakChat) -> Arrived {
    Arc::new(move |path: PathBuf| {
        let chat = chat.upgrade();
        Box::pin(async move {
            let Some(chat) = chat else {
                return Err(Failure::new(
                    "closing",
                    "Paddock is being closed.",
                    "Resume the download after the next start; everything is here already.",
                ));
            };
            match chat.add_local_model(path).await {
                Ok(entry) => Ok(entry.id),
                Err(error) => Err(error.failure()),
            }
        })
    })
}

impl Chat {
    fn models_folder(&self) -> PathBuf {
        self.config().data_folder.join("models")
    }

    /// Reads what was unfinished when it is first called. Blocks then.
    fn downloads(&self) -> &Downloads {
        self.hub_side().downloads.get_or_init(|| {
            let throttle = self.hub_side().throttle.clone();
            Downloads::open(&self.models_folder(), throttle, arrived(self.downgrade()))
        })
    }

    async fn hub(&self, wish: &HubWish) -> Result<Hub, ChatError> {
        let settings = self.settings().await;
        let limit = wish.bytes_per_second.or(settings.download_bytes_per_second);
        self.hub_side().throttle.set(limit);
        let endpoint = wish.endpoint.clone().or(settings.hub_endpoint);
        self.blocking(move |chat| {
            let keychain = chat.hub_side().keychain.as_ref();
            Ok(Hub::new(hub_options(endpoint.as_deref(), keychain))?)
        })
        .await
    }

    /// Repositories whose name or card match, most downloaded first.
    ///
    /// # Errors
    /// The Hub cannot be reached.
    pub async fn hub_search(&self, query: &str) -> Result<Vec<HubHit>, ChatError> {
        let hub = self.hub(&HubWish::default()).await?;
        Ok(hub.search(query).await?)
    }

    /// Everything worth knowing before a download. `text`: `owner/name`, or the address of a page or file.
    ///
    /// # Errors
    /// The text names no repository, or it cannot be reached; what is wrong with one that can is in the preflight.
    pub async fn hub_preflight(&self, text: &str, wish: &HubWish) -> Result<Preflight, ChatError> {
        let reference = reference(text)?;
        let hub = self.hub(wish).await?;
        let Survey { preflight, .. } = survey(&hub, &reference, &self.models_folder()).await?;
        Ok(preflight)
    }

    /// What a repository's headers tell: for planning its memory before a byte of its weights is downloaded.
    ///
    /// # Errors
    /// The text names no repository, or it cannot be reached or read.
    pub async fn hub_checkpoint(&self, text: &str) -> Result<Checkpoint, ChatError> {
        let reference = reference(text)?;
        read(&self.hub(&HubWish::default()).await?, &reference).await
    }

    /// Looks once more, then adds a download or resumes it. Returns its id.
    ///
    /// # Errors
    /// It cannot be downloaded or run, or its licence has to be accepted and was not.
    pub async fn start_download(
        &self,
        text: &str,
        licence_accepted: bool,
        wish: &HubWish,
    ) -> Result<String, ChatError> {
        let reference = reference(text)?;
        let hub = self.hub(wish).await?;
        let found = survey(&hub, &reference, &self.models_folder()).await?;
        if let Some(problem) = found.preflight.problem {
            return Err(ChatError::Refused(problem));
        }
        if found.preflight.gate != Gate::Open && !licence_accepted {
            return Err(ChatError::Hub(HubError::LicenceNotAccepted {
                repository: found.preflight.repository,
                licence: found.preflight.licence,
            }));
        }
        self.blocking(|chat| {
            chat.downloads();
            Ok(())
        })
        .await?;
        Ok(self.downloads().start(&hub, found.plan).await)
    }

    /// # Errors
    /// There is no such download.
    pub async fn pause_download(&self, id: &str) -> Result<Vec<Download>, ChatError> {
        self.downloads().pause(id).await?;
        Ok(self.downloads().list())
    }

    /// # Errors
    /// There is no such download, or the endpoint of the settings is no address.
    pub async fn resume_download(&self, id: &str) -> Result<Vec<Download>, ChatError> {
        let hub = self.hub(&HubWish::default()).await?;
        self.downloads().resume(id, &hub).await?;
        Ok(self.downloads().list())
    }

    /// Takes a download out of the list, and off the disk if it is not whole; a whole model stays.
    ///
    /// # Errors
    /// There is no such download.
    pub async fn remove_download(&self, id: String) -> Result<Vec<Download>, ChatError> {
        self.downloads().remove(&id).await?;
        Ok(self.downloads().list())
    }

    /// # Errors
    /// Never in practice: only if the app is ending.
    pub async fn list_downloads(&self) -> Result<Vec<Download>, ChatError> {
        self.blocking(|chat| Ok(chat.downloads().list())).await
    }

    /// The list after every change, about four times a second while bytes come.
    #[must_use]
    pub fn download_changes(&self) -> watch::Receiver<Vec<Download>> {
        self.downloads().subscribe()
    }

    /// Where the token for the endpoint in use comes from, or why that cannot be said.
    ///
    /// # Errors
    /// Never in practice: only if the app is ending.
    pub async fn hub_token_place(&self) -> Result<HubTokenState, ChatError> {
        let endpoint = self.settings().await.hub_endpoint;
        self.blocking(move |chat| {
            let keychain = chat.hub_side().keychain.as_ref();
            let endpoint = endpoint_in_use(endpoint.as_deref());
            let Credentials { found, problem } = Credentials::of(&endpoint, variable, keychain);
            let source = found.map(|(_, source)| source);
            Ok(HubTokenState {
                removable: source == Some(TokenSource::Keychain),
                place: source.map(|source| source.place()),
                problem: problem.map(|problem| problem.failure()),
            })
        })
        .await
    }

    /// Keeps a token in the system's keychain, for the endpoint in use.
    ///
    /// # Errors
    /// It is no token, or there is no keychain.
    pub async fn keep_hub_token(&self, token: &str) -> Result<(), ChatError> {
        let token = Token::new(token).ok_or_else(|| token_error(&TokenError::NoToken))?;
        self.with_endpoint(move |keychain, endpoint| keychain.keep(endpoint, &token))
            .await
    }

    /// # Errors
    /// There is no keychain.
    pub async fn forget_hub_token(&self) -> Result<(), ChatError> {
        self.with_endpoint(|keychain, endpoint| keychain.forget(endpoint))
            .await
    }

    async fn with_endpoint(
        &self,
        work: impl FnOnce(&dyn TokenStore, &str) -> Result<(), TokenError> + Send + 'static,
    ) -> Result<(), ChatError> {
        let endpoint = self.settings().await.hub_endpoint;
        self.blocking(move |chat| {
            let endpoint = endpoint_in_use(endpoint.as_deref());
            work(chat.hub_side().keychain.as_ref(), &endpoint).map_err(|error| token_error(&error))
        })
        .await
    }
}
