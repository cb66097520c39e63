//! What a file's header says about its picture, and whether that is within the limits.
//!
//! Outside: reading the headers (`formats`, one file each) and choosing whose it is (`probe.rs`).

use serde::{Deserialize, Serialize};

use crate::{Format, ImageSize, Limits, MediaError, Orientation};

/// What the header of a file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// The file's format, told from its bytes.
    pub format: Format,
    /// Size of the pixels as stored. For vector formats: the size the picture will be drawn at.
    pub stored: ImageSize,
    /// Size after the orientation was applied.
    pub upright: ImageSize,
    /// How the stored pixels have to be turned.
    pub orientation: Orientation,
    /// Frames or pages in the file, at least 1.
    pub frames: u32,
    /// Bits of each channel, 1 to 32; 8 for vector formats.
    pub bits: u8,
    /// Whether parts of the picture may be see-through.
    pub alpha: bool,
}

impl Probe {
    /// Of pixels in 8 bits, one frame, nothing see-through.
    pub(crate) fn raster(format: Format, stored: ImageSize, orientation: Orientation) -> Self {
        Self {
            format,
            stored,
            upright: orientation.upright(stored),
            orientation,
            frames: 1,
            bits: 8,
            alpha: false,
        }
    }
}

/// Refuses what no decoder should be started for.
pub(crate) fn check(probe: &Probe, bytes: u64, limits: &Limits) -> Result<(), MediaError> {
    let ImageSize {
        width_px,
        height_px,
    } = probe.stored;
    let format = probe.format;
    if width_px == 0 || height_px == 0 {
        return Err(MediaError::Damaged {
            format,
            detail: format!("it says it is {width_px} x {height_px} pixels"),
        });
    }
    let too_large = |bound: String| {
        Err(MediaError::TooLarge {
            width_px,
            height_px,
            bound,
        })
    };
    let pixels = probe.stored.pixels();
    if width_px.max(height_px) > limits.max_edge_px {
        return too_large(format!(
            "a side may have up to {} pixels",
            limits.max_edge_px
        ));
    }
    if pixels > limits.max_pixels {
        return too_large(format!(
            "Paddock takes up to {} megapixels",
            limits.max_pixels / 1_000_000
        ));
    }
    // Four channels at most, in the depth of the file
    if pixels * 4 * u64::from(probe.bits.div_ceil(8)) > limits.max_decode_bytes.saturating_mul(2) {
        return too_large(format!(
            "decoded it would not fit into {} MB",
            limits.max_decode_bytes >> 20
        ));
    }
    let vector = matches!(format, Format::Svg | Format::Pdf);
    if !vector
        && pixels > limits.free_pixels
        && pixels > bytes.saturating_mul(limits.max_pixels_per_byte)
    {
        return Err(MediaError::Bomb {
            width_px,
            height_px,
            bytes,
        });
    }
    if probe.frames > limits.max_frames {
        return Err(MediaError::TooManyFrames {
            frames: probe.frames,
            max_frames: limits.max_frames,
        });
    }
    Ok(())
}
