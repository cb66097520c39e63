//! Why a picture came back without pixels: the file itself, or what it did to the decoder.
//!
//! Outside: files that cannot be read, and the store.

use paddock_conversation::Failure;
use paddock_decode::MediaError;
use serde::{Deserialize, Serialize};

/// Why a job was not done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "reason", content = "detail", rename_all = "camelCase")]
pub enum DecoderError {
    /// The file cannot be taken.
    #[error(transparent)]
    Media(MediaError),
    /// The part to cut out lies outside the picture.
    #[error("The chosen part lies outside the picture.")]
    EmptyRegion,
    /// The process ended: a fault in a decoder that the file set off.
    #[error("The picture made its decoder stop, so it was not taken.")]
    Died {
        /// How it ended, for the log.
        detail: String,
    },
    /// The process was ended because it worked on the file for too long.
    #[error("The picture was still not decoded after {seconds} seconds, so it was not taken.")]
    TooSlow {
        /// The bound for a picture of its size.
        seconds: u64,
    },
    /// It asked for more memory than any picture of its size needs.
    #[error(
        "The picture asked for more memory than a picture of its size needs, so it was not taken."
    )]
    TooMuchMemory,
    /// No process could be started.
    #[error("The part of Paddock that decodes pictures could not be started ({detail}).")]
    NotStarted {
        /// What the system said.
        detail: String,
    },
    /// The program is ending.
    #[error("Paddock is closing.")]
    Closed,
}

impl From<MediaError> for DecoderError {
    fn from(error: MediaError) -> Self {
        Self::Media(error)
    }
}

impl DecoderError {
    /// What the user is told.
    #[must_use]
    pub fn failure(&self) -> Failure {
        const EXPORT: &str =
            "Open it in another program, export it as PNG or JPEG and attach that.";
        let (code, next_step) = match self {
            Self::Media(error) => return error.failure(),
            Self::EmptyRegion => ("emptyRegion", "Draw the rectangle inside the picture."),
            Self::Died { .. } => ("decoderDied", EXPORT),
            Self::TooSlow { .. } => ("decoderTooSlow", EXPORT),
            Self::TooMuchMemory => ("decoderTooMuchMemory", EXPORT),
            Self::NotStarted { .. } => (
                "decoderNotStarted",
                "Close other programs and try again; if that does not help, install Paddock again.",
            ),
            Self::Closed => ("closing", "Attach the picture again after the next start."),
        };
        Failure::new(code, self.to_string(), next_step)
    }

    /// Whether the file is at fault and not this computer.
    #[must_use]
    pub const fn is_bad_input(&self) -> bool {
        !matches!(self, Self::NotStarted { .. } | Self::Closed)
    }
}
