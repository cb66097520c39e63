//! What a file's header says about its picture, and whether that is within the limits.
//!
//! Outside: decoding pixels (see [`crate::decode_upright`]).

use std::io::Cursor;

use image::ImageDecoder;
use image::codecs::{bmp::BmpDecoder, gif::GifDecoder, webp::WebPDecoder};
use serde::{Deserialize, Serialize};
use tiff::tags::Tag;

use crate::colour::Channels;
use crate::decode::{self, guard, simple::damaged, tiff as tiff_pages};
use crate::{Format, ImageSize, Limits, MediaError, Orientation, frames, jpeg};

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

impl Probe {
    fn raster(format: Format, stored: ImageSize, orientation: Orientation) -> Self {
        Self {
            format,
            stored,
            upright: orientation.upright(stored),
            orientation,
            frames: 1,
            bits: 8,
            alpha: false,
        }
    }
}

/// Reads the header of `bytes` and checks it against `limits`, decoding nothing.
///
/// # Errors
/// Any [`MediaError`] that the header alone can tell.
pub fn probe(bytes: &[u8], limits: &Limits) -> Result<Probe, MediaError> {
    probe_frame(bytes, limits, 1)
}

/// Like [`probe`] for the frame or page `number`; pages may differ in size.
pub(crate) fn probe_frame(bytes: &[u8], limits: &Limits, number: u32) -> Result<Probe, MediaError> {
    if bytes.is_empty() {
        return Err(MediaError::Empty);
    }
    let length = bytes.len() as u64;
    if length > limits.max_file_bytes {
        return Err(MediaError::FileTooLong {
            bytes: length,
            max_bytes: limits.max_file_bytes,
        });
    }
    let format = Format::sniff(bytes).ok_or_else(|| not_a_picture(bytes))?;
    let probe = guard::unwinding(format, || match format {
        Format::Jpeg => probe_jpeg(bytes),
        Format::Png => probe_png(bytes),
        Format::Gif => probe_gif(bytes),
        Format::WebP => probe_webp(bytes),
        Format::Bmp => probe_bmp(bytes),
        Format::Tiff => probe_tiff(bytes, limits, number),
        #[cfg(feature = "avif")]
        Format::Avif => decode::avif::probe(bytes),
        #[cfg(feature = "heic")]
        Format::Heic => decode::heic::probe(bytes),
        #[cfg(feature = "svg")]
        Format::Svg => decode::svg::probe(bytes),
        #[cfg(feature = "pdf")]
        Format::Pdf => decode::pdf::probe(bytes, number),
        #[allow(
            unreachable_patterns,
            reason = "which formats are left depends on the features"
        )]
        format => Err(MediaError::NotBuiltIn { format }),
    })?;
    check(&probe, length, limits)?;
    if number == 0 || number > probe.frames {
        return Err(MediaError::NoSuchFrame {
            asked: number,
            total: probe.frames,
        });
    }
    Ok(probe)
}

fn check(probe: &Probe, bytes: u64, limits: &Limits) -> Result<(), MediaError> {
    let ImageSize {
        width_px,
        height_px,
    } = probe.stored;
    let format = probe.format;
    if width_px == 0 || height_px == 0 {
        return Err(MediaError::Damaged {
            format,
            detail: format!("it says it is {width_px} x {height_px} pixels"),
        });
    }
    let too_large = |bound: String| {
        Err(MediaError::TooLarge {
            width_px,
            height_px,
            bound,
        })
    };
    let pixels = probe.stored.pixels();
    if width_px.max(height_px) > limits.max_edge_px {
        return too_large(format!(
            "a side may have up to {} pixels",
            limits.max_edge_px
        ));
    }
    if pixels > limits.max_pixels {
        return too_large(format!(
            "Paddock takes up to {} megapixels",
            limits.max_pixels / 1_000_000
        ));
    }
    // Four channels at most, in the depth of the file
    if pixels * 4 * u64::from(probe.bits.div_ceil(8)) > limits.max_decode_bytes.saturating_mul(2) {
        return too_large(format!(
            "decoded it would not fit into {} MB",
            limits.max_decode_bytes >> 20
        ));
    }
    let vector = matches!(format, Format::Svg | Format::Pdf);
    if !vector
        && pixels > limits.free_pixels
        && pixels > bytes.saturating_mul(limits.max_pixels_per_byte)
    {
        return Err(MediaError::Bomb {
            width_px,
            height_px,
            bytes,
        });
    }
    if probe.frames > limits.max_frames {
        return Err(MediaError::TooManyFrames {
            frames: probe.frames,
            max_frames: limits.max_frames,
        });
    }
    Ok(())
}

