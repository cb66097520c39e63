//! Headers of safetensors files, checked against the files they describe.
//!
//! Outside: tensor data. Format: 8 bytes little-endian length N, N bytes of JSON
//! `{name: {dtype, shape, data_offsets}}`, data (huggingface/safetensors, "Format").

use std::{fs::File, io::Read, path::Path};

use paddock_protocol::engine::LoadErrorCode;
use serde_json::Value;

use super::{broken, missing, read_json};
use crate::failure::LoadFailure;

/// The format's own limit.
const MAX_HEADER_BYTES: u64 = 100_000_000;

pub struct Weights {
    pub bytes: u64,
    pub weights: u64,
}

/// Checks every weight file of the folder, and that none of the index is missing.
///
/// # Errors
/// `file_missing` or `file_broken`, naming the file.
pub fn check(folder: &Path) -> Result<Weights, LoadFailure> {
    let index = read_json(folder, "model.safetensors.index.json")?;
    let listed = index
        .as_ref()
        .and_then(|index| index.get("weight_map"))
        .and_then(Value::as_object);
    if let Some(map) = listed {
        let mut names: Vec<&str> = map.values().filter_map(Value::as_str).collect();
        names.sort_unstable();
        names.dedup();
        if let Some(name) = names.into_iter().find(|name| !folder.join(name).is_file()) {
            return Err(missing(folder, name));
        }
    }
    let unreadable = |error: std::io::Error| {
        LoadFailure::new(
            LoadErrorCode::ModelNotFound,
            format!("{} cannot be read ({error}).", folder.display()),
        )
    };
    let mut found = Weights {
        bytes: 0,
        weights: 0,
    };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "safetensors")
        {
            let file = check_file(&path)?;
            found.bytes += file.bytes;
            found.weights += file.weights;
        }
    }
    if found.bytes == 0 {
        return Err(missing(folder, "model.safetensors"));
    }
    Ok(found)
}

fn check_file(path: &Path) -> Result<Weights, LoadFailure> {
    let unreadable = |error: std::io::Error| broken(path, &format!("it cannot be read ({error})"));
    let mut file = File::open(path).map_err(unreadable)?;
    let bytes = file.metadata().map_err(unreadable)?.len();
    let mut length = [0; 8];
    file.read_exact(&mut length)
        .map_err(|_| broken(path, "it is too short to be a safetensors file"))?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES || length > bytes.saturating_sub(8) {
        return Err(broken(
            path,
            "its header is longer than the file; it may not have been downloaded to the end",
        ));
    }
    let mut header = Vec::new();
    file.take(length)
        .read_to_end(&mut header)
        .map_err(unreadable)?;
    let header: Value = serde_json::from_slice(&header)
        .map_err(|_| broken(path, "its header is not valid JSON"))?;
    let header = header
        .as_object()
        .ok_or_else(|| broken(path, "its header is not a JSON object"))?;
    let data_bytes = bytes - 8 - length;
    let mut weights = 0u64;
    for (name, tensor) in header.iter().filter(|(name, _)| *name != "__metadata__") {
        weights = weights.saturating_add(
            check_tensor(tensor, data_bytes)
                .map_err(|why| broken(path, &format!("tensor {name} {why}")))?,
        );
    }
    Ok(Weights { bytes, weights })
}

fn check_tensor(tensor: &Value, data_bytes: u64) -> Result<u64, &'static str> {
    let numbers = |key: &str| -> Option<Vec<u64>> {
        tensor
            .get(key)?
            .as_array()?
            .iter()
            .map(Value::as_u64)
            .collect()
    };
    let shape = numbers("shape").ok_or("has no shape")?;
    let weights = shape
        .iter()
        .try_fold(1u64, |product, &edge| product.checked_mul(edge))
        .ok_or("has an impossible shape")?;
    let offsets = numbers("data_offsets").ok_or("has no place in the file")?;
    let &[begin, end] = offsets.as_slice() else {
        return Err("has no place in the file");
    };
    if end > data_bytes {
        return Err(
            "lies beyond the end of the file, which may not have been downloaded to the end",
        );
    }
    let bytes_each = match tensor
        .get("dtype")
        .and_then(Value::as_str)
        .ok_or("has no data type")?
    {
        "F64" | "I64" | "U64" => 8,
        "F32" | "I32" | "U32" => 4,
        "F16" | "BF16" | "I16" | "U16" => 2,
        "F8_E4M3" | "F8_E5M2" | "F8_E8M0" | "I8" | "U8" | "BOOL" => 1,
        _ => return Err("has a data type that the engine does not know"),
    };
    if end.checked_sub(begin) != weights.checked_mul(bytes_each) {
        return Err("has another size than its shape says");
    }
    Ok(weights)
}
