//! Why something could not be done with a picture, and how the user reads it.
//!
//! Outside: why a file cannot be decoded (the decode and decoder crates).

use paddock_conversation::{Failure, ImageSize};
use paddock_decoder::DecoderError;
use paddock_store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum PicturesError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Decoder(#[from] DecoderError),
    /// A file that cannot be read; the reason comes with its words.
    #[error("{}", .0.message)]
    File(Failure),
    #[error("The file of this picture was not kept, so its other pages cannot be had.")]
    OriginalNotKept,
    #[error("There is no sample picture {name:?}.")]
    NoSample { name: String },
    #[error(
        "The picture of {size} pixels cannot be shown as the model sees it: its way of seeing is not known."
    )]
    NoPlan { size: ImageSize },
    #[error("An inner task was ended ({detail}).")]
    TaskEnded { detail: String },
}

impl PicturesError {
    /// Whether the one who asked can mend it: another file, another page, another part.
    #[must_use]
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Decoder(error) => error.is_bad_input(),
            Self::File(_) | Self::OriginalNotKept | Self::NoSample { .. } => true,
            Self::Store(_) | Self::NoPlan { .. } | Self::TaskEnded { .. } => false,
        }
    }

    /// As the page shows it.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let (code, next_step) = match self {
            Self::Store(error) => return error.failure(),
            Self::Decoder(error) => return error.failure(),
            Self::File(failure) => return failure.clone(),
            Self::OriginalNotKept => ("originalNotKept", "Attach the file again."),
            Self::NoSample { .. } => ("noSample", "Attach a picture of your own."),
            Self::NoPlan { .. } => (
                "noPlan",
                "Choose a model whose way of seeing is known, such as the demo model.",
            ),
            Self::TaskEnded { .. } => ("internal", "Try again."),
        };
        Failure::new(code, self.to_string(), next_step)
    }
}
