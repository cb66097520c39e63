//! From the bytes of a file to upright 8-bit sRGB pixels without transparency.
//!
//! Outside: choosing what a model sees of them (see [`crate::tiling`]).

use image::RgbImage;

#[cfg(feature = "avif")]
use crate::formats::avif;
#[cfg(feature = "heic")]
use crate::formats::heic;
#[cfg(feature = "pdf")]
use crate::formats::pdf;
#[cfg(feature = "svg")]
use crate::formats::svg;
use crate::formats::{gif_webp_bmp, jpeg, png, tiff};
use crate::probe::probe_frame;
use crate::{Format, Limits, MediaError, Note, Orientation, Probe, guard};

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
/// Never panics. Memory and time are bounded by [`Limits`] for pixels; what a PDF or SVG unpacks on the way, and what a
/// decoder's own faults cost, is bounded only by the process it runs in: bytes of strangers go to the decoder crate.
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
    let probe = probe_frame(bytes, limits, number)?;
    let stored = guard::unwinding(probe.format, || match probe.format {
        Format::Jpeg => jpeg::decode(bytes, &probe),
        Format::Png => png::decode(bytes, &probe, limits),
        Format::Tiff => tiff::decode(bytes, limits, number),
        Format::WebP | Format::Gif | Format::Bmp => {
            gif_webp_bmp::decode(bytes, &probe, limits, number)
        }
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

/// Does ahead, once for a process, what takes long for reasons that no picture has: finding the computer's fonts, which
/// an SVG with words in it needs. Decoding does it otherwise.
pub fn prepare() {
    #[cfg(feature = "svg")]
    svg::load_fonts();
}
