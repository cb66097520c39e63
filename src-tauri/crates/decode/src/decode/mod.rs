//! From the bytes of a file to upright 8-bit sRGB pixels without transparency.
//!
//! Outside: choosing what a model sees of them (see [`crate::tiling`]).

#[cfg(feature = "avif")]
pub(crate) mod avif;
pub(crate) mod guard;
#[cfg(feature = "heic")]
pub(crate) mod heic;
mod huffman;
mod jpeg;
mod jpeg_halves;
#[cfg(feature = "pdf")]
pub(crate) mod pdf;
pub(crate) mod png;
pub(crate) mod simple;
#[cfg(feature = "svg")]
pub(crate) mod svg;
pub(crate) mod tiff;
#[cfg(feature = "avif")]
mod yuv;

use image::RgbImage;

#[cfg(any(feature = "svg", feature = "pdf"))]
use crate::ImageSize;
use crate::probe::probe_frame;
use crate::{Format, Limits, MediaError, Note, Orientation, Probe};

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

/// Pixels as a decoder gives them, and what was done to get them.
pub(crate) struct Stored {
    pub image: RgbImage,
    pub notes: Vec<Note>,
    /// The decoder has already turned it upright.
    pub turned: bool,
}

fn decode(
    bytes: &[u8],
    limits: &Limits,
    number: u32,
    at_least_px: Option<u32>,
) -> Result<Upright, MediaError> {
    let probe = probe_frame(bytes, limits, number)?;
    let stored = guard::unwinding(probe.format, || match probe.format {
        Format::Jpeg => jpeg::decode(bytes, &probe, at_least_px),
        Format::Png => png::decode(bytes, &probe, limits),
        Format::Tiff => tiff::decode(bytes, limits, number),
        Format::WebP | Format::Gif | Format::Bmp => simple::decode(bytes, &probe, limits, number),
        #[cfg(feature = "avif")]
        Format::Avif => avif::decode(bytes, &probe, limits),
        #[cfg(feature = "heic")]
        Format::Heic => heic::decode(bytes),
        #[cfg(feature = "svg")]
        Format::Svg => svg::decode(bytes, probe.stored),
        #[cfg(feature = "pdf")]
        Format::Pdf => pdf::decode(bytes, &probe, number),
        #[allow(
            unreachable_patterns,
            reason = "which formats are left depends on the features"
        )]
        format => Err(MediaError::NotBuiltIn { format }),
    })?;
    let mut notes = stored.notes;
    if probe.frames > 1 {
        notes.insert(
            0,
            Note::OneOf {
                unit: probe.format.frame_unit().into(),
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
    let image = if stored.turned {
        stored.image
    } else {
        probe.orientation.apply(stored.image)
    };
    Ok(Upright {
        image,
        probe,
        notes,
    })
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
