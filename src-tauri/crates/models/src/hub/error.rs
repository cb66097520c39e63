//! Why a model could not be listed or downloaded.
//!
//! Outside: what is wrong with a model that is here (`CheckpointError`).

use paddock_conversation::Failure;

use crate::entry::size;

/// A failed request to the Hub, or a failed download. What was downloaded before stays and is used next time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// No connection at all.
    #[error("{host} cannot be reached ({detail}).")]
    Unreachable { host: String, detail: String },
    /// Connections that yield nothing, again and again.
    #[error("The download of {file} made no progress in {attempts} attempts ({detail}).")]
    NoProgress {
        file: String,
        attempts: u32,
        detail: String,
    },
    #[error("{repository} does not exist on the Hub, or only for its members.")]
    NotFound { repository: String },
    #[error("{repository} has no file {file}.")]
    FileNotFound { repository: String, file: String },
    /// The publisher wants the licence accepted first.
    #[error("{repository} is only for those who accepted its licence.")]
    Gated { repository: String },
    #[error("The Hub did not accept the access token.")]
    BadToken,
    /// 429 without end.
    #[error("The Hub asks to wait: too many requests.")]
    TooManyRequests,
    /// Anything else that a server said.
    #[error("{host} answered with {status}.")]
    Server { host: String, status: u16 },
    #[error("{host} answered with something that is no answer of the Hub ({detail}).")]
    BadAnswer { host: String, detail: String },
    #[error("{}", disk_text(*.needed_bytes, *.free_bytes))]
    DiskTooSmall { needed_bytes: u64, free_bytes: u64 },
    #[error("The disk became full while {file} was written.")]
    DiskFull { file: String },
    #[error("{file} cannot be written: {detail}.")]
    Disk { file: String, detail: String },
    /// Checked again after a repair, and still wrong.
    #[error("{file} is not what the publisher uploaded, even after loading it again.")]
    WrongContent { file: String },
    #[error("{file} came without a checksum, so it cannot be verified.")]
    Unverifiable { file: String },
    #[error("{file} changed on the Hub during the download.")]
    Changed { file: String },
    /// A repository that lacks what the engine needs.
    #[error("{repository} cannot be used: {why}.")]
    Unusable { repository: String, why: String },
    /// Another download writes into the same folder.
    #[error("This model is being downloaded already.")]
    Busy,
}

fn disk_text(needed: u64, free: u64) -> String {
    format!(
        "The download needs {}, but the disk has {} free.",
        size(needed),
        size(free)
    )
}

impl HubError {
    /// Stable code for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "hubUnreachable",
            Self::NoProgress { .. } => "hubNoProgress",
            Self::NotFound { .. } => "hubNotFound",
            Self::FileNotFound { .. } => "hubFileNotFound",
            Self::Gated { .. } => "hubGated",
            Self::BadToken => "hubBadToken",
            Self::TooManyRequests => "hubTooManyRequests",
            Self::Server { .. } => "hubServer",
            Self::BadAnswer { .. } => "hubBadAnswer",
            Self::DiskTooSmall { .. } => "diskTooSmall",
            Self::DiskFull { .. } => "diskFull",
            Self::Disk { .. } => "diskWrite",
            Self::WrongContent { .. } => "hubWrongContent",
            Self::Unverifiable { .. } => "hubUnverifiable",
            Self::Changed { .. } => "hubChanged",
            Self::Unusable { .. } => "hubUnusable",
            Self::Busy => "hubBusy",
        }
    }

    /// The one thing to do about it.
    #[must_use]
    pub fn next_step(&self) -> String {
        match self {
            Self::Unreachable { .. } | Self::NoProgress { .. } => {
                "Check the connection and resume; what is here already is kept.".to_owned()
            }
            Self::NotFound { .. } => "Check the name, or add an access token in Settings.".to_owned(),
            Self::FileNotFound { .. } | Self::Unusable { .. } => "Choose another model.".to_owned(),
            Self::Gated { repository } => format!(
                "Accept the licence at https://huggingface.co/{repository} and add your access token in Settings."
            ),
            Self::BadToken => "Make a new token on your Hub account's page and add it in Settings.".to_owned(),
            Self::TooManyRequests => "Wait a few minutes and resume.".to_owned(),
            Self::Server { .. } | Self::BadAnswer { .. } => "Try again later, or use another endpoint.".to_owned(),
            Self::DiskTooSmall { .. } | Self::DiskFull { .. } => {
                "Free some space and resume; what is here already is kept.".to_owned()
            }
            Self::Disk { .. } => "Check that you may write to the models folder.".to_owned(),
            Self::WrongContent { .. } | Self::Unverifiable { .. } => {
                "Use another endpoint: this one does not deliver the publisher's files.".to_owned()
            }
            Self::Changed { .. } => "Start the download again.".to_owned(),
            Self::Busy => "Wait until it is done.".to_owned(),
        }
    }

    /// The error as the window shows it.
    #[must_use]
    pub fn failure(&self) -> Failure {
        Failure::new(self.code(), self.to_string(), self.next_step())
    }

    pub(crate) fn from_io(file: &str, error: &std::io::Error) -> Self {
        if matches!(
            error.kind(),
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
        ) {
            Self::DiskFull {
                file: file.to_owned(),
            }
        } else {
            Self::Disk {
                file: file.to_owned(),
                detail: error.to_string(),
            }
        }
    }
}
