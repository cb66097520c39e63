//! The binary header of one GGUF file (versions 2 and 3, little-endian), read from a growing prefix.
//!
//! Outside: joining split files.
//!
//! Format: ggml/docs/gguf.md.

use std::collections::BTreeMap;

use crate::error::CheckpointError;
use crate::source::ReadRange;
use crate::tensors::{StoredType, Tensor};

const FIRST_READ_BYTES: u64 = 1 << 20;
/// Tokenizers of a quarter of a million tokens make headers of about 20 MB.
const HEADER_LIMIT_BYTES: u64 = 512 << 20;
const MOST_TENSORS: u64 = 1 << 20;
const MOST_ENTRIES: u64 = 1 << 16;
const MOST_DIMENSIONS: u32 = 8;
const LONGEST_STRING_BYTES: u64 = 64 << 20;
/// Numbers of an array that are kept (one a layer is the longest of interest).
const KEPT_NUMBERS: u64 = 4096;
const DEEPEST_ARRAY: u32 = 4;

/// A metadata value; long arrays are counted and not kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Meta {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    Numbers(Vec<u64>),
    /// An array of something else, or a very long one.
    Count(u64),
}

/// What a header says.
#[derive(Debug, Clone, Default)]
pub struct Header {
    pub meta: BTreeMap<String, Meta>,
    pub tensors: Vec<Tensor>,
}

impl Header {
    /// A text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.meta.get(key)? {
            Meta::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number; for an array (one number a layer) its largest.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<u64> {
        match self.meta.get(key)? {
            Meta::Unsigned(number) => Some(*number),
            Meta::Signed(number) => u64::try_from(*number).ok(),
            Meta::Numbers(numbers) => numbers.iter().copied().max(),
            _ => None,
        }
    }

    /// Entries of an array.
    #[must_use]
    pub fn count(&self, key: &str) -> Option<u64> {
        match self.meta.get(key)? {
            Meta::Count(count) => Some(*count),
            Meta::Numbers(numbers) => Some(numbers.len() as u64),
            _ => None,
        }
    }
}

enum Stop {
    /// The prefix ends inside the header; this many bytes are needed at least.
    Short(u64),
    Broken(String),
}

type Step<T> = Result<T, Stop>;

/// Reads one file's header.
pub(crate) async fn read(
    source: &impl ReadRange,
    file: &str,
    file_bytes: u64,
) -> Result<Header, CheckpointError> {
    let mut prefix: Vec<u8> = Vec::new();
    let mut want = FIRST_READ_BYTES;
    loop {
        let have = prefix.len() as u64;
        let want_now = want.min(file_bytes);
        if want_now > have {
            let more = source
                .read(file, have, want_now - have)
                .await
                .map_err(|error| CheckpointError::Unreadable {
                    file: file.to_owned(),
                    source: error,
                })?;
            prefix.extend(more);
        }
        match parse(&prefix, file_bytes) {
            Ok(header) => return Ok(header),
            Err(Stop::Broken(detail)) => return Err(CheckpointError::broken(file, detail)),
            Err(Stop::Short(need)) => {
                // Before the limit: what claims to be longer than the file was cut off, however long that is.
                if need > file_bytes || (prefix.len() as u64) < want_now || want_now == file_bytes {
                    return Err(CheckpointError::Truncated {
                        file: file.to_owned(),
                        expected_bytes: need,
                        actual_bytes: file_bytes,
                    });
                }
                want = need.max(want_now.saturating_mul(2));
                if need > HEADER_LIMIT_BYTES || want_now >= HEADER_LIMIT_BYTES {
                    return Err(CheckpointError::broken(file, "its header is too large"));
                }
                want = want.min(HEADER_LIMIT_BYTES);
            }
        }
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: u64) -> Step<&'a [u8]> {
        let end = (self.at as u64).saturating_add(length);
        if end > self.bytes.len() as u64 {
            return Err(Stop::Short(end));
        }
        let piece = &self.bytes[self.at..end as usize];
        self.at = end as usize;
        Ok(piece)
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        let piece = self.take(N as u64)?;
        let mut array = [0; N];
        array.copy_from_slice(piece);
        Ok(array)
    }

    fn u32(&mut self) -> Step<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Step<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn string(&mut self) -> Step<&'a [u8]> {
        let length = self.u64()?;
        if length > LONGEST_STRING_BYTES {
            return Err(Stop::Broken("a text in its header is too long".to_owned()));
        }
        self.take(length)
    }

    fn name(&mut self) -> Step<String> {
        let bytes = self.string()?;
        String::from_utf8(bytes.to_vec())
            .map_err(|_| Stop::Broken("a name in its header is not UTF-8".to_owned()))
    }
}

/// Bytes of a fixed-size metadata value by its type number.
fn fixed_bytes(kind: u32) -> Option<u64> {
    Some(match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        10..=12 => 8,
        _ => return None,
    })
}

