//! The eight ways a camera can hold a picture (Exif tag 0x0112), and how to turn it upright.
//!
//! Outside: finding the tag in a file.

use image::{RgbImage, imageops};
use serde::{Deserialize, Serialize};

use crate::{ImageSize, bands};

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
    /// Of an Exif block that begins at its TIFF header.
    pub(crate) fn from_exif_block(exif: &[u8]) -> Self {
        image::metadata::Orientation::from_exif_chunk(exif)
            .map_or(Self::Upright, |o| Self::from_exif(o.to_exif().into()))
    }

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
            Self::Transposed
            | Self::QuarterClockwise
            | Self::Transversed
            | Self::QuarterAnticlockwise => self.turned(&image),
        }
    }

    /// A quarter turn, mirrored or not: rows become columns.
    fn turned(self, image: &RgbImage) -> RgbImage {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let mut out = RgbImage::new(image.height(), image.width());
        if image.is_empty() {
            return out;
        }
        // Where the upright picture's row and column are in the stored one
        let from_right = matches!(self, Self::Transversed | Self::QuarterAnticlockwise);
        let from_below = matches!(self, Self::QuarterClockwise | Self::Transversed);
        let stored = image.as_raw().as_chunks::<3>().0;
        let parts = bands::count(stored.len() as u64).get() as usize;
        let rows = width.div_ceil(parts).next_multiple_of(BLOCK_PX);
        let bands = out
            .as_chunks_mut::<3>()
            .0
            .chunks_mut(rows * height)
            .enumerate()
            .collect();
        bands::each(bands, |(number, band): (usize, &mut [[u8; 3]])| {
            // In blocks, whose stored rows and upright rows both stay in the first cache
            for (strip, block_rows) in band.chunks_mut(BLOCK_PX * height).enumerate() {
                let top = number * rows + strip * BLOCK_PX;
                for left in (0..height).step_by(BLOCK_PX) {
                    let right = (left + BLOCK_PX).min(height);
                    for (row, line) in block_rows.chunks_exact_mut(height).enumerate() {
                        let x = if from_right {
                            width - 1 - (top + row)
                        } else {
                            top + row
                        };
                        for (column, pixel) in line[left..right].iter_mut().enumerate() {
                            let column = left + column;
                            let y = if from_below {
                                height - 1 - column
                            } else {
                                column
                            };
                            *pixel = stored[y * width + x];
                        }
                    }
                }
            }
            true
        });
        out
    }
}

/// Pixels a side that are turned at a time.
const BLOCK_PX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_as_exif_says() {
        // Smaller than a block, not a multiple of one, and large enough to be shared out.
        for (width, height) in [(1, 1), (3, 2), (33, 70), (801, 797)] {
            let stored = RgbImage::from_fn(width, height, |x, y| {
                image::Rgb([x as u8, y as u8, (x / 256 * 16 + y / 256) as u8])
            });
            let mirrored = |image: &RgbImage| imageops::flip_horizontal(image);
            for (number, wanted) in [
                (5, mirrored(&imageops::rotate90(&stored))),
                (6, imageops::rotate90(&stored)),
                (7, mirrored(&imageops::rotate270(&stored))),
                (8, imageops::rotate270(&stored)),
            ] {
                let found = Orientation::from_exif(number).apply(stored.clone());
                assert!(found == wanted, "{number}: {width} x {height}");
            }
        }
    }
}
