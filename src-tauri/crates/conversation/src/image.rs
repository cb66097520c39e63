//! Pictures as a conversation refers to them: by id, never by path or by bytes.
//!
//! Outside: pixels (the decode crate) and where the bytes lie (the store).

use serde::{Deserialize, Serialize};
use specta::Type;

use crate::ImageId;

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ImageSize {
    pub width_px: u32,
    pub height_px: u32,
}

impl ImageSize {
    #[must_use]
    pub const fn new(width_px: u32, height_px: u32) -> Self {
        Self {
            width_px,
            height_px,
        }
    }

    /// Number of pixels.
    #[must_use]
    pub const fn pixels(self) -> u64 {
        self.width_px as u64 * self.height_px as u64
    }

    /// Width and height exchanged.
    #[must_use]
    pub const fn turned(self) -> Self {
        Self {
            width_px: self.height_px,
            height_px: self.width_px,
        }
    }
}

impl std::fmt::Display for ImageSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} × {}", self.width_px, self.height_px)
    }
}

/// A picture inside a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ImageRef {
    pub id: ImageId,
    /// File name as the user knows it, or what stands for one ("Pasted image").
    pub name: String,
    /// Upright size.
    pub size: ImageSize,
    pub alt: Option<String>,
}

/// A picture that was taken in and can be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    pub id: ImageId,
    pub name: String,
    /// `PNG`, `JPEG`, ...
    pub format: String,
    /// Size as stored in the file.
    pub stored: ImageSize,
    /// Size as seen, after the turn that the file's metadata asks for.
    pub upright: ImageSize,
    /// Length of the original file.
    #[specta(type = u32)]
    pub bytes: u64,
    /// What was done on the way in, one sentence each ("Turned upright").
    pub notes: Vec<String>,
    /// What is on it, in the user's words.
    pub alt: Option<String>,
    /// Set if the file has several pages or frames and was kept, so that another one can be taken.
    pub pages: Option<Pages>,
}

/// One page or frame of a file with several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Pages {
    /// The picture that keeps the file.
    pub file: ImageId,
    /// Counted from 1.
    pub number: u32,
    pub total: u32,
    /// `page` or `frame`.
    pub unit: String,
}

/// What stands in the composer of one conversation, or of a new one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Draft {
    pub text: String,
    pub images: Vec<Attachment>,
}
