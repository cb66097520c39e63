//! Why a use case could not be done, and how the user reads it.
//!
//! Outside: failures of an answer that had begun; they are kept with the answer.

use paddock_conversation::{Failure, TreeError};
use paddock_engines::{EngineError, LoadErrorCode};
use paddock_hub::HubError;
use paddock_models::ModelsError;
use paddock_pictures::PicturesError;
use paddock_settings::SettingsError;
use paddock_store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Hub(#[from] HubError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Models(#[from] ModelsError),
    #[error(transparent)]
    Pictures(#[from] PicturesError),
    #[error("This part of the conversation cannot be shown: {0}.")]
    Tree(#[from] TreeError),
    /// A reason that comes with its words: a model that cannot be used.
    #[error("{}", .0.message)]
    Refused(Failure),
    #[error("There is nothing to send.")]
    NothingToSend,
    #[error("An answer is still being written in this conversation.")]
    Busy,
    #[error("{model} cannot see pictures.")]
    ModelCannotSee { model: String },
    #[error(
        "The pictures and text take about {needed} tokens, but the model's context holds {context}."
    )]
    ContextTooSmall { needed: u32, context: u32 },
    #[error("Only a {expected} message can be used for this.")]
    WrongRole { expected: &'static str },
    #[error("An inner task was ended ({detail}).")]
    TaskEnded { detail: String },
}

impl ChatError {
    /// Whether the one who asked can mend it: a bad picture, a bad model, a question that cannot be asked.
    #[must_use]
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Refused(_)
            | Self::NothingToSend
            | Self::ModelCannotSee { .. }
            | Self::ContextTooSmall { .. }
            | Self::WrongRole { .. } => true,
            Self::Settings(error) => error.is_bad_input(),
            Self::Engine(error) => match error {
                EngineError::Refused { status, .. } => (400..500).contains(status),
                EngineError::LoadFailed { code, .. } => matches!(
                    code,
                    LoadErrorCode::ModelNotFound
                        | LoadErrorCode::FileMissing
                        | LoadErrorCode::FileBroken
                        | LoadErrorCode::Unsupported
                        | LoadErrorCode::DeviceUnavailable
                        | LoadErrorCode::BadArguments
                ),
                _ => false,
            },
            Self::Hub(error) => error.is_bad_input(),
            Self::Models(error) => error.is_bad_input(),
            Self::Pictures(error) => error.is_bad_input(),
            _ => false,
        }
    }

    /// As the page shows it.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let (code, next_step) = match self {
            Self::Store(error) => return error.failure(),
            Self::Engine(error) => return error.failure(),
            Self::Hub(error) => return error.failure(),
            Self::Settings(error) => return error.failure(),
            Self::Models(error) => return error.failure(),
            Self::Pictures(error) => return error.failure(),
            Self::Refused(failure) => return failure.clone(),
            Self::Tree(TreeError::Unknown(_)) => ("noMessage", "Open the conversation again."),
            Self::Tree(_) => (
                "database",
                "Open the conversation again, or start a new one.",
            ),
            Self::NothingToSend => ("nothingToSend", "Write a question or attach a picture."),
            Self::Busy => ("busy", "Wait for the answer or stop it, then send."),
            Self::ModelCannotSee { .. } => (
                "modelCannotSee",
                "Choose a model that can see, or remove the pictures.",
            ),
            Self::ContextTooSmall { .. } => (
                "contextTooSmall",
                "Start a new chat, remove a picture, or raise the context length in the settings.",
            ),
            Self::WrongRole { .. } => ("wrongRole", "Open the conversation again."),
            Self::TaskEnded { .. } => ("internal", "Try again."),
        };
        Failure::new(code, self.to_string(), next_step)
    }
}
