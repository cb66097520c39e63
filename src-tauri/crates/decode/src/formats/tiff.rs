//! TIFF pages: gray, palette, RGB and CMYK, whole numbers or floats, samples together or in planes.
//!
//! Outside: Lab, and the many private uses of the format by science and maps.

use std::io::{Cursor, ErrorKind};

use ::tiff::decoder::{Decoder, DecodingResult, Limits as TiffLimits};
use ::tiff::tags::Tag;
use ::tiff::{ColorType, TiffError};

use super::stored::Stored;
use crate::colour::{Canvas, Channels, Colour};
use crate::{Format, ImageSize, Limits, MediaError, Orientation, Probe};

type Reader<'a> = Decoder<Cursor<&'a [u8]>>;

/// Opens `bytes` at page `number`, counted from 1.
fn open<'a>(bytes: &'a [u8], limits: &Limits, number: u32) -> Result<Reader<'a>, MediaError> {
    let mut bounds = TiffLimits::default();
    let most = usize::try_from(limits.max_decode_bytes).unwrap_or(usize::MAX);
    bounds.decoding_buffer_size = most;
    bounds.intermediate_buffer_size = most;
    bounds.ifd_value_size = 16 << 20;
    let mut reader = Decoder::new(Cursor::new(bytes))
        .map_err(damaged)?
        .with_limits(bounds);
    reader
        .seek_to_image(number.saturating_sub(1) as usize)
        .map_err(damaged)?;
    Ok(reader)
}

/// The page's channels and bits, if it is of a supported kind.
fn kind(color: ColorType) -> Result<(Channels, u8), MediaError> {
    match color {
        ColorType::Gray(bits) => Ok((Channels::Gray, bits)),
        // Transparency in TIFF is always the second sample of gray.
        ColorType::Multiband {
            bit_depth,
            num_samples: 2,
        } => Ok((Channels::GrayAlpha, bit_depth)),
        ColorType::GrayA(bits) => Ok((Channels::GrayAlpha, bits)),
        ColorType::RGB(bits) | ColorType::YCbCr(bits) => Ok((Channels::Rgb, bits)),
        ColorType::RGBA(bits) => Ok((Channels::Rgba, bits)),
        ColorType::CMYK(bits) => Ok((Channels::Cmyk, bits)),
        other => Err(MediaError::Unsupported {
            format: Format::Tiff,
            detail: format!("its colours are {other:?}"),
        }),
    }
}

/// The colour map of a page that has one: all reds, then all greens, then all blues.
fn colour_map(reader: &mut Reader<'_>) -> Result<Option<Vec<u16>>, MediaError> {
    let photometric = reader
        .find_tag_unsigned::<u16>(Tag::PhotometricInterpretation)
        .map_err(damaged)?;
    if photometric != Some(3) {
        return Ok(None);
    }
    reader
        .get_tag_u16_vec(Tag::ColorMap)
        .map(Some)
        .map_err(damaged)
}

/// A copy of `file` in which the current page calls its palette numbers gray: `tiff` decodes both alike but refuses the
/// former, and the colours are looked up here.
fn as_gray(file: &[u8], reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    const PHOTOMETRIC: u64 = 262;
    let mut copy = file.to_vec();
    let little = file.starts_with(b"II");
    let number = |at: usize, length: usize| {
        let bytes = file.get(at..at.checked_add(length)?)?;
        let add = |n: u64, b: &u8| (n << 8) | u64::from(*b);
        Some(if little {
            bytes.iter().rev().fold(0, add)
        } else {
            bytes.iter().fold(0, add)
        })
    };
    let big = number(2, 2)? == 43;
    let (count_length, entry_length, value_at) = if big { (8, 20, 12) } else { (2, 12, 8) };
    let start = usize::try_from(reader.ifd_pointer()?.0).ok()?;
    let count = number(start, count_length)?.min(4096) as usize;
    for entry in (0..count).map(|index| start + count_length + index * entry_length) {
        if number(entry, 2)? == PHOTOMETRIC {
            let black_is_zero = if little { [1, 0] } else { [0, 1] };
            copy.get_mut(entry + value_at..entry + value_at + 2)?
                .copy_from_slice(&black_is_zero);
        }
    }
    Some(copy)
}

pub(crate) fn probe(bytes: &[u8], limits: &Limits, number: u32) -> Result<Probe, MediaError> {
    let mut frames = 1;
    let mut pages = open(bytes, limits, 1)?;
    while pages.more_images() && frames <= limits.max_frames && pages.next_image().is_ok() {
        frames += 1;
    }
    if number == 0 || number > frames {
        return Err(MediaError::NoSuchFrame {
            asked: number,
            total: frames,
        });
    }
    let mut reader = open(bytes, limits, number)?;
    let (width_px, height_px) = reader.dimensions().map_err(damaged)?;
    let palette = colour_map(&mut reader)?.is_some();
    let (channels, bits) = if palette {
        (Channels::Rgb, 8)
    } else {
        kind(reader.colortype().map_err(damaged)?)?
    };
    let turn = reader
        .find_tag_unsigned::<u16>(Tag::Orientation)
        .map_err(damaged)?
        .unwrap_or(1);
    let probe = Probe::raster(
        Format::Tiff,
        ImageSize {
            width_px,
            height_px,
        },
        Orientation::from_exif(turn),
    );
    Ok(Probe {
        bits,
        alpha: channels.alpha(),
        frames,
        ..probe
    })
}

