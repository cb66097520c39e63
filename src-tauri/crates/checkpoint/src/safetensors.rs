//! The header of a safetensors file, checked as strictly as the format demands.
//!
//! Outside: values, and how shards make up a model.
//!
//! One reader for files on disk and for headers read over HTTP. The `safetensors` crate reads whole files only, and lets the
//! last of two tensors of one name win; a test holds that it takes whatever is taken here.
//!
//! Format: 8 bytes little-endian header length, that many bytes of JSON, then the data; the data is covered by the
//! tensors without gaps or overlaps (`safetensors` crate, `Metadata::validate`).

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};

use crate::error::CheckpointError;
use crate::source::ReadRange;
use crate::tensors::{StoredType, Tensor};

/// The `safetensors` crate's own limit.
const HEADER_LIMIT_BYTES: u64 = 100_000_000;
/// Read at once; covers the header of most shards, so that one request is enough.
const FIRST_READ_BYTES: u64 = 64 << 10;

#[derive(Deserialize)]
struct Info {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// The JSON object with its entries in order; a name given twice is an error instead of the last one winning.
struct Header(Vec<(String, Info)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of tensors")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut entries = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<serde::de::IgnoredAny>()?;
                    } else {
                        entries.push((name, map.next_value::<Info>()?));
                    }
                }
                Ok(Header(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// Reads one file's tensors from its header.
pub(crate) async fn read(
    source: &impl ReadRange,
    file: &str,
    file_bytes: u64,
) -> Result<Vec<Tensor>, CheckpointError> {
    let unreadable = |error| CheckpointError::Unreadable {
        file: file.to_owned(),
        source: error,
    };
    let mut start = source
        .read(file, 0, FIRST_READ_BYTES.min(file_bytes))
        .await
        .map_err(unreadable)?;
    let header_bytes = header_length(file, &start, file_bytes)?;
    let end = 8 + header_bytes;
    if (start.len() as u64) < end {
        let have = start.len() as u64;
        let rest = source
            .read(file, have, end - have)
            .await
            .map_err(unreadable)?;
        start.extend(rest);
    }
    if (start.len() as u64) < end {
        return Err(CheckpointError::Truncated {
            file: file.to_owned(),
            expected_bytes: end,
            actual_bytes: start.len() as u64,
        });
    }
    parse(file, &start[8..end as usize], file_bytes)
}

fn header_length(file: &str, start: &[u8], file_bytes: u64) -> Result<u64, CheckpointError> {
    let Some(length) = start.first_chunk::<8>().map(|b| u64::from_le_bytes(*b)) else {
        return Err(CheckpointError::Truncated {
            file: file.to_owned(),
            expected_bytes: 8,
            actual_bytes: file_bytes,
        });
    };
    if length > HEADER_LIMIT_BYTES {
        return Err(CheckpointError::broken(
            file,
            format!("its header claims {length} bytes; it is no safetensors file"),
        ));
    }
    if start.get(8).is_some_and(|byte| *byte != b'{') {
        return Err(CheckpointError::broken(file, "it is no safetensors file"));
    }
    if 8 + length > file_bytes {
        return Err(CheckpointError::Truncated {
            file: file.to_owned(),
            expected_bytes: 8 + length,
            actual_bytes: file_bytes,
        });
    }
    Ok(length)
}

/// Checks a header's JSON against the size of the file, its 8 bytes of length included.
///
/// # Errors
/// The JSON is no header, or it does not cover the file's data exactly.
pub fn parse(file: &str, json: &[u8], file_bytes: u64) -> Result<Vec<Tensor>, CheckpointError> {
    let broken = |detail: String| CheckpointError::broken(file, detail);
    let Header(mut entries) = serde_json::from_slice(json)
        .map_err(|error| broken(format!("its header is not valid ({error})")))?;
    entries.sort_by_key(|(_, info)| info.data_offsets);
    let mut names = std::collections::HashSet::with_capacity(entries.len());
    let mut tensors = Vec::with_capacity(entries.len());
    let mut end = 0_u64;
    for (name, info) in &entries {
        if !names.insert(name.as_str()) {
            return Err(broken(format!("tensor {name} is in it twice")));
        }
        let stored = StoredType::from_safetensors(&info.dtype)
            .ok_or_else(|| broken(format!("tensor {name} has the unknown type {}", info.dtype)))?;
        let elements = info
            .shape
            .iter()
            .try_fold(1_u64, |product, side| product.checked_mul(*side));
        let sized = elements.and_then(|elements| Some((elements, stored.bytes_of(elements)?)));
        let Some((elements, bytes)) = sized else {
            return Err(broken(format!(
                "the size of tensor {name} makes no sense ({:?})",
                info.shape
            )));
        };
        let (from, to) = info.data_offsets;
        if from != end {
            return Err(broken(format!(
                "tensor {name} overlaps another one or leaves a gap before it"
            )));
        }
        if to.checked_sub(from) != Some(bytes) {
            return Err(broken(format!(
                "tensor {name} takes {bytes} bytes, but its place is {from} to {to}"
            )));
        }
        end = to;
        tensors.push(Tensor {
            name: name.clone(),
            stored,
            shape: info.shape.clone(),
            elements,
            bytes,
        });
    }
    let expected_bytes = (json.len() as u64 + 8)
        .checked_add(end)
        .ok_or_else(|| broken("its sizes overflow".to_owned()))?;
    if file_bytes < expected_bytes {
        return Err(CheckpointError::Truncated {
            file: file.to_owned(),
            expected_bytes,
            actual_bytes: file_bytes,
        });
    }
    if file_bytes > expected_bytes {
        return Err(broken(format!(
            "{} bytes follow its last tensor",
            file_bytes - expected_bytes
        )));
    }
    Ok(tensors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(json: &str, data: u64) -> Result<Vec<Tensor>, CheckpointError> {
        parse(
            "x.safetensors",
            json.as_bytes(),
            json.len() as u64 + 8 + data,
        )
    }

    #[test]
    fn a_sound_header_is_read_whole() {
        let tensors = parse_text(
            r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},
                "a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}"#,
            16,
        )
        .unwrap();
        assert_eq!(tensors.iter().map(|t| t.elements).sum::<u64>(), 7);
        assert_eq!(tensors[1].shape, [2, 3]);
    }

    #[test]
    fn hostile_headers_are_typed_errors() {
        let deep = format!("{}{}", r#"{"a":"#.repeat(5000), "}".repeat(5000));
        for (json, data) in [
            // overlap, gap, duplicate, overflow, wrong size, end before start, unknown type, trailing bytes, depth
            (
                r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}"#,
                6,
            ),
            (
                r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}"#,
                8,
            ),
            (
                r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#,
                2,
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[9223372036854775807,4],"data_offsets":[0,4]}}"#,
                4,
            ),
            (
                r#"{"a":{"dtype":"F64","shape":[4611686018427387904],"data_offsets":[0,4]}}"#,
                4,
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#,
                4,
            ),
            (
                r#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,18446744073709551615]}}"#,
                4,
            ),
            (
                r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}"#,
                1,
            ),
            (
                r#"{"a":{"dtype":"Q99","shape":[1],"data_offsets":[0,1]}}"#,
                1,
            ),
            (
                r#"{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}"#,
                1,
            ),
            (
                r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
                2,
            ),
            (r#"[]"#, 0),
            (deep.as_str(), 0),
        ] {
            let error = parse_text(json, data).unwrap_err();
            assert_eq!(
                error.code(),
                "modelFileBroken",
                "{}",
                &json[..json.len().min(80)]
            );
        }
        let cut = parse_text(
            r#"{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}"#,
            3,
        );
        assert!(matches!(cut, Err(CheckpointError::Truncated { .. })));
    }
}
