//! Why something could not be done with the models on this computer: one sentence, one next step.
//!
//! Outside: what is wrong with a model's files (the checkpoint crate), which comes in here with its words.

use paddock_conversation::Failure;
use paddock_store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Neither the demo model nor one that was added, downloaded or found.
    #[error("There is no model {id}.")]
    NotListed { id: String },
    /// A reason that comes with its words.
    #[error("{}", .0.message)]
    Refused(Failure),
    #[error("An inner task was ended ({detail}).")]
    TaskEnded { detail: String },
}

impl ModelsError {
    pub(crate) fn refused(code: &str, message: impl Into<String>, next_step: &str) -> Self {
        Self::Refused(Failure::new(code, message.into(), next_step))
    }

    /// Whether the one who asked can mend it.
    #[must_use]
    pub fn is_bad_input(&self) -> bool {
        matches!(self, Self::NotListed { .. } | Self::Refused(_))
    }

    /// As the window shows it.
    #[must_use]
    pub fn failure(&self) -> Failure {
        match self {
            Self::Store(error) => error.failure(),
            Self::Refused(failure) => failure.clone(),
            Self::NotListed { .. } => Failure::new(
                "noModel",
                self.to_string(),
                "Choose a model in the settings.",
            ),
            Self::TaskEnded { .. } => Failure::new("internal", self.to_string(), "Try again."),
        }
    }
}
