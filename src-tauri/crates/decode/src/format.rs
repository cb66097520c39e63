//! Which format a file is in, told from its first bytes and never from its name.
//!
//! Outside: reading anything beyond that.

use serde::{Deserialize, Serialize};

/// A format Paddock knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "camelCase")]
pub enum Format {
    /// JPEG, also with a gain map (Ultra HDR).
    Jpeg,
    /// PNG and APNG.
    Png,
    /// WebP, lossy, lossless and animated.
    WebP,
    /// GIF.
    Gif,
    /// TIFF.
    Tiff,
    /// Windows bitmap.
    Bmp,
    /// AVIF.
    Avif,
    /// HEIC and HEIF pictures coded as HEVC.
    Heic,
    /// SVG, plain or gzipped.
    Svg,
    /// PDF.
    Pdf,
}

impl Format {
    /// What one of several pictures in a file is called.
    #[must_use]
    pub const fn frame_unit(self) -> &'static str {
        match self {
            Self::Tiff | Self::Pdf => "page",
            _ => "frame",
        }
    }

    /// The format's usual name, as shown to people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
            Self::Tiff => "TIFF",
            Self::Bmp => "BMP",
            Self::Avif => "AVIF",
            Self::Heic => "HEIC",
            Self::Svg => "SVG",
            Self::Pdf => "PDF",
        }
    }

    /// File name endings by which file dialogs and drops recognise pictures (without the dot, lower case).
    pub const EXTENSIONS: &'static [&'static str] = &[
        "jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "gif", "tif", "tiff", "bmp", "dib",
        "avif", "heic", "heif", "hif", "svg", "svgz", "pdf",
    ];

    /// The format whose signature `bytes` begins with; `None` if it is none of those Paddock knows.
    #[must_use]
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xFF, 0xD8, 0xFF, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some(Self::Png),
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'E',
                b'B',
                b'P',
                ..,
            ] => Some(Self::WebP),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Self::Tiff),
            [b'B', b'M', ..] if bytes.len() >= 18 => Some(Self::Bmp),
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => sniff_isobmff(bytes),
            [0x1F, 0x8B, ..] => Some(Self::Svg),
            _ => sniff_text(bytes),
        }
    }
}

/// HEIF's brands (ISO/IEC 23008-12 and the AVIF specification): the major one or any compatible one decides.
fn sniff_isobmff(bytes: &[u8]) -> Option<Format> {
    let length = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let body = bytes.get(8..length.clamp(8, bytes.len()))?;
    let brands: Vec<&[u8]> = body
        .chunks_exact(4)
        .enumerate()
        .filter(|(index, _)| *index != 1) // the second word is the minor version
        .map(|(_, brand)| brand)
        .collect();
    let has = |names: &[&[u8; 4]]| {
        brands
            .iter()
            .any(|b| names.iter().any(|n| b == &n.as_slice()))
    };
    if has(&[b"avif", b"avis"]) {
        Some(Format::Avif)
    } else if has(&[
        b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1",
    ]) {
        Some(Format::Heic)
    } else {
        None
    }
}

/// SVG and PDF begin with text, sometimes after some bytes of something else.
fn sniff_text(bytes: &[u8]) -> Option<Format> {
    let head = &bytes[..bytes.len().min(1024)];
    if head.windows(5).any(|w| w == b"%PDF-") {
        return Some(Format::Pdf);
    }
    let head = &bytes[..bytes.len().min(4096)];
    let text = String::from_utf8_lossy(head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head));
    let text = text.trim_start();
    (text.starts_with('<') && (text.contains("<svg") || text.contains(":svg")))
        .then_some(Format::Svg)
}
