//! HEIC through `heic-decoder`, which is written in safe Rust.
//!
//! Outside: HDR gain maps and depth maps.

use heic_decoder::{ColorInfo, HeifError, RgbOptions};

use super::stored::Stored;
use crate::colour::{Canvas, Channels, Colour};
use crate::isobmff::{self, Problem};
use crate::{Format, ImageSize, MediaError, Note, Orientation, Probe};

pub(crate) fn probe(bytes: &[u8]) -> Result<Probe, MediaError> {
    // Before the decoder gets it: that would unpack one tile as often as it is named.
    let orientation = match isobmff::primary(bytes) {
        Ok(picture) => picture.orientation(),
        Err(Problem::Contents) => Orientation::Upright,
        Err(Problem::Repeats) => {
            return Err(MediaError::Damaged {
                format: Format::Heic,
                detail: "it names the same data over and over".into(),
            });
        }
    };
    let info = heic_decoder::probe(bytes).map_err(|e| damaged(bytes, &e))?;
    let size = |width: usize, height: usize| ImageSize {
        width_px: u32::try_from(width).unwrap_or(u32::MAX),
        height_px: u32::try_from(height).unwrap_or(u32::MAX),
    };
    Ok(Probe {
        format: Format::Heic,
        stored: size(info.coded_width, info.coded_height),
        upright: size(info.width, info.height),
        orientation,
        frames: 1,
        bits: u8::try_from(info.bit_depth_luma).unwrap_or(8),
        alpha: info.alpha_bit_depth.is_some(),
    })
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Stored, MediaError> {
    let failed = |e| damaged(bytes, &e);
    let image = heic_decoder::decode(bytes).map_err(failed)?;
    let size = ImageSize {
        width_px: image.width as u32,
        height_px: image.height as u32,
    };
    let colour = match &image.metadata.icc_profile {
        Some(icc) => Colour::Icc(icc.clone()),
        None => image
            .color_info
            .map_or(Colour::Srgb, |c: ColorInfo| Colour::CodePoints {
                primaries: u8::try_from(c.color_primaries).unwrap_or(2),
                transfer: u8::try_from(c.transfer_characteristics).unwrap_or(2),
            }),
    };
    // Without any word on it, HEIF pictures are BT.601 in full range (ISO/IEC 23000-22, 7.3.6.4), as libheif has it.
    let unlabelled = ColorInfo {
        color_primaries: 1,
        transfer_characteristics: 13,
        matrix_coefficients: 6,
        full_range: true,
    };
    let options = RgbOptions {
        color: image.color_info.is_none().then_some(unlabelled),
        ..RgbOptions::default()
    };
    let channels = if image.alpha.is_some() {
        Channels::Rgba
    } else {
        Channels::Rgb
    };
    let length = image.width * channels.count();
    let mut canvas = Canvas::new(Format::Heic, size, channels, &colour)?;
    let deep = image.bit_depth_luma > 8;
    match (deep, channels) {
        (false, Channels::Rgb) => {
            let rgb = image.to_rgb8_with_options(&options).map_err(failed)?;
            rgb.data
                .chunks_exact(length)
                .for_each(|row| canvas.row8(row));
        }
        (false, _) => {
            let rgba = image.to_rgba8_with_options(&options).map_err(failed)?;
            rgba.data
                .chunks_exact(length)
                .for_each(|row| canvas.row8(row));
        }
        (true, Channels::Rgb) => {
            let rgb = image.to_rgb16_with_options(&options).map_err(failed)?;
            rgb.data
                .chunks_exact(length)
                .for_each(|row| canvas.row16(row));
        }
        (true, _) => {
            let rgba = image.to_rgba16_with_options(&options).map_err(failed)?;
            rgba.data
                .chunks_exact(length)
                .for_each(|row| canvas.row16(row));
        }
    }
    let mut notes = Vec::new();
    let picture = canvas.finish(&mut notes)?;
    for note in &mut notes {
        if let Note::DepthReduced { bits } = note {
            *bits = u8::try_from(image.bit_depth_luma).unwrap_or(16);
        }
    }
    Ok(Stored {
        image: picture,
        notes,
        turned: true,
    })
}

fn damaged(bytes: &[u8], problem: &HeifError) -> MediaError {
    let format = Format::Heic;
    if isobmff::cut_off(bytes) {
        return MediaError::Truncated { format };
    }
    match problem {
        HeifError::Truncated { .. } => MediaError::Truncated { format },
        HeifError::Unsupported(what) => MediaError::Unsupported {
            format,
            detail: (*what).to_owned(),
        },
        other => MediaError::Damaged {
            format,
            detail: other.to_string(),
        },
    }
}