fn value(cursor: &mut Cursor<'_>, kind: u32, depth: u32) -> Step<Meta> {
    Ok(match kind {
        0 => Meta::Unsigned(u64::from(cursor.array::<1>()?[0])),
        1 => Meta::Signed(i64::from(i8::from_le_bytes(cursor.array()?))),
        2 => Meta::Unsigned(u64::from(u16::from_le_bytes(cursor.array()?))),
        3 => Meta::Signed(i64::from(i16::from_le_bytes(cursor.array()?))),
        4 => Meta::Unsigned(u64::from(cursor.u32()?)),
        5 => Meta::Signed(i64::from(i32::from_le_bytes(cursor.array()?))),
        6 => Meta::Float(f64::from(f32::from_le_bytes(cursor.array()?))),
        7 => Meta::Bool(cursor.array::<1>()?[0] != 0),
        8 => Meta::Text(String::from_utf8_lossy(cursor.string()?).into_owned()),
        9 => list(cursor, depth)?,
        10 => Meta::Unsigned(cursor.u64()?),
        11 => Meta::Signed(i64::from_le_bytes(cursor.array()?)),
        12 => Meta::Float(f64::from_le_bytes(cursor.array()?)),
        _ => {
            return Err(Stop::Broken(format!(
                "its header has a value of the unknown type {kind}"
            )));
        }
    })
}

fn list(cursor: &mut Cursor<'_>, depth: u32) -> Step<Meta> {
    if depth >= DEEPEST_ARRAY {
        return Err(Stop::Broken(
            "its header nests arrays too deeply".to_owned(),
        ));
    }
    let kind = cursor.u32()?;
    let count = cursor.u64()?;
    let whole = matches!(kind, 0..=5 | 10 | 11);
    if whole && count <= KEPT_NUMBERS {
        let mut numbers = Vec::new();
        for _ in 0..count {
            match value(cursor, kind, depth)? {
                Meta::Unsigned(number) => numbers.push(number),
                Meta::Signed(number) => numbers.push(u64::try_from(number).unwrap_or(0)),
                _ => {}
            }
        }
        return Ok(Meta::Numbers(numbers));
    }
    if let Some(bytes) = fixed_bytes(kind) {
        let length = count.checked_mul(bytes).ok_or_else(|| {
            Stop::Broken("the size of an array in its header overflows".to_owned())
        })?;
        cursor.take(length)?;
    } else if kind == 8 {
        for _ in 0..count {
            cursor.string()?;
        }
    } else {
        for _ in 0..count {
            value(cursor, kind, depth + 1)?;
        }
    }
    Ok(Meta::Count(count))
}

fn parse(prefix: &[u8], file_bytes: u64) -> Step<Header> {
    let broken = |detail: &str| Stop::Broken(detail.to_owned());
    let mut cursor = Cursor {
        bytes: prefix,
        at: 0,
    };
    if cursor.take(4)? != b"GGUF" {
        return Err(broken("it is no GGUF file"));
    }
    match cursor.u32()? {
        2 | 3 => {}
        1 => return Err(broken("it is of the outdated GGUF version 1")),
        version if version.swap_bytes() <= 3 => {
            return Err(broken("it is a big-endian GGUF file"));
        }
        version => {
            return Err(Stop::Broken(format!(
                "it is of the unknown GGUF version {version}"
            )));
        }
    }
    let tensors = cursor.u64()?;
    let entries = cursor.u64()?;
    if tensors > MOST_TENSORS || entries > MOST_ENTRIES {
        return Err(broken("its header claims impossibly many entries"));
    }
    let mut header = Header::default();
    for _ in 0..entries {
        let key = cursor.name()?;
        let kind = cursor.u32()?;
        let value = value(&mut cursor, kind, 0)?;
        if header.meta.insert(key, value).is_some() {
            return Err(broken("a name in its header is there twice"));
        }
    }
    let mut places = Vec::new();
    for _ in 0..tensors {
        places.push(tensor(&mut cursor)?);
    }
    let alignment = header.number("general.alignment").unwrap_or(32);
    if alignment == 0 || !alignment.is_power_of_two() || alignment > 1 << 20 {
        return Err(broken("its alignment makes no sense"));
    }
    let start = (cursor.at as u64).next_multiple_of(alignment);
    places.sort_by_key(|(offset, _)| *offset);
    let mut end = 0_u64;
    let mut names = std::collections::HashSet::new();
    for (offset, tensor) in &places {
        if !offset.is_multiple_of(alignment) || *offset < end {
            return Err(Stop::Broken(format!(
                "tensor {} overlaps another one",
                tensor.name
            )));
        }
        if !names.insert(tensor.name.as_str()) {
            return Err(Stop::Broken(format!(
                "tensor {} is in it twice",
                tensor.name
            )));
        }
        end = offset
            .checked_add(tensor.bytes)
            .ok_or_else(|| broken("its sizes overflow"))?;
    }
    let whole = start
        .checked_add(end)
        .ok_or_else(|| broken("its sizes overflow"))?;
    if whole > file_bytes {
        return Err(Stop::Short(whole));
    }
    header.tensors = places.into_iter().map(|(_, tensor)| tensor).collect();
    Ok(header)
}

