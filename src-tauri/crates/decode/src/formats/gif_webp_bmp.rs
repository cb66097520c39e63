//! WebP, GIF and BMP through the `image` crate.
//!
//! Outside: formats with a file of their own here.

use std::io::{Cursor, ErrorKind};

use image::codecs::{bmp::BmpDecoder, gif::GifDecoder, webp::WebPDecoder};
use image::{AnimationDecoder, DynamicImage, ImageDecoder, ImageError};

use super::stored::Stored;
use crate::colour::{Canvas, Channels, Colour};
use crate::{Format, ImageSize, Limits, MediaError, Orientation, Probe, frames};

pub(crate) fn probe_gif(bytes: &[u8]) -> Result<Probe, MediaError> {
    let decoder = GifDecoder::new(Cursor::new(bytes)).map_err(|e| damaged(Format::Gif, e))?;
    let (width_px, height_px) = decoder.dimensions();
    let probe = Probe::raster(
        Format::Gif,
        ImageSize {
            width_px,
            height_px,
        },
        Orientation::Upright,
    );
    Ok(Probe {
        frames: frames::gif(bytes).max(1),
        alpha: true,
        ..probe
    })
}

pub(crate) fn probe_webp(bytes: &[u8]) -> Result<Probe, MediaError> {
    let failed = |e| damaged(Format::WebP, e);
    let decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(failed)?;
    let (width_px, height_px) = decoder.dimensions();
    let alpha = decoder.color_type().has_alpha();
    // The decoder would allocate as much for metadata as a chunk claims to have.
    let chunks = frames::webp(bytes);
    if chunks.cut_off {
        return Err(MediaError::Truncated {
            format: Format::WebP,
        });
    }
    let orientation = chunks
        .exif
        .map_or(Orientation::Upright, Orientation::from_exif_block);
    let probe = Probe::raster(
        Format::WebP,
        ImageSize {
            width_px,
            height_px,
        },
        orientation,
    );
    Ok(Probe {
        frames: chunks.frames.max(1),
        alpha,
        ..probe
    })
}

pub(crate) fn probe_bmp(bytes: &[u8]) -> Result<Probe, MediaError> {
    let decoder = BmpDecoder::new(Cursor::new(bytes)).map_err(|e| damaged(Format::Bmp, e))?;
    let (width_px, height_px) = decoder.dimensions();
    let probe = Probe::raster(
        Format::Bmp,
        ImageSize {
            width_px,
            height_px,
        },
        Orientation::Upright,
    );
    Ok(Probe {
        alpha: decoder.color_type().has_alpha(),
        ..probe
    })
}

pub(crate) fn decode(
    bytes: &[u8],
    probe: &Probe,
    limits: &Limits,
    number: u32,
) -> Result<Stored, MediaError> {
    let format = probe.format;
    let failed = |e| match damaged(format, e) {
        MediaError::Damaged { .. } if format == Format::WebP && frames::webp_cut_off(bytes) => {
            MediaError::Truncated { format }
        }
        other => other,
    };
    let input = Cursor::new(bytes);
    let mut bounds = image::Limits::no_limits();
    bounds.max_alloc = Some(limits.max_decode_bytes);
    let (picture, icc) = match format {
        Format::Gif => {
            let mut decoder = GifDecoder::new(input).map_err(failed)?;
            decoder.set_limits(bounds).map_err(failed)?;
            let icc = decoder.icc_profile().map_err(failed)?;
            // `into_frames` lays each frame over those before it, which the first one needs too if it is a part only.
            (nth(decoder.into_frames(), number).map_err(failed)?, icc)
        }
        Format::WebP => {
            let mut decoder = WebPDecoder::new(input).map_err(failed)?;
            decoder.set_limits(bounds).map_err(failed)?;
            let icc = frames::webp(bytes).icc.map(<[u8]>::to_vec);
            let picture = if number == 1 {
                DynamicImage::from_decoder(decoder).map_err(failed)?
            } else {
                nth(decoder.into_frames(), number).map_err(failed)?
            };
            (picture, icc)
        }
        _ => {
            let mut decoder = BmpDecoder::new(input).map_err(failed)?;
            decoder.set_limits(bounds).map_err(failed)?;
            let icc = decoder.icc_profile().map_err(failed)?;
            (DynamicImage::from_decoder(decoder).map_err(failed)?, icc)
        }
    };
    let size = ImageSize {
        width_px: picture.width(),
        height_px: picture.height(),
    };
    let colour = icc.map_or(Colour::Srgb, Colour::Icc);
    let (channels, samples) = match &picture {
        DynamicImage::ImageLuma8(p) => (Channels::Gray, p.as_raw()),
        DynamicImage::ImageLumaA8(p) => (Channels::GrayAlpha, p.as_raw()),
        DynamicImage::ImageRgb8(p) => (Channels::Rgb, p.as_raw()),
        DynamicImage::ImageRgba8(p) => (Channels::Rgba, p.as_raw()),
        _ => {
            return Err(MediaError::Unsupported {
                format,
                detail: "it has an unusual depth".into(),
            });
        }
    };
    let mut notes = Vec::new();
    let mut canvas = Canvas::new(format, size, channels, &colour)?;
    samples
        .chunks_exact(size.width_px as usize * channels.count())
        .for_each(|row| canvas.row8(row));
    let image = canvas.finish(&mut notes)?;
    Ok(Stored {
        image,
        notes,
        turned: false,
    })
}

fn nth(frames: image::Frames<'_>, number: u32) -> Result<DynamicImage, ImageError> {
    let missing = || ImageError::IoError(ErrorKind::UnexpectedEof.into());
    let mut frames = frames.skip(number.saturating_sub(1) as usize);
    Ok(DynamicImage::ImageRgba8(
        frames.next().ok_or_else(missing)??.into_buffer(),
    ))
}

fn damaged(format: Format, problem: ImageError) -> MediaError {
    match problem {
        ImageError::IoError(e) if e.kind() == ErrorKind::UnexpectedEof => {
            MediaError::Truncated { format }
        }
        ImageError::Unsupported(e) => MediaError::Unsupported {
            format,
            detail: e.to_string(),
        },
        ImageError::Limits(_) => MediaError::Damaged {
            format,
            detail: "it needs more memory than its size explains".into(),
        },
        other => {
            let detail = other.to_string();
            if detail.to_lowercase().contains("unexpected end") || detail.contains("unexpected eof")
            {
                MediaError::Truncated { format }
            } else {
                MediaError::Damaged {
                    format,
                    detail: detail.trim_end_matches('.').to_owned(),
                }
            }
        }
    }
}
