//! Walks over the blocks of PNG, GIF and WebP files, to count frames and find metadata without decoding.
//!
//! Outside: judging the blocks' contents; a walk ends where the file stops making sense.

/// What a walk over PNG chunks finds.
#[derive(Debug, Default)]
pub(crate) struct PngChunks<'a> {
    /// Exif block, beginning at its TIFF header.
    pub exif: Option<&'a [u8]>,
    /// There is a tRNS chunk.
    pub transparency: bool,
}

/// PNG specification, 5.3: length, type, data, checksum.
pub(crate) fn png(bytes: &[u8]) -> PngChunks<'_> {
    let mut found = PngChunks::default();
    let mut at = 8;
    while let Some(&[l3, l2, l1, l0, ref kind @ ..]) = bytes.get(at..at + 8) {
        let length = u32::from_be_bytes([l3, l2, l1, l0]) as usize;
        let Some(data) = bytes.get(at + 8..).and_then(|rest| rest.get(..length)) else {
            break;
        };
        match kind {
            b"eXIf" => found.exif = found.exif.or(Some(data)),
            b"tRNS" => found.transparency = true,
            b"IEND" => break,
            _ => {}
        }
        at += 12 + length;
    }
    found
}

/// Image descriptors of a GIF file (GIF89a specification, 20 to 26).
pub(crate) fn gif(bytes: &[u8]) -> u32 {
    let table = |flags: u8| {
        if flags & 0x80 != 0 {
            3 << ((flags & 7) + 1)
        } else {
            0
        }
    };
    let mut frames = 0;
    let Some(&flags) = bytes.get(10) else {
        return 0;
    };
    let mut at = 13 + table(flags);
    let skip_blocks = |at: &mut usize| {
        while let Some(&length) = bytes.get(*at) {
            *at += 1 + usize::from(length);
            if length == 0 {
                break;
            }
        }
    };
    loop {
        match bytes.get(at) {
            Some(0x21) => {
                at += 2;
                skip_blocks(&mut at);
            }
            Some(0x2C) => {
                let Some(&flags) = bytes.get(at + 9) else {
                    return frames;
                };
                frames += 1;
                // descriptor, colour table, LZW code size, pixels
                at += 10 + table(flags) + 1;
                skip_blocks(&mut at);
            }
            _ => return frames,
        }
    }
}

/// What a walk over WebP chunks finds.
#[derive(Debug, Default)]
pub(crate) struct WebPChunks<'a> {
    /// ANMF chunks; 0 for a still picture.
    pub frames: u32,
    /// Exif block, beginning at its TIFF header.
    pub exif: Option<&'a [u8]>,
    pub icc: Option<&'a [u8]>,
    /// One of the two should be longer than the file.
    pub cut_off: bool,
}

/// RFC 9649, 2.3 and 2.7.1: kind, length, data, and a byte of padding after an odd length.
pub(crate) fn webp(bytes: &[u8]) -> WebPChunks<'_> {
    let mut found = WebPChunks::default();
    let mut at = 12;
    while let Some(&[ref kind @ .., l0, l1, l2, l3]) = bytes.get(at..at + 8) {
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let data = bytes.get(at + 8..).and_then(|rest| rest.get(..length));
        match kind {
            b"ANMF" => found.frames += 1,
            b"EXIF" => found.exif = found.exif.or(data),
            b"ICCP" => found.icc = found.icc.or(data),
            _ => {}
        }
        found.cut_off |= data.is_none() && matches!(kind, b"EXIF" | b"ICCP");
        at = at
            .saturating_add(8)
            .saturating_add(length)
            .saturating_add(length & 1);
        if at >= bytes.len() {
            break;
        }
    }
    // Some writers keep JPEG's prefix.
    found.exif = found
        .exif
        .map(|exif| exif.strip_prefix(b"Exif\0\0".as_slice()).unwrap_or(exif));
    found
}

/// Whether a WebP file is shorter than its first line says.
pub(crate) fn webp_cut_off(bytes: &[u8]) -> bool {
    let length = bytes
        .get(4..8)
        .and_then(|l| l.try_into().ok())
        .map_or(0, u32::from_le_bytes);
    bytes.len() < (length as usize).saturating_add(8)
}
