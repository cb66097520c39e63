//! JSON files of a checkpoint, read with limits, as Python writes them.
//!
//! Outside: what they say.

use std::path::Path;

use serde_json::Value;

use crate::error::CheckpointError;
use crate::source::{ReadRange, SourceError};

/// Larger configuration files are not configuration. Tokenizers of real models reach 35 MB.
pub const CONFIG_LIMIT_BYTES: u64 = 16 << 20;
pub(crate) const TOKENIZER_LIMIT_BYTES: u64 = 256 << 20;

/// A whole number from 0 to 2^53, also where it was written as a float (`4096.0`).
#[must_use]
pub fn whole(value: &Value) -> Option<u64> {
    /// Floats hold every whole number up to here.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        (number.fract() == 0.0 && (0.0..=EXACT).contains(&number)).then_some(number as u64)
    })
}

/// Reads and parses one file; `Ok(None)` if it is not there.
///
/// Nesting deeper than 128 levels is refused by the parser.
pub(crate) async fn read(
    source: &impl ReadRange,
    file: &str,
) -> Result<Option<Value>, CheckpointError> {
    let Some(bytes) = read_bytes(source, file, CONFIG_LIMIT_BYTES).await? else {
        return Ok(None);
    };
    parse(file, &bytes).map(Some)
}

/// Reads and parses one file of a local folder; `Ok(None)` if it is not there.
///
/// # Errors
/// It cannot be read, is larger than 16 MB, or holds no JSON object.
pub fn read_local(folder: &Path, file: &str) -> Result<Option<Value>, CheckpointError> {
    use std::io::Read as _;
    let unreadable = |error: std::io::Error| CheckpointError::Unreadable {
        file: file.to_owned(),
        source: error.into(),
    };
    let handle = match std::fs::File::open(folder.join(file)) {
        Ok(handle) => handle,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mut bytes = Vec::new();
    handle
        .take(CONFIG_LIMIT_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    within(file, &bytes, CONFIG_LIMIT_BYTES)?;
    parse(file, &bytes).map(Some)
}

/// Parses a file that has to hold an object. Python's `Infinity` is the largest number, its `NaN` is null.
///
/// # Errors
/// It is not JSON, or no object.
pub fn parse(file: &str, bytes: &[u8]) -> Result<Value, CheckpointError> {
    let value: Value = parse_as(file, bytes)?;
    if !value.is_object() {
        return Err(CheckpointError::broken(file, "it holds no JSON object"));
    }
    Ok(value)
}

fn parse_as<T: serde::de::DeserializeOwned>(
    file: &str,
    bytes: &[u8],
) -> Result<T, CheckpointError> {
    let broken = |error: &serde_json::Error| {
        CheckpointError::broken(file, format!("it is not valid JSON ({error})"))
    };
    serde_json::from_slice(bytes).or_else(|error| {
        let plain = without_constants(bytes).ok_or_else(|| broken(&error))?;
        serde_json::from_slice(&plain).map_err(|error| broken(&error))
    })
}

/// What Python's `json` writes for numbers that JSON does not have, replaced; `None` if there are none. 32-bit floats read
/// from the largest 64-bit one are infinite again.
fn without_constants(bytes: &[u8]) -> Option<Vec<u8>> {
    const CONSTANTS: [(&[u8], &[u8]); 3] = [
        (b"-Infinity", b"-1.7976931348623157e308"),
        (b"Infinity", b"1.7976931348623157e308"),
        (b"NaN", b"null"),
    ];
    let mut plain = Vec::with_capacity(bytes.len());
    let (mut at, mut in_text, mut found) = (0, false, false);
    while let Some(byte) = bytes.get(at) {
        let rest = &bytes[at..];
        if in_text {
            let taken = if *byte == b'\\' { 2 } else { 1 };
            in_text = *byte != b'"';
            plain.extend(rest.iter().take(taken));
            at += taken;
        } else if let Some((name, number)) =
            CONSTANTS.iter().find(|(name, _)| rest.starts_with(name))
        {
            plain.extend_from_slice(number);
            at += name.len();
            found = true;
        } else {
            in_text = *byte == b'"';
            plain.push(*byte);
            at += 1;
        }
    }
    found.then_some(plain)
}

/// Checks that a file is JSON without keeping it; `Ok(false)` if it is not there.
pub(crate) async fn check(
    source: &impl ReadRange,
    file: &str,
    limit_bytes: u64,
) -> Result<bool, CheckpointError> {
    let Some(bytes) = read_bytes(source, file, limit_bytes).await? else {
        return Ok(false);
    };
    parse_as::<serde::de::IgnoredAny>(file, &bytes).map(|_| true)
}

/// Reads what is wanted of a file that the engine reads itself, as strictly as it does; `Ok(None)` if it is not there.
pub(crate) async fn read_as<T: serde::de::DeserializeOwned>(
    source: &impl ReadRange,
    file: &str,
    limit_bytes: u64,
) -> Result<Option<T>, CheckpointError> {
    let Some(bytes) = read_bytes(source, file, limit_bytes).await? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| CheckpointError::broken(file, format!("it is not valid JSON ({error})")))
}

async fn read_bytes(
    source: &impl ReadRange,
    file: &str,
    limit_bytes: u64,
) -> Result<Option<Vec<u8>>, CheckpointError> {
    let bytes = match source.read(file, 0, limit_bytes + 1).await {
        Ok(bytes) => bytes,
        Err(SourceError::NotFound) => return Ok(None),
        Err(error) => {
            return Err(CheckpointError::Unreadable {
                file: file.to_owned(),
                source: error,
            });
        }
    };
    within(file, &bytes, limit_bytes)?;
    Ok(Some(bytes))
}

fn within(file: &str, bytes: &[u8], limit_bytes: u64) -> Result<(), CheckpointError> {
    if bytes.len() as u64 > limit_bytes {
        return Err(CheckpointError::broken(
            file,
            format!("it is larger than {} MB", limit_bytes >> 20),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_python_writes_is_read() {
        let text = r#"{"a":Infinity,"b":[-Infinity,NaN],"c":"NaN \" Infinity","d":4096.0}"#;
        let value = parse("config.json", text.as_bytes()).unwrap();
        assert_eq!(value["a"], f64::MAX);
        assert_eq!(value["b"], serde_json::json!([-f64::MAX, null]));
        assert_eq!(value["c"], "NaN \" Infinity");
        assert_eq!(whole(&value["d"]), Some(4096));
        let single: f32 = serde_json::from_value(value["a"].clone()).unwrap();
        assert!(single.is_infinite());
        for broken in [
            "{\"a\":Inf}",
            "{\"a\":nan}",
            "[NaN]",
            "Infinity",
            "{\"a\":NaN",
            "\"",
        ] {
            let error = parse("config.json", broken.as_bytes()).unwrap_err();
            assert_eq!(error.code(), "modelFileBroken", "{broken}");
        }
    }

    #[test]
    fn whole_numbers_are_exact_or_none() {
        for (text, number) in [
            ("4096.0", Some(4096)),
            ("0", Some(0)),
            ("4096.5", None),
            ("-1", None),
            ("1e30", None),
            ("\"4096\"", None),
        ] {
            assert_eq!(
                whole(&serde_json::from_str(text).unwrap()),
                number,
                "{text}"
            );
        }
    }
}
