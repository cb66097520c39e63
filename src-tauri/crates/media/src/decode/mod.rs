//! From the bytes of a file to upright 8-bit sRGB pixels without transparency.
//!
//! Outside: choosing what a model sees of them (see [`crate::tiling`]).

pub(crate) mod guard;
mod jpeg;
pub(crate) mod png;
pub(crate) mod simple;
pub(crate) mod tiff;

use image::RgbImage;

use crate::{Format, Limits, MediaError, Note, Orientation, Probe, probe};

/// A picture ready to be shown or sent: upright, sRGB, opaque, free of metadata.
#[derive(Clone, Debug)]
pub struct Upright {
    /// The pixels.
    pub image: RgbImage,
    /// What the header said.
    pub probe: Probe,
    /// What was done on the way.
    pub notes: Vec<Note>,
}

/// Decodes the first frame or page of `bytes`: colours to sRGB, 8 bits, see-through parts over white, upright.
///
/// Never panics and never takes more memory than [`Limits`] says.
///
/// # Errors
/// [`MediaError`] with the reason why the picture cannot be taken.
pub fn decode_upright(bytes: &[u8], limits: &Limits) -> Result<Upright, MediaError> {
    decode_frame(bytes, limits, 1)
}

/// Like [`decode_upright`], for the frame or page `number`, counted from 1.
///
/// # Errors
/// As [`decode_upright`], and [`MediaError::NoSuchFrame`].
pub fn decode_frame(bytes: &[u8], limits: &Limits, number: u32) -> Result<Upright, MediaError> {
    decode(bytes, limits, number, None)
}

/// Decodes a preview whose longer side is at most `max_edge_px`, at less cost than the whole picture where the format
/// allows. Good for looking at, not for showing to a model.
///
/// # Errors
/// As [`decode_upright`].
pub fn decode_preview(
    bytes: &[u8],
    limits: &Limits,
    max_edge_px: u32,
) -> Result<RgbImage, MediaError> {
    let upright = decode(bytes, limits, 1, Some(max_edge_px.max(1)))?;
    Ok(crate::thumbnail(&upright.image, max_edge_px))
}

/// Pixels as stored, and what was done to get them.
pub(crate) struct Stored {
    pub image: RgbImage,
    pub notes: Vec<Note>,
}

fn decode(
    bytes: &[u8],
    limits: &Limits,
    number: u32,
    at_least_px: Option<u32>,
) -> Result<Upright, MediaError> {
    let probe = probe(bytes, limits)?;
    if number == 0 || number > probe.frames {
        return Err(MediaError::NoSuchFrame {
            asked: number,
            total: probe.frames,
        });
    }
    let stored = guard::unwinding(probe.format, || match probe.format {
        Format::Jpeg => jpeg::decode(bytes, &probe, at_least_px),
        Format::Png => png::decode(bytes, &probe, limits),
        Format::Tiff => tiff::decode(bytes, limits, number),
        Format::WebP | Format::Gif | Format::Bmp => simple::decode(bytes, &probe, limits, number),
        Format::Avif | Format::Heic | Format::Svg | Format::Pdf => Err(MediaError::NotBuiltIn {
            format: probe.format,
        }),
    })?;
    let mut notes = stored.notes;
    if probe.frames > 1 {
        let unit = if matches!(probe.format, Format::Tiff | Format::Pdf) {
            "page"
        } else {
            "frame"
        };
        notes.insert(
            0,
            Note::OneOf {
                unit: unit.into(),
                taken: number,
                total: probe.frames,
            },
        );
    }
    if probe.orientation != Orientation::Upright {
        notes.push(Note::Turned {
            orientation: probe.orientation,
        });
    }
    Ok(Upright {
        image: probe.orientation.apply(stored.image),
        probe,
        notes,
    })
}
