//! Why something could not be kept or found.
//!
//! Outside: everything that is not about the data folder.

use std::io::ErrorKind;
use std::path::Path;

use paddock_conversation::{ConversationId, Failure, ImageId, MessageId};
use rusqlite::{ErrorCode, ffi};

use crate::backups::Backup;

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
    #[error("The disk that holds Paddock's data is full.")]
    DiskFull,
    #[error("Paddock's data cannot be written to ({detail}).")]
    ReadOnly { detail: String },
    #[error("Another program keeps Paddock's database locked.")]
    Locked,
    /// The file is as it was found. [`crate::restore_newest`] or [`crate::begin_empty`] set it aside and go on.
    #[error("Paddock's database is damaged ({detail}).")]
    Damaged {
        detail: String,
        /// The newest copy that passes its check.
        newest_good_copy: Option<Backup>,
    },
    #[error("There is no good copy of the database.")]
    NoGoodCopy,
    /// Nothing that was said is lost: the index is made of the messages.
    #[error("The search index is damaged ({detail}).")]
    SearchIndex { detail: String },
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
    File(std::io::Error),
    #[error("The database cannot be read or written ({0}).")]
    Database(rusqlite::Error),
    #[error("The database holds something unreadable in {what}: {detail}.")]
    Corrupt { what: &'static str, detail: String },
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull,
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => Self::ReadOnly {
                detail: error.to_string(),
            },
            _ => Self::File(error),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let rusqlite::Error::SqliteFailure(failure, _) = &error else {
            return Self::Database(error);
        };
        match failure.code {
            _ if failure.extended_code == ffi::SQLITE_CORRUPT_VTAB => Self::SearchIndex {
                detail: error.to_string(),
            },
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::damaged(error),
            // The file beside the log that readers share could not be made as large as it must be.
            _ if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE => Self::DiskFull,
            ErrorCode::DiskFull => Self::DiskFull,
            ErrorCode::ReadOnly => Self::ReadOnly {
                detail: error.to_string(),
            },
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Locked,
            _ => Self::Database(error),
        }
    }
}

impl StoreError {
    pub(crate) fn folder(folder: &Path, error: impl std::fmt::Display) -> Self {
        Self::Folder {
            folder: folder.display().to_string(),
            detail: error.to_string(),
        }
    }

    pub(crate) fn damaged(detail: impl std::fmt::Display) -> Self {
        Self::Damaged {
            detail: detail.to_string(),
            newest_good_copy: None,
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
            Self::DiskFull => ("diskFull", "Free some space on that disk, then try again."),
            Self::ReadOnly { .. } => (
                "readOnly",
                "Allow yourself to write to the data folder and its disk, then try again.",
            ),
            Self::Locked => (
                "databaseLocked",
                "Close the program that uses the database (a backup, perhaps), then try again.",
            ),
            Self::Damaged {
                newest_good_copy: Some(_),
                ..
            } => (
                "databaseDamaged",
                "Start Paddock again and restore the newest copy; the damaged database is kept.",
            ),
            Self::Damaged { .. } | Self::NoGoodCopy => (
                "databaseDamaged",
                "Start Paddock again and begin with an empty database; the damaged one is kept.",
            ),
            Self::SearchIndex { .. } => (
                "searchIndex",
                "Start Paddock again; the index is then made anew.",
            ),
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
            Self::Database(_) => (
                "database",
                "Try again; if it stays so, start Paddock again. Your data folder stays as it is.",
            ),
            Self::Corrupt { .. } => (
                "database",
                "Go on in another conversation; your data folder stays as it is.",
            ),
        };
        Failure::new(code, self.to_string(), next_step)
    }
}
