//! Reads the header of a file in any format.
//!
//! Outside: decoding pixels (see [`crate::decode_upright`]).

#[cfg(feature = "avif")]
use crate::formats::avif;
#[cfg(feature = "heic")]
use crate::formats::heic;
#[cfg(feature = "pdf")]
use crate::formats::pdf;
#[cfg(feature = "svg")]
use crate::formats::svg;
use crate::formats::{gif_webp_bmp, jpeg, png, tiff};
use crate::{Format, Limits, MediaError, Probe, guard, header};

/// Reads the header of `bytes` and checks it against `limits`, decoding nothing.
///
/// # Errors
/// Any [`MediaError`] that the header alone can tell.
pub fn probe(bytes: &[u8], limits: &Limits) -> Result<Probe, MediaError> {
    probe_frame(bytes, limits, 1)
}

/// Like [`probe`] for the frame or page `number`; pages may differ in size.
///
/// # Errors
/// As [`probe`], and [`MediaError::NoSuchFrame`].
pub fn probe_frame(bytes: &[u8], limits: &Limits, number: u32) -> Result<Probe, MediaError> {
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
        Format::Jpeg => jpeg::probe(bytes),
        Format::Png => png::probe(bytes),
        Format::Gif => gif_webp_bmp::probe_gif(bytes),
        Format::WebP => gif_webp_bmp::probe_webp(bytes),
        Format::Bmp => gif_webp_bmp::probe_bmp(bytes),
        Format::Tiff => tiff::probe(bytes, limits, number),
        #[cfg(feature = "avif")]
        Format::Avif => avif::probe(bytes),
        #[cfg(feature = "heic")]
        Format::Heic => heic::probe(bytes),
        #[cfg(feature = "svg")]
        Format::Svg => svg::probe(bytes),
        #[cfg(feature = "pdf")]
        Format::Pdf => pdf::probe(bytes, number),
        #[allow(
            unreachable_patterns,
            reason = "which formats are left depends on the features"
        )]
        format => Err(MediaError::NotBuiltIn { format }),
    })?;
    header::check(&probe, length, limits)?;
    if number == 0 || number > probe.frames {
        return Err(MediaError::NoSuchFrame {
            asked: number,
            total: probe.frames,
        });
    }
    Ok(probe)
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