fn tensor(cursor: &mut Cursor<'_>) -> Step<(u64, Tensor)> {
    let name = cursor.name()?;
    let dimensions = cursor.u32()?;
    if dimensions > MOST_DIMENSIONS {
        return Err(Stop::Broken(format!(
            "tensor {name} has {dimensions} dimensions"
        )));
    }
    let mut shape = Vec::new();
    for _ in 0..dimensions {
        shape.push(cursor.u64()?);
    }
    // ggml counts from the innermost dimension.
    shape.reverse();
    let number = cursor.u32()?;
    let offset = cursor.u64()?;
    let stored = StoredType::from_ggml(number)
        .ok_or_else(|| Stop::Broken(format!("tensor {name} has the unknown type {number}")))?;
    let elements = shape
        .iter()
        .try_fold(1_u64, |product, side| product.checked_mul(*side));
    let Some((elements, bytes)) =
        elements.and_then(|elements| Some((elements, stored.bytes_of(elements)?)))
    else {
        return Err(Stop::Broken(format!(
            "the size of tensor {name} makes no sense ({shape:?})"
        )));
    };
    Ok((
        offset,
        Tensor {
            name,
            stored,
            shape,
            elements,
            bytes,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(out: &mut Vec<u8>, text: &str) {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.as_bytes());
    }

    fn file(tensors: &[(&str, &[u64], u32, u64)], data: usize) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3_u32.to_le_bytes());
        out.extend((tensors.len() as u64).to_le_bytes());
        out.extend(2_u64.to_le_bytes());
        text(&mut out, "general.architecture");
        out.extend(8_u32.to_le_bytes());
        text(&mut out, "llama");
        text(&mut out, "tokenizer.ggml.tokens");
        out.extend(9_u32.to_le_bytes());
        out.extend(8_u32.to_le_bytes());
        out.extend(2_u64.to_le_bytes());
        text(&mut out, "a");
        text(&mut out, "b");
        for (name, shape, kind, offset) in tensors {
            text(&mut out, name);
            out.extend((shape.len() as u32).to_le_bytes());
            for side in *shape {
                out.extend(side.to_le_bytes());
            }
            out.extend(kind.to_le_bytes());
            out.extend(offset.to_le_bytes());
        }
        out.resize(out.len().next_multiple_of(32) + data, 0);
        out
    }

    #[test]
    fn a_sound_header_is_read_whole() {
        let bytes = file(&[("a", &[256, 2], 12, 0), ("b", &[4], 0, 288)], 304);
        let header = parse(&bytes, bytes.len() as u64).ok().unwrap();
        assert_eq!(header.text("general.architecture"), Some("llama"));
        assert_eq!(header.count("tokenizer.ggml.tokens"), Some(2));
        assert_eq!(header.tensors[0].shape, [2, 256]);
        assert_eq!(header.tensors[0].bytes, 288);
    }

    #[test]
    fn every_prefix_is_short_and_never_a_panic() {
        let bytes = file(&[("a", &[256, 2], 12, 0), ("b", &[4], 0, 288)], 304);
        for length in 0..bytes.len() {
            let result = parse(&bytes[..length], length as u64);
            assert!(matches!(result, Err(Stop::Short(_))), "{length}");
        }
    }

    #[test]
    fn hostile_headers_are_typed_errors() {
        for bytes in [
            file(&[("a", &[256], 12, 0), ("b", &[256], 12, 32)], 512),
            file(&[("a", &[u64::MAX, 2], 0, 0)], 64),
            file(&[("a", &[255], 12, 0)], 512),
            file(&[("a", &[4], 99, 0)], 512),
            file(&[("a", &[4], 0, 0), ("a", &[4], 0, 32)], 64),
            file(&[("a", &[4], 0, 7)], 64),
            file(&[("a", &[1; 9], 0, 0)], 64),
            b"GGML....................".to_vec(),
        ] {
            let result = parse(&bytes, bytes.len() as u64);
            assert!(matches!(result, Err(Stop::Broken(_))));
        }
        // counts that would take all memory if believed
        let mut many = b"GGUF".to_vec();
        many.extend(3_u32.to_le_bytes());
        many.extend(u64::MAX.to_le_bytes());
        many.extend(u64::MAX.to_le_bytes());
        assert!(matches!(parse(&many, 1 << 30), Err(Stop::Broken(_))));
    }

    #[test]
    fn flipped_bytes_never_panic() {
        let bytes = file(&[("a", &[256, 2], 12, 0), ("b", &[4], 0, 288)], 304);
        for position in 0..bytes.len() - 304 {
            for flip in [0x01, 0x80, 0xff] {
                let mut copy = bytes.clone();
                copy[position] ^= flip;
                let _ = parse(&copy, copy.len() as u64);
            }
        }
    }
}
