//! JPEG through libjpeg-turbo, which gives the very pixels that Pillow, and with it transformers, gets.
//!
//! Outside: 12-bit JPEG, which cameras do not write.

use image::RgbImage;
use turbojpeg::{Colorspace, Decompressor, Image, PixelFormat};

use super::stored::Stored;
use crate::colour::{Canvas, Channels, Colour};
use crate::{Format, ImageSize, MediaError, Note, Orientation, Probe, jpeg};

pub(crate) fn probe(bytes: &[u8]) -> Result<Probe, MediaError> {
    let markers = jpeg::markers(bytes)?;
    let stored = markers.size.ok_or(MediaError::Truncated {
        format: Format::Jpeg,
    })?;
    if stored.height_px == 0 {
        let detail = "its height comes after its pixels".into();
        return Err(MediaError::Unsupported {
            format: Format::Jpeg,
            detail,
        });
    }
    let orientation = markers
        .exif
        .as_deref()
        .map_or(Orientation::Upright, Orientation::from_exif_block);
    Ok(Probe {
        bits: markers.bits,
        ..Probe::raster(Format::Jpeg, stored, orientation)
    })
}

pub(crate) fn decode(bytes: &[u8], probe: &Probe) -> Result<Stored, MediaError> {
    let markers = jpeg::markers(bytes)?;
    if probe.bits != 8 {
        return Err(unsupported(format!(
            "it has {} bits for each colour",
            probe.bits
        )));
    }
    let mut notes = Vec::new();
    if markers.gain_map {
        notes.push(Note::GainMapIgnored);
    }
    let mut with_end = Vec::new();
    let bytes = match markers.end {
        Some(end) => &bytes[..end],
        None => {
            // A file that lacks just the end marker is complete; with it libjpeg can tell that from one that is cut off.
            with_end.extend_from_slice(bytes);
            with_end.extend_from_slice(&[0xFF, 0xD9]);
            &with_end
        }
    };
    let mut decoder = Decompressor::new().map_err(damaged)?;
    let header = decoder.read_header(bytes).map_err(damaged)?;
    let (format, channels) = match header.colorspace {
        Colorspace::Gray => (PixelFormat::GRAY, Channels::Gray),
        Colorspace::CMYK | Colorspace::YCCK => (PixelFormat::CMYK, Channels::Cmyk),
        Colorspace::RGB | Colorspace::YCbCr => (PixelFormat::RGB, Channels::Rgb),
    };
    let size = ImageSize {
        width_px: u32::try_from(header.width).unwrap_or(u32::MAX),
        height_px: u32::try_from(header.height).unwrap_or(u32::MAX),
    };
    let mut canvas = Canvas::new(
        Format::Jpeg,
        size,
        channels,
        &markers.icc.map_or(Colour::Srgb, Colour::Icc),
    )?;
    let pitch = header.width * format.size();
    // The canvas has found out that there is memory for it.
    let mut pixels = vec![0; pitch * header.height];
    let target = Image {
        pixels: pixels.as_mut_slice(),
        width: header.width,
        pitch,
        height: header.height,
        format,
    };
    if let Err(problem) = decoder.decompress(bytes, target) {
        notes.push(harmless(problem)?);
    }
    if markers.adobe && channels == Channels::Cmyk {
        pixels.iter_mut().for_each(|ink| *ink = 255 - *ink);
    }
    if canvas.passes_through() {
        let image = RgbImage::from_raw(size.width_px, size.height_px, pixels);
        return Ok(Stored {
            image: image.ok_or(MediaError::Truncated {
                format: Format::Jpeg,
            })?,
            notes,
            turned: false,
        });
    }
    pixels.chunks_exact(pitch).for_each(|row| canvas.row8(row));
    let image = canvas.finish(&mut notes)?;
    Ok(Stored {
        image,
        notes,
        turned: false,
    })
}

/// libjpeg reports oddities that leave the pixels whole in the same way as damage; these are the former.
fn harmless(problem: turbojpeg::Error) -> Result<Note, MediaError> {
    let turbojpeg::Error::TurboJpegError(text) = &problem else {
        return Err(damaged(problem));
    };
    // The texts of JWRN_EXTRANEOUS_DATA, JWRN_ADOBE_XFORM, JWRN_JFIF_MAJOR, JWRN_BOGUS_ICC and JWRN_NOT_SEQUENTIAL in
    // libjpeg's jerror.h
    let known = [
        ("extraneous bytes before marker", "it has stray bytes"),
        (
            "Unknown Adobe color transform",
            "it has an odd Adobe marker",
        ),
        ("unknown JFIF revision", "it has an odd version number"),
        ("bad ICC marker", "its colour profile cannot be read"),
        ("Invalid SOS parameters", "it has odd scan settings"),
    ];
    match known.iter().find(|(sign, _)| text.contains(sign)) {
        Some((_, detail)) => Ok(Note::Repaired {
            detail: (*detail).into(),
        }),
        None => Err(damaged(problem)),
    }
}

fn damaged(problem: turbojpeg::Error) -> MediaError {
    let text = problem.to_string();
    if text.contains("remature end") {
        MediaError::Truncated {
            format: Format::Jpeg,
        }
    } else if text.contains("nsupported")
        || text.contains("not supported")
        || text.contains("not implemented")
    {
        unsupported(text)
    } else {
        MediaError::Damaged {
            format: Format::Jpeg,
            detail: text.replace("TurboJPEG error: ", ""),
        }
    }
}

fn unsupported(detail: String) -> MediaError {
    MediaError::Unsupported {
        format: Format::Jpeg,
        detail: detail.replace("TurboJPEG error: ", ""),
    }
}
