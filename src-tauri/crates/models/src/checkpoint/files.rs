//! The small files beside the weights: which the engine needs, and whether they are sound.
//!
//! Outside: the weights.

use serde_json::Value;

use super::Depth;
use crate::{CheckpointError, FileEntry, ReadRange, json};

pub fn find<'a>(files: &'a [FileEntry], name: &str) -> Option<&'a FileEntry> {
    files.iter().find(|file| file.name == name)
}

/// Files that are read by name where they exist; a broken one stops mistral.rs 0.8.1 with a panic.
const OPTIONAL: [&str; 6] = [
    "generation_config.json",
    "tokenizer_config.json",
    "chat_template.json",
    "chat_template.jinja",
    "special_tokens_map.json",
    "tekken.json",
];

/// Checks tokenizer, templates and the like; returns those that exist.
pub async fn check_text_files(
    source: &impl ReadRange,
    files: &[FileEntry],
    depth: Depth,
) -> Result<Vec<FileEntry>, CheckpointError> {
    let mut used = Vec::new();
    match find(files, "tokenizer.json").or_else(|| find(files, "tekken.json")) {
        None => {
            return Err(CheckpointError::FileMissing {
                file: "tokenizer.json".to_owned(),
                purpose: "without it text cannot be turned into tokens",
            });
        }
        Some(tokenizer) => {
            if depth == Depth::Everything {
                json::check(source, &tokenizer.name, json::TOKENIZER_LIMIT_BYTES).await?;
            }
            used.push(tokenizer.clone());
        }
    }
    for name in OPTIONAL {
        if used.iter().any(|file| file.name == name) {
            continue;
        }
        let Some(file) = find(files, name) else {
            continue;
        };
        if depth == Depth::Everything && name.ends_with(".json") {
            json::check(source, name, json::CONFIG_LIMIT_BYTES).await?;
        }
        used.push(file.clone());
    }
    Ok(used)
}

/// `preprocessor_config.json` and `processor_config.json`.
pub struct ImageFiles {
    pub preprocessor: Option<Value>,
    pub processor: Option<Value>,
}

pub async fn read_image_files(source: &impl ReadRange) -> Result<ImageFiles, CheckpointError> {
    Ok(ImageFiles {
        preprocessor: json::read(source, "preprocessor_config.json").await?,
        processor: json::read(source, "processor_config.json").await?,
    })
}
