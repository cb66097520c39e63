//! The eight ways a camera can hold a picture (Exif tag 0x0112), and how to turn it upright.
//!
//! Outside: finding the tag in a file.

use image::{RgbImage, imageops};
use serde::{Deserialize, Serialize};

use crate::ImageSize;

/// Exif orientation: what has to be done to the stored pixels so that the picture stands upright.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, specta::Type,
)]
#[serde(rename_all = "camelCase")]
pub enum Orientation {
    /// 1: stored upright.
    #[default]
    Upright,
    /// 2: mirror left and right.
    Mirrored,
    /// 3: half a turn.
    Half,
    /// 4: mirror top and bottom.
    Flipped,
    /// 5: transpose (mirror left and right, then a quarter turn anticlockwise).
    Transposed,
    /// 6: a quarter turn clockwise.
    QuarterClockwise,
    /// 7: transverse (mirror left and right, then a quarter turn clockwise).
    Transversed,
    /// 8: a quarter turn anticlockwise.
    QuarterAnticlockwise,
}

impl Orientation {
    /// From the Exif number; anything but 1 to 8 counts as 1, as the standard asks of "reserved".
    #[must_use]
    pub const fn from_exif(number: u16) -> Self {
        match number {
            2 => Self::Mirrored,
            3 => Self::Half,
            4 => Self::Flipped,
            5 => Self::Transposed,
            6 => Self::QuarterClockwise,
            7 => Self::Transversed,
            8 => Self::QuarterAnticlockwise,
            _ => Self::Upright,
        }
    }

    /// Whether width and height change places.
    #[must_use]
    pub const fn swaps_sides(self) -> bool {
        matches!(
            self,
            Self::Transposed
                | Self::QuarterClockwise
                | Self::Transversed
                | Self::QuarterAnticlockwise
        )
    }

    /// The upright size of a picture that is stored as `stored`.
    #[must_use]
    pub const fn upright(self, stored: ImageSize) -> ImageSize {
        if self.swaps_sides() {
            ImageSize {
                width_px: stored.height_px,
                height_px: stored.width_px,
            }
        } else {
            stored
        }
    }

    /// `image`, turned upright.
    #[must_use]
    pub fn apply(self, mut image: RgbImage) -> RgbImage {
        match self {
            Self::Upright => image,
            Self::Mirrored => {
                imageops::flip_horizontal_in_place(&mut image);
                image
            }
            Self::Half => {
                imageops::rotate180_in_place(&mut image);
                image
            }
            Self::Flipped => {
                imageops::flip_vertical_in_place(&mut image);
                image
            }
            Self::Transposed => {
                let mut turned = imageops::rotate90(&image);
                imageops::flip_horizontal_in_place(&mut turned);
                turned
            }
            Self::QuarterClockwise => imageops::rotate90(&image),
            Self::Transversed => {
                let mut turned = imageops::rotate270(&image);
                imageops::flip_horizontal_in_place(&mut turned);
                turned
            }
            Self::QuarterAnticlockwise => imageops::rotate270(&image),
        }
    }
}