/// What a file that is no picture seems to be, so that its owner recognises the mistake.
fn not_a_picture(bytes: &[u8]) -> MediaError {
    let head = &bytes[..bytes.len().min(4096)];
    let text = std::str::from_utf8(head).is_ok_and(|t| !t.contains('\0'))
        || head.iter().all(|b| matches!(b, 9 | 10 | 13 | 32..=126));
    let looks_like = match head {
        [b'P', b'K', 3, 4, ..] => "a ZIP archive or an Office document",
        [0, 0, _, 0, ..] if bytes.len() > 6 && matches!(head[2], 1 | 2) => "a Windows icon",
        [b'8', b'B', b'P', b'S', ..] => "a Photoshop document",
        [0xFF, 0x0A, ..] | [0, 0, 0, 0x0C, b'J', b'X', b'L', b' ', ..] => "a JPEG XL picture",
        [0, 0, 0, 0x0C, b'j', b'P', ..] => "a JPEG 2000 picture",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "a video",
        [0x7F, b'E', b'L', b'F', ..] | [b'M', b'Z', ..] => "a program",
        [b'<', ..] if text => "a web page or other markup",
        _ if text => "plain text",
        _ => "something else",
    };
    MediaError::NotAPicture {
        looks_like: looks_like.into(),
    }
}

/// Orientation of an Exif block that begins at its TIFF header.
pub(crate) fn exif_orientation(exif: &[u8]) -> Orientation {
    image::metadata::Orientation::from_exif_chunk(exif).map_or(Orientation::Upright, |o| {
        Orientation::from_exif(o.to_exif().into())
    })
}

fn probe_jpeg(bytes: &[u8]) -> Result<Probe, MediaError> {
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
        .map_or(Orientation::Upright, exif_orientation);
    Ok(Probe {
        bits: markers.bits,
        ..Probe::raster(Format::Jpeg, stored, orientation)
    })
}

fn probe_png(bytes: &[u8]) -> Result<Probe, MediaError> {
    let format = Format::Png;
    let mut decoder =
        png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: 64 << 20 });
    let info = decoder
        .read_header_info()
        .map_err(crate::decode::png::damaged)?;
    let stored = ImageSize {
        width_px: info.width,
        height_px: info.height,
    };
    let chunks = frames::png(bytes);
    let orientation = chunks.exif.map_or(Orientation::Upright, exif_orientation);
    let alpha = matches!(
        info.color_type,
        png::ColorType::GrayscaleAlpha | png::ColorType::Rgba
    ) || chunks.transparency;
    // One frame is taken and offered: the still picture, which is what every viewer shows.
    Ok(Probe {
        bits: info.bit_depth as u8,
        alpha,
        ..Probe::raster(format, stored, orientation)
    })
}

fn probe_gif(bytes: &[u8]) -> Result<Probe, MediaError> {
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

fn probe_webp(bytes: &[u8]) -> Result<Probe, MediaError> {
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
    let orientation = chunks.exif.map_or(Orientation::Upright, exif_orientation);
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

fn probe_bmp(bytes: &[u8]) -> Result<Probe, MediaError> {
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

fn probe_tiff(bytes: &[u8], limits: &Limits, number: u32) -> Result<Probe, MediaError> {
    let failed = tiff_pages::damaged;
    let mut frames = 1;
    let mut pages = tiff_pages::open(bytes, limits, 1)?;
    while pages.more_images() && frames <= limits.max_frames && pages.next_image().is_ok() {
        frames += 1;
    }
    if number == 0 || number > frames {
        return Err(MediaError::NoSuchFrame {
            asked: number,
            total: frames,
        });
    }
    let mut reader = tiff_pages::open(bytes, limits, number)?;
    let (width_px, height_px) = reader.dimensions().map_err(failed)?;
    let palette = tiff_pages::colour_map(&mut reader)?.is_some();
    let (channels, bits) = if palette {
        (Channels::Rgb, 8)
    } else {
        tiff_pages::kind(reader.colortype().map_err(failed)?)?
    };
    let turn = reader
        .find_tag_unsigned::<u16>(Tag::Orientation)
        .map_err(failed)?
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
