//! Why a picture could not be taken, each reason with one sentence and one next step.
//!
//! Outside: reasons that have nothing to do with the picture itself, such as a missing file.

use paddock_conversation::Failure;
use serde::{Deserialize, Serialize};

use crate::Format;

/// Why a picture could not be taken. `Display` is the sentence; [`MediaError::next_step`] says what to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[non_exhaustive]
pub enum MediaError {
    /// There is not one byte in it.
    #[error("The file is empty (0 bytes).")]
    Empty,
    /// It is longer than [`crate::Limits::max_file_bytes`].
    #[error("The file is {} MB long; Paddock takes pictures of up to {} MB.", .bytes.div_ceil(1_000_000), .max_bytes / 1_000_000)]
    FileTooLong {
        /// Its length.
        bytes: u64,
        /// The bound.
        max_bytes: u64,
    },
    /// It is none of the formats in [`Format`].
    #[error("This is not a picture Paddock knows: it looks like {looks_like}.")]
    NotAPicture {
        /// What it seems to be, as part of a sentence.
        looks_like: String,
    },
    /// Its header announces a picture larger than the limits.
    #[error("The picture is {width_px} x {height_px} pixels, which is too large: {bound}.")]
    TooLarge {
        /// Width in the header.
        width_px: u32,
        /// Height in the header.
        height_px: u32,
        /// The bound it breaks, as part of a sentence.
        bound: String,
    },
    /// Its header announces far more pixels than its bytes can honestly hold.
    #[error(
        "The file claims {width_px} x {height_px} pixels in {bytes} bytes, as files made to exhaust memory do, so it was not opened."
    )]
    Bomb {
        /// Width in the header.
        width_px: u32,
        /// Height in the header.
        height_px: u32,
        /// Length of the file.
        bytes: u64,
    },
    /// It has too many frames or pages.
    #[error("The file has {frames} frames; Paddock takes files of up to {max_frames}.")]
    TooManyFrames {
        /// How many it announces.
        frames: u32,
        /// The bound.
        max_frames: u32,
    },
    /// It ends before the picture does.
    #[error("The {} file is cut off: it ends before the picture is complete.", format.name())]
    Truncated {
        /// Its format.
        format: Format,
    },
    /// It breaks the rules of its format.
    #[error("The {} file is damaged: {detail}.", format.name())]
    Damaged {
        /// Its format.
        format: Format,
        /// What is wrong, as part of a sentence.
        detail: String,
    },
    /// It uses a rare part of its format that is not supported.
    #[error("This kind of {} file is not supported: {detail}.", format.name())]
    Unsupported {
        /// Its format.
        format: Format,
        /// What is not supported, as part of a sentence.
        detail: String,
    },
    /// The format is an optional part of Paddock that this build was made without.
    #[error("This build of Paddock cannot open {} pictures.", format.name())]
    NotBuiltIn {
        /// The format.
        format: Format,
    },
    /// A password is needed to open it.
    #[error("The {} file is protected by a password.", format.name())]
    Locked {
        /// Its format.
        format: Format,
    },
    /// The frame or page asked for does not exist.
    #[error("There is no frame or page {asked}; the file has {total}.")]
    NoSuchFrame {
        /// Which was asked for, counted from 1.
        asked: u32,
        /// How many there are.
        total: u32,
    },
    /// The model does not take pictures of this shape.
    #[error(
        "The picture is {width_px} x {height_px} pixels; this model takes none that are more than {max_ratio} times as long as wide."
    )]
    TooNarrow {
        /// Its width.
        width_px: u32,
        /// Its height.
        height_px: u32,
        /// Longest side by shortest side that the model takes.
        max_ratio: u32,
    },
    /// The picture could not be written as PNG or JPEG.
    #[error("The picture could not be written: {detail}.")]
    NotWritten {
        /// What the encoder said.
        detail: String,
    },
}

impl MediaError {
    /// What the user is told.
    #[must_use]
    pub fn failure(&self) -> Failure {
        Failure::new(self.code(), self.to_string(), self.next_step())
    }

    /// A stable name for this kind of reason, camelCase, for logs, tests and the UI.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "imageEmpty",
            Self::FileTooLong { .. } => "imageFileTooLong",
            Self::NotAPicture { .. } => "imageNotAPicture",
            Self::TooLarge { .. } => "imageTooLarge",
            Self::Bomb { .. } => "imageBomb",
            Self::TooManyFrames { .. } => "imageTooManyFrames",
            Self::Truncated { .. } => "imageTruncated",
            Self::Damaged { .. } => "imageDamaged",
            Self::Unsupported { .. } => "imageUnsupported",
            Self::NotBuiltIn { .. } => "imageNotBuiltIn",
            Self::Locked { .. } => "imageLocked",
            Self::NoSuchFrame { .. } => "imageNoSuchFrame",
            Self::TooNarrow { .. } => "imageTooNarrow",
            Self::NotWritten { .. } => "imageNotWritten",
        }
    }

    /// What to do about it, as one sentence.
    #[must_use]
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::Empty => "Download or export the picture again; this copy holds nothing.",
            Self::FileTooLong { .. } => "Export a smaller copy of the picture and attach that.",
            Self::NotAPicture { .. } => {
                "Attach a JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF, HEIC, SVG or PDF file; a changed file name does not change the format."
            }
            Self::TooLarge { .. } => "Scale the picture down or crop it, then attach it again.",
            Self::Bomb { .. } => {
                "Attach it only if you trust its source: open it in an image editor and export it anew."
            }
            Self::TooManyFrames { .. } => {
                "Export the one frame you want to ask about and attach that."
            }
            Self::Truncated { .. } => {
                "Download or copy the file again; the transfer was probably interrupted."
            }
            Self::Damaged { .. } => {
                "Open it in another program and export it anew, or attach another copy."
            }
            Self::Unsupported { .. } => {
                "Open it in another program, export it as PNG or JPEG and attach that."
            }
            Self::NotBuiltIn { .. } => {
                "Export the picture as PNG or JPEG and attach that, or use a build with this format."
            }
            Self::Locked { .. } => "Save a copy without the password and attach that.",
            Self::NoSuchFrame { .. } => "Choose a number between 1 and the number of frames.",
            Self::TooNarrow { .. } => "Crop it to the part you want to ask about.",
            Self::NotWritten { .. } => "Free some memory and try again.",
        }
    }
}
