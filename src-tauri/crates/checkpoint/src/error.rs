//! Why a folder or file is not a model that can run here: one sentence, one next step.
//!
//! Outside: what fails while a model is running.

use paddock_conversation::Failure;

use crate::source::SourceError;

/// A checkpoint that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// No such path.
    #[error("There is no model at {path}.")]
    NotFound { path: String },
    /// The system refused to read.
    #[error("{file} cannot be read: {source}.")]
    Unreadable { file: String, source: SourceError },
    /// Neither weights nor a configuration.
    #[error("{path} holds no model: {detail}.")]
    NoModel { path: String, detail: String },
    /// The chosen folder holds folders with models.
    #[error("{path} holds no model itself, but the folder {inside} in it does.")]
    OneDeeper { path: String, inside: String },
    /// A file without which nothing runs.
    #[error("The model's file {file} is missing; {purpose}.")]
    FileMissing { file: String, purpose: &'static str },
    /// A file that is not what its name says.
    #[error("The model's file {file} is broken: {detail}.")]
    FileBroken { file: String, detail: String },
    /// A file that ends too early.
    #[error(
        "The model's file {file} is incomplete: it should have {expected_bytes} bytes and has {actual_bytes}."
    )]
    Truncated {
        file: String,
        expected_bytes: u64,
        actual_bytes: u64,
    },
    /// A fault of Paddock's own, held within this one model.
    #[error("{what} could not be read: Paddock's reader failed ({detail}).")]
    ReaderFailed { what: String, detail: String },
    /// Sound, but not for this engine.
    #[error("{what} cannot run here: {why}.")]
    Unsupported { what: String, why: String },
}

impl CheckpointError {
    /// Stable code for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "modelNotFound",
            Self::Unreadable { .. } => "modelUnreadable",
            Self::NoModel { .. } | Self::OneDeeper { .. } => "noModel",
            Self::FileMissing { .. } => "modelFileMissing",
            Self::FileBroken { .. } => "modelFileBroken",
            Self::Truncated { .. } => "modelFileIncomplete",
            Self::ReaderFailed { .. } => "modelReaderFailed",
            Self::Unsupported { .. } => "modelUnsupported",
        }
    }

    /// The one thing to do about it.
    #[must_use]
    pub fn next_step(&self) -> String {
        match self {
            Self::NotFound { .. } => {
                "Choose the model's folder again, or remove it from the list.".to_owned()
            }
            Self::Unreadable { .. } => {
                "Check that you may read the folder and that its disk is connected.".to_owned()
            }
            Self::NoModel { .. } => {
                "Choose a folder with config.json and .safetensors files, or a .gguf file."
                    .to_owned()
            }
            Self::OneDeeper { inside, .. } => format!("Choose {inside}."),
            Self::FileMissing { file, .. } => {
                format!("Download {file} from the place the model came from, into the same folder.")
            }
            Self::FileBroken { file, .. } | Self::Truncated { file, .. } => {
                format!("Download {file} again from the place the model came from.")
            }
            Self::ReaderFailed { .. } => {
                "Choose another model, and report this with the model's name.".to_owned()
            }
            Self::Unsupported { .. } => "Choose another model.".to_owned(),
        }
    }

    /// The error as the window shows it.
    #[must_use]
    pub fn failure(&self) -> Failure {
        Failure::new(self.code(), self.to_string(), self.next_step())
    }

    pub(crate) fn broken(file: &str, detail: impl Into<String>) -> Self {
        Self::FileBroken {
            file: file.to_owned(),
            detail: detail.into(),
        }
    }
}
