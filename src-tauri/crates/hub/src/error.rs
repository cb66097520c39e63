//! Why a model could not be listed or downloaded: one sentence, one next step.
//!
//! Outside: what is wrong with a model that is here (`CheckpointError`), and the keychain (`TokenError`).

use std::time::Duration;

use paddock_conversation::{Failure, byte_size};

use crate::TokenError;

/// A failed request to the Hub, or a failed download. What was downloaded before stays and is used next time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// The endpoint is not a web address.
    #[error("{endpoint:?} is no web address.")]
    BadEndpoint { endpoint: String },
    /// No connection, or one that broke.
    #[error("{host} cannot be reached ({detail}).")]
    Unreachable { host: String, detail: String },
    /// A connection that is open and yields nothing.
    #[error("{host} sent nothing for {seconds} seconds.")]
    Stalled { host: String, seconds: u64 },
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
    /// The publisher wants the licence accepted on the Hub's page first.
    #[error("{repository} is only for those who accepted its licence.")]
    Gated { repository: String, page: String },
    /// The publisher wants the licence accepted, and here that was not done.
    #[error("{repository} has a licence that has to be accepted before it is downloaded{}.", named(.licence))]
    LicenceNotAccepted {
        repository: String,
        licence: Option<String>,
    },
    /// It is not open to whoever asks without a token, and whether there is one could not be found out.
    #[error("{refused} An access token for it could not be looked up: {reason}")]
    TokenUnreadable {
        refused: Box<HubError>,
        reason: TokenError,
    },
    #[error("{host} did not accept the access token.")]
    BadToken { host: String },
    /// 429 without end.
    #[error("{host} asks to wait: too many requests.")]
    TooManyRequests {
        host: String,
        wait: Option<Duration>,
    },
    /// Anything else that a server said.
    #[error("{host} answered with {status}.")]
    Server {
        host: String,
        status: u16,
        wait: Option<Duration>,
    },
    /// A link that the Hub made is refused where it leads, even when made anew.
    #[error("{host} refuses the links that the Hub makes to it (answer {status}).")]
    LinkRefused { host: String, status: u16 },
    #[error("{host} answered with something that is no answer of the Hub ({detail}).")]
    BadAnswer { host: String, detail: String },
    #[error("{host} has {actual_bytes} bytes of {file}, but the publisher's has {expected_bytes}.")]
    WrongLength {
        host: String,
        file: String,
        expected_bytes: u64,
        actual_bytes: u64,
    },
    #[error("The download needs {}, but the disk has {} free.", byte_size(*.needed_bytes), byte_size(*.free_bytes))]
    DiskTooSmall { needed_bytes: u64, free_bytes: u64 },
    #[error("The disk became full while {file} was written.")]
    DiskFull { file: String },
    #[error("{file} cannot be written: {detail}.")]
    Disk { file: String, detail: String },
    /// Checked again after a repair, and still wrong.
    #[error("{file} is not what the publisher uploaded, even after loading it again.")]
    WrongContent { file: String },
    #[error("{file} comes without a checksum, so it could not be verified.")]
    Unverifiable { file: String },
    /// Several models in one repository.
    #[error("{repository} holds several models: {}.", .files.join(", "))]
    SeveralModels {
        repository: String,
        files: Vec<String>,
    },
    /// Another download writes into the same folder.
    #[error("{repository} is being downloaded already.")]
    Busy { repository: String },
    /// The power went, or the system stopped, before everything was on the disk.
    #[error("{repository} was not wholly on the disk when the computer stopped.")]
    Damaged { repository: String },
    #[error("There is no download {id}.")]
    NoDownload { id: String },
}

fn named(licence: &Option<String>) -> String {
    licence
        .as_ref()
        .map_or_else(String::new, |name| format!(" ({name})"))
}

