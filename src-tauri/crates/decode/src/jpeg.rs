//! The markers of a JPEG file: what can be known without decoding it.
//!
//! Outside: decoding (see `formats/jpeg.rs`).
//!
//! Source: ITU-T T.81 annex B; ICC.1:2010 annex B.4; CIPA DC-007 (multi-picture format).

use crate::{Format, ImageSize, MediaError};

/// What the markers say.
#[derive(Debug, Default)]
pub(crate) struct Markers {
    pub size: Option<ImageSize>,
    pub bits: u8,
    /// Exif block, beginning at its TIFF header.
    pub exif: Option<Vec<u8>>,
    pub icc: Option<Vec<u8>>,
    /// The Adobe marker is there, which means that CMYK is stored inverted.
    pub adobe: bool,
    /// More pictures follow the first one, as in Ultra HDR.
    pub gain_map: bool,
    /// Where the first picture ends; `None` if it has no end marker.
    pub end: Option<usize>,
}

/// Most scans of a progressive picture. Real ones have about ten; each costs a pass over all pixels.
const MAX_SCANS: u32 = 500;

const CUT_OFF: MediaError = MediaError::Truncated {
    format: Format::Jpeg,
};

/// Walks all markers up to the end of the first picture.
pub(crate) fn markers(bytes: &[u8]) -> Result<Markers, MediaError> {
    let mut found = Markers::default();
    let mut icc: Vec<(u8, &[u8])> = Vec::new();
    let mut scans = 0;
    let mut at = 2;
    while let Some(marker) = next_marker(bytes, &mut at) {
        match marker {
            0xD9 => {
                found.end = Some(at);
                break;
            }
            // restart, start of image, TEM: no length
            0xD0..=0xD8 | 0x01 => continue,
            _ => {}
        }
        let Some(body) = segment(bytes, &mut at) else {
            break;
        };
        match marker {
            // Start of frame of every coding process, but not DHT (C4), JPG (C8), DAC (CC)
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF if found.size.is_none() => {
                let &[bits, h1, h0, w1, w0, _, ..] = body else {
                    return Err(CUT_OFF);
                };
                found.bits = bits;
                found.size = Some(ImageSize {
                    width_px: u16::from_be_bytes([w1, w0]).into(),
                    height_px: u16::from_be_bytes([h1, h0]).into(),
                });
            }
            0xDA => {
                scans += 1;
                if scans > MAX_SCANS {
                    let detail = format!("it has more than {MAX_SCANS} scans");
                    return Err(MediaError::Damaged {
                        format: Format::Jpeg,
                        detail,
                    });
                }
            }
            0xE1 => match body.strip_prefix(b"Exif\0\0") {
                Some(exif) if found.exif.is_none() => found.exif = Some(exif.to_vec()),
                _ => found.gain_map |= contains(body, b"hdrgm:") || contains(body, b"hdr-gain-map"),
            },
            0xE2 => {
                if let Some([index, _, part @ ..]) = body.strip_prefix(b"ICC_PROFILE\0") {
                    icc.push((*index, part));
                }
            }
            0xEE => found.adobe |= body.starts_with(b"Adobe"),
            _ => {}
        }
    }
    if !icc.is_empty() {
        icc.sort_by_key(|(index, _)| *index);
        found.icc = Some(
            icc.into_iter()
                .flat_map(|(_, part)| part)
                .copied()
                .collect(),
        );
    }
    Ok(found)
}

/// The next marker's code; skips fill bytes and coded pixels.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        let skipped = memchr::memchr(0xFF, bytes.get(*at..)?)?;
        *at += skipped;
        while bytes.get(*at) == Some(&0xFF) {
            *at += 1;
        }
        let code = *bytes.get(*at)?;
        *at += 1;
        // FF00 is a stuffed byte of coded pixels
        if code != 0 {
            return Some(code);
        }
    }
}

/// The body of the segment whose length field is at `at`, and moves on behind it.
fn segment<'a>(bytes: &'a [u8], at: &mut usize) -> Option<&'a [u8]> {
    let &[high, low] = bytes.get(*at..*at + 2)? else {
        return None;
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let body = bytes.get(*at + 2..(*at + length.max(2)).min(bytes.len()))?;
    *at += length.max(2);
    Some(body)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}
