//! The small files beside the weights: which the engine needs, and whether they are sound.
//!
//! Outside: the weights.

use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::error::CheckpointError;
use crate::json;
use crate::source::{FileEntry, ReadRange};

/// How thoroughly to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Headers and configuration.
    Headers,
    /// Also the small JSON files that the engine will read: before a download.
    SmallFiles,
    /// Also every other JSON file that it will read: the tokenizer.
    Everything,
}

pub fn find<'a>(files: &'a [FileEntry], name: &str) -> Option<&'a FileEntry> {
    files.iter().find(|file| file.name == name)
}

const TOKENIZER: &str = "tokenizer.json";
/// Why a model without a chat template cannot be talked to; mistral.rs 0.8.1 panics at the first message.
pub const NO_TEMPLATE: &str =
    "it has no chat template, so it completes text and cannot hold a conversation";

/// Files that are read by name where they exist; a broken one stops mistral.rs 0.8.1 with a panic.
const OPTIONAL: [&str; 5] = [
    "generation_config.json",
    "tokenizer_config.json",
    "chat_template.json",
    "chat_template.jinja",
    "special_tokens_map.json",
];

/// Checks tokenizer, templates and the like; returns those that exist.
pub async fn check_text_files(
    source: &impl ReadRange,
    files: &[FileEntry],
    depth: Depth,
) -> Result<Vec<FileEntry>, CheckpointError> {
    let mut used = Vec::new();
    match find(files, TOKENIZER) {
        None => {
            return Err(CheckpointError::FileMissing {
                file: TOKENIZER.to_owned(),
                purpose: "without it text cannot be turned into tokens",
            });
        }
        Some(tokenizer) => {
            if depth == Depth::Everything {
                check_tokenizer(source).await?;
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
        if depth != Depth::Headers && name.ends_with(".json") {
            json::check(source, name, json::CONFIG_LIMIT_BYTES).await?;
        }
        used.push(file.clone());
    }
    Ok(used)
}

#[derive(Deserialize)]
struct Tokenizer {
    model: Option<TokenizerModel>,
}

#[derive(Deserialize)]
struct TokenizerModel {
    vocab: Option<Vocabulary>,
}

/// Only its kind is of interest: an object maps tokens to ids (BPE, WordPiece), a list has scores (Unigram).
struct Vocabulary {
    is_map: bool,
}

impl<'de> Deserialize<'de> for Vocabulary {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Kind;
        impl<'de> Visitor<'de> for Kind {
            type Value = Vocabulary;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a vocabulary")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocabulary, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Vocabulary { is_map: true })
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vocabulary, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Vocabulary { is_map: false })
            }
        }
        deserializer.deserialize_any(Kind)
    }
}

/// The engine takes tokenizers whose vocabulary is a map.
async fn check_tokenizer(source: &impl ReadRange) -> Result<(), CheckpointError> {
    let tokenizer: Option<Tokenizer> =
        json::read_as(source, TOKENIZER, json::TOKENIZER_LIMIT_BYTES).await?;
    let is_map = tokenizer
        .and_then(|tokenizer| tokenizer.model)
        .and_then(|model| model.vocab)
        .is_some_and(|vocabulary| vocabulary.is_map);
    if is_map {
        Ok(())
    } else {
        Err(CheckpointError::Unsupported {
            what: source.place(),
            why: "its tokenizer is not of the kind (byte-pair encoding) that the engine knows"
                .to_owned(),
        })
    }
}

/// Whether a template that makes a prompt of a conversation is anywhere that mistral.rs 0.8.1 looks (`get_chat_template`).
pub async fn has_template(
    source: &impl ReadRange,
    files: &[FileEntry],
    images: &ImageFiles,
) -> Result<bool, CheckpointError> {
    let told = |file: &Option<Value>| {
        file.as_ref()
            .and_then(|file| file.get("chat_template"))
            .is_some_and(|template| !template.is_null())
    };
    Ok(find(files, "chat_template.jinja").is_some()
        || find(files, "chat_template.json").is_some()
        || told(&images.processor)
        || told(&json::read(source, "tokenizer_config.json").await?))
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
