//! A model on disk, presented to mistral.rs in the form that it can read.
//!
//! Outside: judging it, which the checkpoint crate does for the app and the engine alike; loading. mistral.rs panics on broken
//! JSON, takes a mistyped path for a name on the Hub, and allocates for every position the model could have; so it gets a
//! folder of ours that says only what is true and wanted.

mod normalise;
mod view;

use std::path::{Path, PathBuf};

use self::view::View;
use crate::failure::LoadFailure;
use paddock_checkpoint::{
    CheckpointError, FileEntry, Form, USUAL_CONTEXT_TOKENS, inspect, json, names, place::model_path,
};
use paddock_protocol::engine::LoadErrorCode;
use serde_json::Value;

/// Files that mistral.rs reads and that are written anew for it, as strict JSON.
const REWRITTEN: [&str; 6] = [
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "preprocessor_config.json",
    "processor_config.json",
    "chat_template.json",
];

/// A model that passed the checks.
#[derive(Debug)]
pub enum Checkpoint {
    Folder(Folder),
    Gguf { path: PathBuf, bytes: u64 },
}

#[derive(Debug)]
pub struct Folder {
    /// What mistral.rs is given: links to the user's files, with the configuration files rewritten.
    view: View,
    pub config: Value,
    /// Tokens of prompt and answer together.
    pub context: u32,
    /// Bytes of all weight files, and the number of weights in them.
    pub bytes: u64,
    pub weights: u64,
}

impl Folder {
    pub fn path(&self) -> &Path {
        self.view.path()
    }
}

impl Checkpoint {
    /// Judges a model as the app's list does, and presents it.
    ///
    /// # Errors
    /// A typed failure whose sentence names the file; also for a sound model that cannot run here.
    pub fn open(path: &Path, context: Option<u32>) -> Result<Self, LoadFailure> {
        let judged = inspect(path).map_err(|error| refused(&error))?;
        if let Some(blocking) = judged.blocking {
            return Err(LoadFailure::new(
                LoadErrorCode::Unsupported,
                blocking.message,
            ));
        }
        let path = std::path::absolute(model_path(path)).map_err(no_view)?;
        if judged.form == Form::Gguf {
            let file = match judged.weight_files.as_slice() {
                [file] if path.is_dir() => path.join(&file.name),
                _ => path,
            };
            return Ok(Self::Gguf {
                path: file,
                bytes: judged.bytes,
            });
        }
        let mut config = judged.settings.config;
        normalise::whole_numbers(&mut config);
        let mut rewritten: Vec<(&str, Value)> = Vec::new();
        for name in REWRITTEN {
            if let Some(json) = json::read_local(&path, name).map_err(|error| refused(&error))? {
                rewritten.push((name, json));
            }
        }
        let context = limit_context(&mut config, context);
        normalise::apply(&mut config, &mut rewritten);
        let view = present(&path, &config, &rewritten, &judged.weight_files)?;
        Ok(Self::Folder(Folder {
            view,
            config,
            context,
            bytes: judged.bytes,
            weights: judged.parameters,
        }))
    }
}

fn refused(error: &CheckpointError) -> LoadFailure {
    let code = match error {
        CheckpointError::NotFound { .. }
        | CheckpointError::Unreadable { .. }
        | CheckpointError::NoModel { .. }
        | CheckpointError::OneDeeper { .. } => LoadErrorCode::ModelNotFound,
        CheckpointError::FileMissing { .. } => LoadErrorCode::FileMissing,
        CheckpointError::FileBroken { .. } | CheckpointError::Truncated { .. } => {
            LoadErrorCode::FileBroken
        }
        CheckpointError::Unsupported { .. } => LoadErrorCode::Unsupported,
        CheckpointError::ReaderFailed { .. } => LoadErrorCode::LoadFailed,
    };
    LoadFailure::new(code, error.to_string())
}

fn no_view(error: std::io::Error) -> LoadFailure {
    LoadFailure::new(
        LoadErrorCode::LoadFailed,
        format!("A temporary folder for the model could not be made ({error})."),
    )
}

/// RoPE tables and the scheduler are sized by `max_position_embeddings`: a model of 10 million positions would
/// cost gigabytes before the first token.
fn limit_context(config: &mut Value, wanted: Option<u32>) -> u32 {
    let at = |config: &Value, pointer: &str| {
        config
            .pointer(pointer)
            .and_then(Value::as_u64)
            .and_then(|positions| u32::try_from(positions).ok())
    };
    let places = [
        "/text_config/max_position_embeddings",
        "/max_position_embeddings",
    ];
    let model = places
        .iter()
        .find_map(|place| at(config, place))
        .unwrap_or(USUAL_CONTEXT_TOKENS);
    let context = wanted.unwrap_or(USUAL_CONTEXT_TOKENS).min(model);
    for place in places {
        if let Some(positions) = config.pointer_mut(place) {
            *positions = context.into();
        }
    }
    context
}

/// A folder of links to the user's files, with our versions of the configuration files. mistral.rs takes every file whose name
/// looks like weights for a part of the model: it finds those that were judged, under names that it knows, and no other.
fn present(
    folder: &Path,
    config: &Value,
    rewritten: &[(&str, Value)],
    weights: &[FileEntry],
) -> Result<View, LoadFailure> {
    let view = View::new().map_err(no_view)?;
    let own: Vec<&str> = rewritten
        .iter()
        .map(|(name, _)| *name)
        .chain(["config.json"])
        .collect();
    for entry in std::fs::read_dir(folder).map_err(no_view)? {
        let entry = entry.map_err(no_view)?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        let other = names::is_weights(&text)
            || names::is_pickle(&text)
            || text.ends_with(".safetensors.index.json")
            || own.iter().any(|own| name == **own);
        if entry.path().is_file() && !other {
            link(&entry.path(), &view.path().join(&name)).map_err(no_view)?;
        }
    }
    let count = u32::try_from(weights.len()).unwrap_or(u32::MAX);
    for (number, file) in (1..).zip(weights) {
        let name = match count {
            1 => "model.safetensors".to_owned(),
            count => names::shard_name("model", number, count),
        };
        link(&folder.join(&file.name), &view.path().join(name)).map_err(no_view)?;
    }
    let write = |name: &str, json: &Value| {
        std::fs::write(view.path().join(name), json.to_string()).map_err(no_view)
    };
    write("config.json", config)?;
    for (name, json) in rewritten {
        write(name, json)?;
    }
    Ok(view)
}

#[cfg(unix)]
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(from, to)
}

/// Symbolic links need a privilege on Windows; hard links need the same volume; a copy always works.
#[cfg(not(unix))]
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::hard_link(from, to).or_else(|_| std::fs::copy(from, to).map(|_| ()))
}
