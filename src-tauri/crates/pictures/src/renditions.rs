//! The forms in which a picture is shown and handed on.
//!
//! Outside: making them (jobs of the decoder crate) and keeping them (`pictures.rs`).

use paddock_decoder::{Decoders, Job};

use crate::PicturesError;

/// The forms in which a page can show a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureForm {
    Thumb,
    Full,
    /// Exactly the pixels that the chosen model gets.
    Seen,
}

impl std::str::FromStr for PictureForm {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "thumb" => Ok(Self::Thumb),
            "full" => Ok(Self::Full),
            "seen" => Ok(Self::Seen),
            _ => Err(()),
        }
    }
}

/// An encoded picture.
#[derive(Debug, Clone)]
pub struct Picture {
    /// `image/png` or `image/jpeg`.
    pub mime: &'static str,
    pub bytes: Vec<u8>,
}

impl Picture {
    pub(crate) const fn png(bytes: Vec<u8>) -> Self {
        Self {
            mime: "image/png",
            bytes,
        }
    }

    pub(crate) const fn jpeg(bytes: Vec<u8>) -> Self {
        Self {
            mime: "image/jpeg",
            bytes,
        }
    }
}

/// Decodes a picture for a question that is not kept, as an engine gets it.
///
/// # Errors
/// The picture cannot be taken.
pub async fn for_one_question(decoders: &Decoders, bytes: &[u8]) -> Result<Picture, PicturesError> {
    let job = Job::Take {
        page: 1,
        thumb: false,
        upright: true,
    };
    let output = decoders.run(&job, bytes).await?;
    only(output.pictures).map(Picture::png)
}

/// The one picture that a job was to make.
pub(crate) fn only(pictures: Vec<Vec<u8>>) -> Result<Vec<u8>, PicturesError> {
    let mut pictures = pictures.into_iter();
    match (pictures.next(), pictures.next()) {
        (Some(picture), None) => Ok(picture),
        _ => Err(incomplete()),
    }
}

/// A decoder that answers well-formed but with less than was asked for was taken over by a file or is of another version.
pub(crate) fn incomplete() -> PicturesError {
    let detail = "its answer is incomplete".into();
    PicturesError::Decoder(paddock_decoder::DecoderError::Died { detail })
}
