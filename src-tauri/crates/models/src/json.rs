//! JSON files of a checkpoint, read with limits.
//!
//! Outside: what they say.

use serde_json::Value;

use crate::{CheckpointError, ReadRange, SourceError};

/// Larger configuration files are not configuration. Tokenizers of real models reach 35 MB.
pub(crate) const CONFIG_LIMIT_BYTES: u64 = 16 << 20;
pub(crate) const TOKENIZER_LIMIT_BYTES: u64 = 256 << 20;

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

pub(crate) fn parse(file: &str, bytes: &[u8]) -> Result<Value, CheckpointError> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        CheckpointError::broken(file, format!("it is not valid JSON ({error})"))
    })?;
    if !value.is_object() {
        return Err(CheckpointError::broken(file, "it holds no JSON object"));
    }
    Ok(value)
}

/// Checks that a file is JSON without keeping it; `Ok(false)` if it is not there.
pub(crate) async fn check(
    source: &impl ReadRange,
    file: &str,
    limit_bytes: u64,
) -> Result<bool, CheckpointError> {
    let read: Option<serde::de::IgnoredAny> = read_as(source, file, limit_bytes).await?;
    Ok(read.is_some())
}

/// Reads what is wanted of a JSON file; `Ok(None)` if it is not there.
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
    if bytes.len() as u64 > limit_bytes {
        return Err(CheckpointError::broken(
            file,
            format!("it is larger than {} MB", limit_bytes >> 20),
        ));
    }
    Ok(Some(bytes))
}