impl HubError {
    /// Stable code for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadEndpoint { .. } => "hubBadEndpoint",
            Self::Unreachable { .. } => "hubUnreachable",
            Self::Stalled { .. } => "hubStalled",
            Self::NoProgress { .. } => "hubNoProgress",
            Self::NotFound { .. } => "hubNotFound",
            Self::FileNotFound { .. } => "hubFileNotFound",
            Self::Gated { .. } => "hubGated",
            Self::LicenceNotAccepted { .. } => "hubLicenceNotAccepted",
            Self::TokenUnreadable { .. } => "hubTokenUnreadable",
            Self::BadToken { .. } => "hubBadToken",
            Self::TooManyRequests { .. } => "hubTooManyRequests",
            Self::Server { .. } => "hubServer",
            Self::LinkRefused { .. } => "hubLinkRefused",
            Self::BadAnswer { .. } => "hubBadAnswer",
            Self::WrongLength { .. } => "hubWrongLength",
            Self::DiskTooSmall { .. } => "diskTooSmall",
            Self::DiskFull { .. } => "diskFull",
            Self::Disk { .. } => "diskWrite",
            Self::WrongContent { .. } => "hubWrongContent",
            Self::Unverifiable { .. } => "hubUnverifiable",
            Self::SeveralModels { .. } => "hubSeveralModels",
            Self::Busy { .. } => "hubBusy",
            Self::Damaged { .. } => "hubDamaged",
            Self::NoDownload { .. } => "hubNoDownload",
        }
    }

    /// The one thing to do about it.
    #[must_use]
    pub fn next_step(&self) -> String {
        match self {
            Self::BadEndpoint { .. } => "Write it like https://huggingface.co.".to_owned(),
            Self::Unreachable { .. } | Self::Stalled { .. } | Self::NoProgress { .. } => {
                "Check the connection and resume; what is here already is kept.".to_owned()
            }
            Self::NotFound { .. } => {
                "Check the name, or add an access token in the settings.".to_owned()
            }
            Self::FileNotFound { .. } => "Choose another file of the repository.".to_owned(),
            Self::Gated { page, .. } => {
                format!("Accept the licence at {page} and add your access token in the settings.")
            }
            Self::LicenceNotAccepted { .. } => {
                "Read the licence, accept it, and start the download again.".to_owned()
            }
            Self::TokenUnreadable { refused, reason } => {
                let token = reason.failure().next_step;
                match refused.as_ref() {
                    Self::Gated { page, .. } => {
                        format!(
                            "{token} If you have not accepted the licence yet, do so at {page}."
                        )
                    }
                    _ => token,
                }
            }
            Self::BadToken { .. } => {
                "Make a new token on your Hub account's page and add it in the settings.".to_owned()
            }
            Self::TooManyRequests { .. } => {
                "Wait a few minutes and resume; what is here already is kept.".to_owned()
            }
            Self::Server { .. } | Self::LinkRefused { .. } | Self::BadAnswer { .. } => {
                "Try again later, or use another endpoint; what is here already is kept.".to_owned()
            }
            Self::DiskTooSmall { .. } | Self::DiskFull { .. } => {
                "Free some space and resume; what is here already is kept.".to_owned()
            }
            Self::Disk { .. } => {
                "Check that you may write to the models folder, then resume.".to_owned()
            }
            Self::WrongLength { .. } | Self::WrongContent { .. } | Self::Unverifiable { .. } => {
                "Use another endpoint: this one does not deliver the publisher's files.".to_owned()
            }
            Self::SeveralModels { .. } => "Paste the address of one of its files.".to_owned(),
            Self::Busy { .. } => "Wait until it is done.".to_owned(),
            Self::Damaged { .. } => {
                "Resume the download: only what is missing is loaded again.".to_owned()
            }
            Self::NoDownload { .. } => "Start it again from the repository's name.".to_owned(),
        }
    }

    /// The error as the window shows it.
    #[must_use]
    pub fn failure(&self) -> Failure {
        Failure::new(self.code(), self.to_string(), self.next_step())
    }

    /// Whether the one who asked can mend it by asking for something else.
    #[must_use]
    pub fn is_bad_input(&self) -> bool {
        if let Self::TokenUnreadable { refused, .. } = self {
            return refused.is_bad_input();
        }
        matches!(
            self,
            Self::BadEndpoint { .. }
                | Self::NotFound { .. }
                | Self::FileNotFound { .. }
                | Self::LicenceNotAccepted { .. }
                | Self::SeveralModels { .. }
                | Self::NoDownload { .. }
        )
    }

    /// Whether asking again may help.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Stalled { .. }
            | Self::TooManyRequests { .. }
            | Self::LinkRefused { .. }
            | Self::WrongLength { .. }
            | Self::BadAnswer { .. } => true,
            Self::Server { status, .. } => *status >= 500 || matches!(status, 408 | 425),
            _ => false,
        }
    }

    /// How long the server asks to wait.
    pub(crate) fn wait(&self) -> Option<Duration> {
        match self {
            Self::TooManyRequests { wait, .. } | Self::Server { wait, .. } => *wait,
            _ => None,
        }
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
