//! Which files of a folder hold the weights: one rule for the app and the engine.
//!
//! Outside: what is in them.
//!
//! As transformers has it (`_get_resolved_checkpoint_files`), and for folders under other names what can only be meant.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::error::CheckpointError;
use crate::read::text_files::find;
use crate::source::{FileEntry, ReadRange};
use crate::summary::Form;
use crate::{json, names};

const SINGLE: &str = "model.safetensors";
/// Mistral's name for the same.
const CONSOLIDATED: &str = "consolidated.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const INDEX_ENDING: &str = ".safetensors.index.json";
const RESIDUAL: &str = "residual.safetensors";
const PURPOSE: &str = "it holds a part of the weights";
/// More shards than any model has; what is counted up by a name is bounded.
const MOST_SHARDS: u32 = 10_000;

/// The weights of one model.
#[derive(Debug)]
pub struct Weights {
    pub form: Form,
    pub files: Vec<FileEntry>,
    /// The index that names them, if they were found by it.
    pub index: Option<Index>,
}

/// `model.safetensors.index.json`.
#[derive(Debug)]
pub struct Index {
    pub file: FileEntry,
    json: Value,
}

impl Index {
    /// Tensors with the file that each is promised to be in.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &str)> {
        let map = self.json.get("weight_map").and_then(Value::as_object);
        map.into_iter()
            .flatten()
            .filter_map(|(tensor, file)| Some((tensor.as_str(), file.as_str()?)))
    }

    fn files(&self) -> BTreeSet<&str> {
        self.tensors().map(|(_, file)| file).collect()
    }
}

/// Finds them: UQFF files; numbered shards; all that an index names; the single file; the only `.safetensors` file whatever
/// its name. Files of subfolders are not looked at.
///
/// # Errors
/// There are none, or a part of them is missing.
pub async fn find_weights(
    source: &impl ReadRange,
    files: &[FileEntry],
) -> Result<Weights, CheckpointError> {
    let here: Vec<&FileEntry> = files.iter().filter(|f| !f.name.contains('/')).collect();
    if here.iter().any(|file| file.name.ends_with(".uqff")) {
        return uqff(files, &here);
    }
    let candidates: Vec<&FileEntry> = here
        .iter()
        .copied()
        .filter(|file| file.name.ends_with(".safetensors") && !names::is_adapter(&file.name))
        .collect();
    let index = read_index(source, &here).await?;
    let plain = |files: Vec<FileEntry>| Weights {
        form: Form::Safetensors,
        files,
        index: None,
    };
    // An index whose files are all here is authoritative.
    if let Some(index) = &index
        && !index.files().is_empty()
    {
        let named: Option<Vec<FileEntry>> = index
            .files()
            .into_iter()
            .map(|name| candidates.iter().find(|file| file.name == name))
            .map(|file| file.map(|file| (*file).clone()))
            .collect();
        if let Some(named) = named {
            return Ok(Weights {
                form: Form::Safetensors,
                files: named,
                index: Some(Index {
                    file: index.file.clone(),
                    json: index.json.clone(),
                }),
            });
        }
    }
    let missing = |file: String| CheckpointError::FileMissing {
        file,
        purpose: PURPOSE,
    };
    let numbered = numbered(&candidates);
    let lacking = match numbered {
        Some(Ok(shards)) => return Ok(plain(shards)),
        Some(Err(name)) => Some(name),
        None => None,
    };
    if let Some(single) = find(files, SINGLE).or_else(|| find(files, CONSOLIDATED)) {
        return Ok(plain(vec![single.clone()]));
    }
    if let Some(name) = lacking {
        return Err(missing(name));
    }
    // An index alone means that the download stopped early.
    if let Some(first) = index.as_ref().and_then(|index| {
        index
            .files()
            .into_iter()
            .find(|name| !candidates.iter().any(|file| file.name == *name))
            .map(str::to_owned)
    }) {
        return Err(missing(first));
    }
    match candidates.as_slice() {
        [only] => return Ok(plain(vec![(*only).clone()])),
        [] => {}
        several => {
            return Err(CheckpointError::NoModel {
                path: source.place(),
                detail: format!(
                    "it has {} .safetensors files, and nothing tells which of them make up the model",
                    several.len()
                ),
            });
        }
    }
    if here.iter().any(|file| names::is_pickle(&file.name)) {
        return Err(CheckpointError::Unsupported {
            what: source.place(),
            why: "its weights are pickled Python files, which can run code; the safetensors version works".to_owned(),
        });
    }
    Err(CheckpointError::FileMissing {
        file: SINGLE.to_owned(),
        purpose: "it holds the weights",
    })
}

fn uqff(files: &[FileEntry], here: &[&FileEntry]) -> Result<Weights, CheckpointError> {
    if find(files, RESIDUAL).is_none() {
        return Err(CheckpointError::FileMissing {
            file: RESIDUAL.to_owned(),
            purpose: "UQFF files leave the unquantised weights to it",
        });
    }
    let files = here
        .iter()
        .filter(|file| file.name.ends_with(".uqff") || file.name == RESIDUAL)
        .map(|file| (*file).clone())
        .collect();
    Ok(Weights {
        form: Form::Uqff,
        files,
        index: None,
    })
}

/// The index under its usual name, else the only one under another.
async fn read_index(
    source: &impl ReadRange,
    here: &[&FileEntry],
) -> Result<Option<Index>, CheckpointError> {
    let mut named = here
        .iter()
        .filter(|file| file.name.ends_with(INDEX_ENDING) && !names::is_adapter(&file.name));
    let usual = here.iter().find(|file| file.name == INDEX);
    let Some(file) = usual.or_else(|| match (named.next(), named.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }) else {
        return Ok(None);
    };
    let json = json::read(source, &file.name).await?;
    Ok(json.map(|json| Index {
        file: (*file).clone(),
        json,
    }))
}

/// The numbered shards, those called `model` first; or the name of the first that is missing among them.
fn numbered(candidates: &[&FileEntry]) -> Option<Result<Vec<FileEntry>, String>> {
    let mut sets: Vec<(&str, u32)> = candidates
        .iter()
        .filter_map(|file| names::shard(&file.name))
        .map(|(stem, _, count)| (stem, count))
        .collect();
    sets.sort_by_key(|(stem, count)| (*stem != "model", *stem, *count));
    sets.dedup();
    let (stem, count) = *sets.first()?;
    let mut shards = Vec::new();
    for number in 1..=count.min(MOST_SHARDS) {
        let name = names::shard_name(stem, number, count);
        match candidates.iter().find(|file| file.name == name) {
            Some(shard) => shards.push((*shard).clone()),
            None => return Some(Err(name)),
        }
    }
    Some(Ok(shards))
}

/// The first shard that the numbering of the others promises and that is not among these names.
pub fn missing_shard<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let files: Vec<FileEntry> = names
        .filter(|name| name.ends_with(".safetensors") && !names::is_adapter(name))
        .map(|name| FileEntry {
            name: name.to_owned(),
            bytes: 0,
        })
        .collect();
    if files.iter().any(|file| file.name == SINGLE) {
        return None;
    }
    numbered(&files.iter().collect::<Vec<_>>())?.err()
}
