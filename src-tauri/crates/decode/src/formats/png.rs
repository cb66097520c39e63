//! PNG, row by row, so that a huge picture needs no more memory than its result.
//!
//! Outside: the frames of an animation; its still picture is taken, as every viewer without animation does.

use std::io::{Cursor, ErrorKind};

use ::png::{BitDepth, ColorType, Decoder, DecodingError, Transformations};

use super::stored::Stored;
use crate::colour::{Canvas, Channels, Colour};
use crate::{Format, ImageSize, Limits, MediaError, Orientation, Probe, frames};

pub(crate) fn probe(bytes: &[u8]) -> Result<Probe, MediaError> {
    let mut decoder =
        Decoder::new_with_limits(Cursor::new(bytes), ::png::Limits { bytes: 64 << 20 });
    let info = decoder.read_header_info().map_err(damaged)?;
    let stored = ImageSize {
        width_px: info.width,
        height_px: info.height,
    };
    let chunks = frames::png(bytes);
    let orientation = chunks
        .exif
        .map_or(Orientation::Upright, Orientation::from_exif_block);
    let alpha = matches!(info.color_type, ColorType::GrayscaleAlpha | ColorType::Rgba)
        || chunks.transparency;
    // One frame is taken and offered: the still picture, which is what every viewer shows.
    Ok(Probe {
        bits: info.bit_depth as u8,
        alpha,
        ..Probe::raster(Format::Png, stored, orientation)
    })
}

pub(crate) fn decode(bytes: &[u8], probe: &Probe, limits: &Limits) -> Result<Stored, MediaError> {
    let mut decoder =
        Decoder::new_with_limits(Cursor::new(bytes), ::png::Limits { bytes: 64 << 20 });
    decoder.set_ignore_text_chunk(true);
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(damaged)?;
    let (color, depth) = reader.output_color_type();
    let channels = match color {
        ColorType::Grayscale => Channels::Gray,
        ColorType::GrayscaleAlpha => Channels::GrayAlpha,
        ColorType::Rgb | ColorType::Indexed => Channels::Rgb,
        ColorType::Rgba => Channels::Rgba,
    };
    let size = ImageSize {
        width_px: reader.info().width,
        height_px: reader.info().height,
    };
    if size != probe.stored {
        return Err(MediaError::Damaged {
            format: Format::Png,
            detail: "its header contradicts itself".into(),
        });
    }
    let mut canvas = Canvas::new(Format::Png, size, channels, &colour(reader.info()))?;
    let mut notes = Vec::new();
    if reader.info().interlaced {
        let length = reader
            .output_buffer_size()
            .filter(|bytes| *bytes as u64 <= limits.max_decode_bytes);
        let mut all = vec![0; length.ok_or_else(|| crate::colour::too_large_for_memory(size))?];
        let info = reader.next_frame(&mut all).map_err(damaged)?;
        all.chunks_exact(info.line_size)
            .for_each(|row| push(&mut canvas, row, depth));
    } else {
        while let Some(row) = reader.next_row().map_err(damaged)? {
            push(&mut canvas, row.data(), depth);
        }
    }
    let image = canvas.finish(&mut notes)?;
    Ok(Stored {
        image,
        notes,
        turned: false,
    })
}

fn push(canvas: &mut Canvas, row: &[u8], depth: BitDepth) {
    if depth == BitDepth::Sixteen {
        let wide: Vec<u16> = row
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| u16::from_be_bytes(*pair))
            .collect();
        canvas.row16(&wide);
    } else {
        canvas.row8(row);
    }
}

/// In the order of precedence that the PNG specification (third edition, 4.3) gives: cICP, iCCP, sRGB, gAMA and cHRM.
fn colour(info: &::png::Info<'_>) -> Colour {
    if let Some(code) = info.coding_independent_code_points {
        return Colour::CodePoints {
            primaries: code.color_primaries,
            transfer: code.transfer_function,
        };
    }
    if let Some(icc) = &info.icc_profile {
        return Colour::Icc(icc.to_vec());
    }
    match info.gama_chunk {
        Some(gamma) if info.srgb.is_none() => Colour::Gamma {
            gamma: gamma.into_value(),
            chromaticities: info.chrm_chunk.map(|c| {
                [c.white, c.red, c.green, c.blue].map(|(x, y)| (x.into_value(), y.into_value()))
            }),
        },
        _ => Colour::Srgb,
    }
}

fn damaged(problem: DecodingError) -> MediaError {
    let format = Format::Png;
    match problem {
        DecodingError::IoError(e) if e.kind() == ErrorKind::UnexpectedEof => {
            MediaError::Truncated { format }
        }
        DecodingError::LimitsExceeded => MediaError::Damaged {
            format,
            detail: "one of its chunks needs too much memory".into(),
        },
        other => MediaError::Damaged {
            format,
            detail: other.to_string().trim_end_matches('.').to_owned(),
        },
    }
}