pub(crate) fn decode(bytes: &[u8], limits: &Limits, number: u32) -> Result<Stored, MediaError> {
    let mut reader = open(bytes, limits, number)?;
    let palette = colour_map(&mut reader)?;
    let without_palette;
    if palette.is_some() {
        without_palette = as_gray(bytes, &mut reader)
            .ok_or_else(|| broken("its list of fields makes no sense"))?;
        reader = open(&without_palette, limits, number)?;
    }
    let (width_px, height_px) = reader.dimensions().map_err(damaged)?;
    let size = ImageSize {
        width_px,
        height_px,
    };
    let color = reader.colortype().map_err(damaged)?;
    let (mut channels, bits) = kind(color)?;
    if palette.is_some() {
        channels = Channels::Rgb;
    }
    let colour = reader
        .get_tag_u8_vec(Tag::IccProfile)
        .map_or(Colour::Srgb, Colour::Icc);
    let layout = reader.image_buffer_layout().map_err(damaged)?;
    let planes = if layout.planes > 1 {
        channels.count()
    } else {
        1
    };
    if layout.planes > 1 && layout.planes < channels.count() {
        return Err(broken("it lacks a colour plane"));
    }
    // `read_image` gives the first plane only, so planes are read into a buffer for all of them.
    let mut samples = DecodingResult::U8(Vec::new());
    reader.read_image_to_buffer(&mut samples).map_err(damaged)?;
    let mut canvas = Canvas::new(Format::Tiff, size, channels, &colour)?;
    let width = width_px as usize;
    let length = width * channels.count();
    match &samples {
        DecodingResult::U8(all) if bits < 8 => {
            let per_row = (width * usize::from(bits)).div_ceil(8);
            for row in all.chunks_exact(per_row).take(height_px as usize) {
                let values = (0..width).map(|x| unpack(row, x, bits));
                match &palette {
                    Some(map) => canvas.row8(&look_up(map, bits, values)),
                    None => {
                        let most = u16::from((1u8 << bits) - 1);
                        canvas.row8(
                            &values
                                .map(|v| (u16::from(v) * 255 / most) as u8)
                                .collect::<Vec<_>>(),
                        );
                    }
                }
            }
        }
        DecodingResult::U8(all) => match &palette {
            Some(map) => all
                .chunks_exact(width)
                .for_each(|row| canvas.row8(&look_up(map, 8, row.iter().copied()))),
            None => rows(all, length, planes, |row| canvas.row8(row)),
        },
        DecodingResult::U16(all) => rows(all, length, planes, |row| {
            if bits == 16 {
                canvas.row16(row);
            } else {
                let most = (1u32 << bits) - 1;
                canvas.row16(
                    &row.iter()
                        .map(|&v| (u32::from(v).min(most) * 65_535 / most) as u16)
                        .collect::<Vec<_>>(),
                );
            }
        }),
        DecodingResult::U32(all) => rows(all, length, planes, |row| {
            canvas.row16(&row.iter().map(|&v| (v >> 16) as u16).collect::<Vec<_>>());
        }),
        DecodingResult::F32(all) => rows(all, length, planes, |row| {
            // Floats are taken as 0 to 1, as image editors write them; NaN becomes 0 in the cast.
            canvas.row16(
                &row.iter()
                    .map(|&v| (v.clamp(0.0, 1.0) * 65_535.0).round() as u16)
                    .collect::<Vec<_>>(),
            );
        }),
        _ => {
            let detail = "its samples are signed, or of 64 bits".into();
            return Err(MediaError::Unsupported {
                format: Format::Tiff,
                detail,
            });
        }
    }
    let mut notes = Vec::new();
    let image = canvas.finish(&mut notes)?;
    Ok(Stored {
        image,
        notes,
        turned: false,
    })
}

/// Hands on `samples` row by row; those in planes are put together first.
fn rows<T: Copy>(samples: &[T], length: usize, planes: usize, mut take: impl FnMut(&[T])) {
    if planes <= 1 {
        return samples.chunks_exact(length).for_each(take);
    }
    let width = length / planes;
    let plane = samples.len() / planes;
    let mut row = Vec::with_capacity(length);
    for start in (0..plane.saturating_sub(width - 1)).step_by(width) {
        row.clear();
        for x in start..start + width {
            row.extend(
                (0..planes)
                    .filter_map(|p| samples.get(p * plane + x))
                    .copied(),
            );
        }
        take(&row);
    }
}

/// Sample `x` of a row packed with `bits` (1 to 7) a sample, first one in the high bits.
fn unpack(row: &[u8], x: usize, bits: u8) -> u8 {
    let mut value = 0;
    for bit in x * usize::from(bits)..(x + 1) * usize::from(bits) {
        value = (value << 1) | ((row[bit / 8] >> (7 - bit % 8)) & 1);
    }
    value
}

/// TIFF's colour map: all reds, then all greens, then all blues, 16 bits each.
fn look_up(map: &[u16], bits: u8, values: impl Iterator<Item = u8>) -> Vec<u8> {
    let colours = 1usize << bits;
    let channel = |index: usize| map.get(index).map_or(0, |v| (v >> 8) as u8);
    values
        .flat_map(|v| (0..3).map(move |c| channel(c * colours + usize::from(v))))
        .collect()
}

fn broken(detail: &str) -> MediaError {
    MediaError::Damaged {
        format: Format::Tiff,
        detail: detail.into(),
    }
}

fn damaged(problem: TiffError) -> MediaError {
    let format = Format::Tiff;
    match problem {
        TiffError::IoError(e) if e.kind() == ErrorKind::UnexpectedEof => {
            MediaError::Truncated { format }
        }
        TiffError::UnsupportedError(e) => MediaError::Unsupported {
            format,
            detail: e.to_string(),
        },
        TiffError::LimitsExceeded => broken("it needs more memory than its size explains"),
        other => broken(other.to_string().trim_end_matches('.')),
    }
}
