//! The size of a picture in pixels.
//!
//! Outside: what the pixels show.

use serde::{Deserialize, Serialize};

/// Width and height of a picture in pixels, both at least 1 for a picture that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "camelCase")]
pub struct ImageSize {
    /// Pixels from left to right.
    pub width_px: u32,
    /// Pixels from top to bottom.
    pub height_px: u32,
}
