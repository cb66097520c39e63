//! Why something could not be kept or found.
//!
//! Outside: everything that is not about the data folder.

use std::path::Path;

use paddock_conversation::{ConversationId, Failure, ImageId, MessageId};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("The data folder {folder} cannot be used ({detail}).")]
    Folder { folder: String, detail: String },
    #[error("Another Paddock is open with the same data.")]
    InUse,
    #[error(
        "The data was written by a newer version of Paddock (schema {found}, this one knows {known})."
    )]
    TooNew { found: u32, known: u32 },
    #[error("There is no conversation {0}.")]
    NoConversation(ConversationId),
    #[error("There is no message {0}.")]
    NoMessage(MessageId),
    #[error("The message {0} belongs to another conversation.")]
    WrongConversation(MessageId),
    #[error("The picture {0} is not in the data folder any more.")]
    NoImage(ImageId),
    #[error("The picture {0} was changed on disk.")]
    ImageChanged(ImageId),
    #[error("A file in the data folder cannot be read or written ({0}).")]
    File(#[from] std::io::Error),
    #[error("The database cannot be read or written ({0}).")]
    Database(#[from] rusqlite::Error),
    #[error("The database holds something unreadable in {what}: {detail}.")]
    Corrupt { what: &'static str, detail: String },
}

impl StoreError {
    pub(crate) fn folder(folder: &Path, error: impl std::fmt::Display) -> Self {
        Self::Folder {
            folder: folder.display().to_string(),
            detail: error.to_string(),
        }
    }

    #[must_use]
    pub fn failure(&self) -> Failure {
        let (code, next_step) = match self {
            Self::Folder { .. } => (
                "dataFolder",
                "Check that the folder exists, is yours and has free space.",
            ),
            Self::InUse => (
                "inUse",
                "Use the window that is already open, or close it first.",
            ),
            Self::TooNew { .. } => ("dataTooNew", "Install the newest version of Paddock."),
            Self::NoConversation(_) => ("noConversation", "Choose another conversation."),
            Self::NoMessage(_) | Self::WrongConversation(_) => {
                ("noMessage", "Open the conversation again.")
            }
            Self::NoImage(_) | Self::ImageChanged(_) => {
                ("noImage", "Remove the picture and attach it again.")
            }
            Self::File(_) => (
                "file",
                "Check free space and permissions of the data folder, then try again.",
            ),
            Self::Database(_) | Self::Corrupt { .. } => (
                "database",
                "Check free space, then start Paddock again; your data folder stays as it is.",
            ),
        };
        Failure::new(code, self.to_string(), next_step)
    }
}
