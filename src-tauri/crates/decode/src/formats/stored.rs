//! Pixels as a format's decoder gives them.
//!
//! Outside: turning them upright.

use image::RgbImage;

#[cfg(any(feature = "svg", feature = "pdf"))]
use crate::ImageSize;
use crate::Note;

/// Pixels as a decoder gives them, and what was done to get them.
pub(crate) struct Stored {
    pub image: RgbImage,
    pub notes: Vec<Note>,
    /// The decoder has already turned it upright.
    pub turned: bool,
}

/// The size a vector picture of `width` x `height` is drawn at: its own, but with a longer side of 1,024 to 4,096
/// pixels, so that small icons and posters can be read alike.
#[cfg(any(feature = "svg", feature = "pdf"))]
pub(crate) fn drawn_size(width: f32, height: f32) -> ImageSize {
    let long = f64::from(width.max(height)).max(f64::MIN_POSITIVE);
    let scale = long.clamp(1024.0, 4096.0) / long;
    // The cast keeps to the range of u32 and makes 0 of NaN.
    let side = |side: f32| ((f64::from(side) * scale).round() as u32).clamp(1, 4096);
    ImageSize {
        width_px: side(width),
        height_px: side(height),
    }
}
